package dev.sojourn.engine.model;

/**
 * Runs a model over KV pages: the port between scheduling and arithmetic.
 *
 * <p>A runner owns the storage of a fixed number of pages of {@link
 * dev.sojourn.core.BlockHasher#BLOCK} token slots and knows them by number, from 0. Who may use
 * which page is not its business. It promises that a token's logits depend only on the token ids
 * before it: not on the batch, the chunking, or where the KV came from.
 *
 * <p>Called by the engine thread alone.
 */
public interface ModelRunner extends AutoCloseable {

  /** Returns the number of logits of a token. */
  int vocabularySize();

  /** Returns the most tokens that a context can have. */
  int contextLength();

  /** Returns how many pages there are. */
  int pages();

  /**
   * Computes one step: for each slice the KV of its tokens, written into its pages at their
   * positions, and, where asked for, the logits after its last token.
   *
   * <p>Within a step slices are computed as if one after the other: a slice may read pages that an
   * earlier slice of the same batch fills.
   */
  void run(StepBatch batch);

  /** Copies the KV of the first {@code slots} tokens of page {@code from} to page {@code to}. */
  void copySlots(int from, int to, int slots);

  @Override
  void close();
}
