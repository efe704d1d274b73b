package dev.sojourn.text;

import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;

/**
 * What a model file says of its tokens: everything a tokenizer is built from.
 *
 * @param kind which algorithm the vocabulary was made for
 * @param preTokenizer the name of the splitting rules ({@code llama-bpe}, {@code qwen2}, …)
 * @param tokens by id, spelled as in the file (byte-level alphabet, or U+2581 for space)
 * @param types by id
 * @param merges of byte-pair encoding, as {@code "left right"}, best first; empty for others
 * @param scores by id, of SentencePiece vocabularies; empty for others
 * @param bos begins every context if {@code addBos}
 * @param eos ends a text
 * @param endOfTurn all ids that end a turn, {@code eos} included
 * @param unknown what stands for text that cannot be spelled
 * @param addBos whether a context begins with {@code bos}
 * @param addSpacePrefix whether a text begins with a space (SentencePiece)
 * @param tokenizerJson how text is split and merged, in Hugging Face's form, where the model came
 *     with it: in place of the splitting rules, the merges and the scores
 */
public record Vocabulary(
    Kind kind,
    String preTokenizer,
    List<String> tokens,
    List<TokenType> types,
    List<String> merges,
    List<Float> scores,
    OptionalInt bos,
    OptionalInt eos,
    List<Integer> endOfTurn,
    OptionalInt unknown,
    boolean addBos,
    boolean addSpacePrefix,
    Optional<TokenizerFile> tokenizerJson) {

  /**
   * What a {@code tokenizer.json} says.
   *
   * @param rules the file, less what {@link Tokenizer} does itself
   * @param takesBefore ids of special tokens that white space before them belongs to ({@code
   *     lstrip})
   * @param takesBehind ids of special tokens that white space behind them belongs to ({@code
   *     rstrip})
   */
  public record TokenizerFile(String rules, Set<Integer> takesBefore, Set<Integer> takesBehind) {

    public TokenizerFile {
      takesBefore = Set.copyOf(takesBefore);
      takesBehind = Set.copyOf(takesBehind);
    }
  }

  /**
   * Spellings of tokens that end a turn though many files name only one of them by id: a chat model
   * whose {@code eos} is {@code <|endoftext|>} still ends its answers with {@code <|im_end|>}.
   */
  private static final Set<String> END_SPELLINGS =
      Set.of(
          "<|im_end|>",
          "<|endoftext|>",
          "<|eot_id|>",
          "<|eom_id|>",
          "<|end_of_text|>",
          "<|end|>",
          "<|return|>",
          "<end_of_turn>",
          "</s>");

  public Vocabulary {
    tokens = List.copyOf(tokens);
    types = List.copyOf(types);
    merges = List.copyOf(merges);
    scores = List.copyOf(scores);
    endOfTurn = List.copyOf(endOfTurn);
    if (types.size() != tokens.size()) {
      throw new VocabularyException(
          "the vocabulary has " + tokens.size() + " tokens, but types of " + types.size());
    }
    if (kind == Kind.SENTENCE_PIECE && tokenizerJson.isEmpty() && scores.size() != tokens.size()) {
      throw new VocabularyException(
          "the vocabulary has " + tokens.size() + " tokens, but scores of " + scores.size());
    }
    check("bos", bos, tokens.size());
    check("eos", eos, tokens.size());
    check("unknown", unknown, tokens.size());
    for (int id : endOfTurn) {
      check("end-of-turn", OptionalInt.of(id), tokens.size());
    }
  }

  /**
   * Returns the ids that end a turn: those that a file names, and control tokens that are spelled
   * like one.
   */
  public static List<Integer> endsOfTurn(
      Collection<Integer> named, List<String> tokens, List<TokenType> types) {
    Set<Integer> ids = new TreeSet<>(named);
    for (int id = 0; id < tokens.size(); id++) {
      if (types.get(id) == TokenType.CONTROL && END_SPELLINGS.contains(tokens.get(id))) {
        ids.add(id);
      }
    }
    return List.copyOf(ids);
  }

  private static void check(String role, OptionalInt id, int size) {
    if (id.isPresent() && (id.getAsInt() < 0 || id.getAsInt() >= size)) {
      throw new VocabularyException(
          "the " + role + " token is " + id.getAsInt() + ", of a vocabulary of " + size);
    }
  }

  /**
   * Returns whether an id is a control token: one that steers and is never shown. Files mark some
   * end-of-turn tokens as ordinary ones; what they are for decides.
   */
  public boolean control(int id) {
    TokenType type = types.get(id);
    return type == TokenType.CONTROL
        || type == TokenType.UNKNOWN
        || endOfTurn.contains(id)
        || bos.equals(OptionalInt.of(id))
        || eos.equals(OptionalInt.of(id));
  }

  /** Returns whether an id is recognised by its spelling before a text is tokenised. */
  boolean special(int id) {
    return control(id) || types.get(id) == TokenType.USER_DEFINED;
  }

  /** Which algorithm a vocabulary was made for. */
  public enum Kind {
    /** Byte-level byte-pair encoding ({@code gpt2}). */
    BYTE_LEVEL_BPE,
    /** SentencePiece's, with scores and byte fallback ({@code llama}). */
    SENTENCE_PIECE
  }

  /** What a token is for, in GGUF's numbering from 1. */
  public enum TokenType {
    NORMAL,
    UNKNOWN,
    CONTROL,
    USER_DEFINED,
    UNUSED,
    BYTE
  }
}
