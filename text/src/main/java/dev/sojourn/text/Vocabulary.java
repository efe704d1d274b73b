package dev.sojourn.text;

import java.util.List;
import java.util.OptionalInt;

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
    boolean addSpacePrefix) {

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
