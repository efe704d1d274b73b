package dev.sojourn.engine.weights;

import dev.sojourn.text.Vocabulary;
import dev.sojourn.text.Vocabulary.Kind;
import dev.sojourn.text.Vocabulary.TokenType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.stream.DoubleStream;

/**
 * Reads the vocabulary out of a model file and checks that it is one: lists of equal length, ids in
 * range, merges of tokens into tokens.
 */
public final class GgufVocabulary {

  private static final String TOKENS = "tokenizer.ggml.tokens";
  private static final String TYPES = "tokenizer.ggml.token_type";
  private static final String MERGES = "tokenizer.ggml.merges";
  private static final String SCORES = "tokenizer.ggml.scores";

  /** Keys of ids that end a turn. */
  private static final List<String> END_KEYS =
      List.of(
          "tokenizer.ggml.eos_token_id",
          "tokenizer.ggml.eot_token_id",
          "tokenizer.ggml.eom_token_id");

  /** Pre-tokenizers of the Llama 3 family, whose contexts begin with {@code bos} by default. */
  private static final Set<String> BOS_BY_DEFAULT = Set.of("llama-bpe", "llama3", "llama-v3");

  /** By GGUF's code; 0 is "undefined", which converters write for ordinary tokens. */
  private static final List<TokenType> BY_CODE =
      List.of(
          TokenType.NORMAL,
          TokenType.NORMAL,
          TokenType.UNKNOWN,
          TokenType.CONTROL,
          TokenType.USER_DEFINED,
          TokenType.UNUSED,
          TokenType.BYTE);

  private final GgufFile file;
  private final ModelMetadata metadata;
  private final List<String> tokens;

  private GgufVocabulary(GgufFile file) {
    this.file = file;
    metadata = file.metadata();
    tokens = metadata.strings(TOKENS);
  }

  /**
   * Returns the file's vocabulary.
   *
   * @throws ModelFileException if it has none, or one that contradicts itself
   */
  public static Vocabulary of(GgufFile file) {
    return new GgufVocabulary(file).read();
  }

  private Vocabulary read() {
    Kind kind = kind();
    if (tokens.isEmpty()) {
      throw metadata.wrong(TOKENS, "a list of tokens", "an empty one");
    }
    checkEmbedding();
    boolean bytePairs = kind == Kind.BYTE_LEVEL_BPE;
    List<TokenType> types = types();
    String preTokenizer =
        bytePairs ? metadata.findString("tokenizer.ggml.pre").orElse("") : "default";
    OptionalInt bos = id("tokenizer.ggml.bos_token_id");
    boolean addBos =
        metadata
            .findFlag("tokenizer.ggml.add_bos_token")
            .orElse(!bytePairs || BOS_BY_DEFAULT.contains(preTokenizer));
    return new Vocabulary(
        kind,
        preTokenizer,
        tokens,
        types,
        bytePairs ? merges() : List.of(),
        bytePairs ? List.of() : scores(),
        bos,
        id(END_KEYS.getFirst()),
        endOfTurn(types),
        id("tokenizer.ggml.unknown_token_id"),
        addBos && bos.isPresent(),
        metadata.findFlag("tokenizer.ggml.add_space_prefix").orElse(!bytePairs),
        Optional.empty());
  }

  private Kind kind() {
    String key = "tokenizer.ggml.model";
    return switch (metadata.string(key)) {
      case "gpt2" -> Kind.BYTE_LEVEL_BPE;
      case "llama" -> Kind.SENTENCE_PIECE;
      default ->
          throw metadata.unsupported(key, "\"gpt2\" (byte-level BPE) or \"llama\" (SentencePiece)");
    };
  }

  /** A logit without a token, or a token without an embedding, would be met only while serving. */
  private void checkEmbedding() {
    for (ModelTensor tensor : file.tensors()) {
      if (tensor.name().equals("token_embd.weight") && tensor.rows() != tokens.size()) {
        throw metadata.wrong(
            TOKENS,
            "as long as token_embd.weight has rows (" + tensor.rows() + ")",
            tokens.size() + " tokens");
      }
    }
  }

  private List<TokenType> types() {
    long[] codes = metadata.findIntegers(TYPES).orElse(null);
    if (codes == null) {
      return Collections.nCopies(tokens.size(), TokenType.NORMAL);
    }
    checkLength(TYPES, codes.length);
    TokenType[] types = new TokenType[codes.length];
    for (int id = 0; id < codes.length; id++) {
      if (codes[id] < 0 || codes[id] >= BY_CODE.size()) {
        throw metadata.wrong(
            TYPES, "numbers from 0 to " + (BY_CODE.size() - 1), codes[id] + " for token " + id);
      }
      types[id] = BY_CODE.get((int) codes[id]);
    }
    return List.of(types);
  }

  private List<String> merges() {
    List<String> merges = metadata.strings(MERGES);
    Set<String> known = new HashSet<>(tokens);
    for (int i = 0; i < merges.size(); i++) {
      String merge = merges.get(i);
      int space = merge.indexOf(' ', 1);
      boolean sound =
          space > 0
              && known.contains(merge.substring(0, space))
              && known.contains(merge.substring(space + 1))
              && known.contains(merge.substring(0, space) + merge.substring(space + 1));
      if (!sound) {
        throw metadata.wrong(
            MERGES,
            "pairs of tokens, with a space between, that make a token",
            '"' + merge + "\" as number " + i);
      }
    }
    return merges;
  }

  private List<Float> scores() {
    double[] scores =
        metadata
            .findReals(SCORES)
            .orElseThrow(() -> metadata.wrong(SCORES, "a score for each token"));
    checkLength(SCORES, scores.length);
    if (!DoubleStream.of(scores).allMatch(Double::isFinite)) {
      throw metadata.wrong(SCORES, "finite numbers", "infinite ones or NaN");
    }
    return Arrays.stream(scores).mapToObj(score -> (float) score).toList();
  }

  private void checkLength(String key, int length) {
    if (length != tokens.size()) {
      throw metadata.wrong(key, "as long as " + TOKENS + " (" + tokens.size() + ")", "" + length);
    }
  }

  private OptionalInt id(String key) {
    return metadata.findInteger(key, 0, tokens.size() - 1);
  }

  private List<Integer> endOfTurn(List<TokenType> types) {
    List<Integer> named = new ArrayList<>();
    END_KEYS.forEach(key -> id(key).ifPresent(named::add));
    return Vocabulary.endsOfTurn(named, tokens, types);
  }
}
