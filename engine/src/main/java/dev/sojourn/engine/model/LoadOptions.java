package dev.sojourn.engine.model;

import java.util.OptionalInt;

/**
 * How a model is loaded.
 *
 * @param threads of arithmetic, for all ranks together
 * @param contextLength the most tokens of a context; beyond the model's own, its positions are
 *     stretched by YaRN; the model's own if absent
 * @param kvType how the KV cache stores its numbers
 * @param packedCache whether packed weights are kept in a file beside the model, and read from it
 */
public record LoadOptions(
    int threads, OptionalInt contextLength, KvType kvType, boolean packedCache) {

  public LoadOptions {
    if (threads < 1) {
      throw new IllegalArgumentException("threads is at least 1, not " + threads);
    }
    if (contextLength.isPresent() && contextLength.getAsInt() < 1) {
      throw new IllegalArgumentException(
          "context length is at least 1, not " + contextLength.getAsInt());
    }
  }

  /** Creates options to pack the weights, and not to keep them. */
  public LoadOptions(int threads, OptionalInt contextLength, KvType kvType) {
    this(threads, contextLength, kvType, false);
  }

  /** Returns a thread for each processor, the model's own context length, and KV in halves. */
  public static LoadOptions defaults() {
    int processors = Runtime.getRuntime().availableProcessors();
    return new LoadOptions(processors, OptionalInt.empty(), KvType.F16);
  }
}
