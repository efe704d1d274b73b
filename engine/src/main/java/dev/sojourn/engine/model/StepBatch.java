package dev.sojourn.engine.model;

import dev.sojourn.core.BlockHasher;
import java.util.Arrays;

/**
 * What a step computes: slices of token ids, each with its place in a context and that context's
 * pages. Reused from step to step; grows to the largest step and then allocates nothing.
 *
 * <p>Filled by the scheduler, read by the {@link ModelRunner}, which writes the logits; then read
 * by the scheduler. Not thread-safe.
 */
public final class StepBatch {

  private final int vocabularySize;
  private int slices;
  private int tokens;
  private int[] ids = new int[64];
  private int[] firstToken = new int[9]; // of each slice in ids; one more than slices
  private int[] position = new int[8]; // of each slice's first token
  private int[][] pages = new int[8][]; // page table; borrowed, valid for the step
  private boolean[] wantsLogits = new boolean[8];
  private float[][] logits = new float[8][];

  /** Creates an empty batch for a model with this many logits. */
  public StepBatch(int vocabularySize) {
    this.vocabularySize = vocabularySize;
  }

  /** Removes all slices. */
  public void clear() {
    slices = 0;
    tokens = 0;
  }

  /**
   * Adds a slice whose first token stands at {@code position} of its context. Its ids follow by
   * {@link #addToken}.
   *
   * @param pageTable page numbers of the context, by position / 16; must reach the slice's last
   *     token; borrowed until the step is over
   * @param wantsLogits whether the logits after the slice's last token are wanted
   * @return the slice's index
   */
  public int addSlice(int position, int[] pageTable, boolean wantsLogits) {
    if (slices == this.position.length) {
      int more = slices * 2;
      firstToken = Arrays.copyOf(firstToken, more + 1);
      this.position = Arrays.copyOf(this.position, more);
      pages = Arrays.copyOf(pages, more);
      this.wantsLogits = Arrays.copyOf(this.wantsLogits, more);
      logits = Arrays.copyOf(logits, more);
    }
    firstToken[slices] = tokens;
    firstToken[slices + 1] = tokens;
    this.position[slices] = position;
    pages[slices] = pageTable;
    this.wantsLogits[slices] = wantsLogits;
    if (wantsLogits && logits[slices] == null) {
      logits[slices] = new float[vocabularySize];
    }
    return slices++;
  }

  /** Appends an id to the slice added last. */
  public void addToken(int id) {
    if (tokens == ids.length) {
      ids = Arrays.copyOf(ids, tokens * 2);
    }
    ids[tokens++] = id;
    firstToken[slices] = tokens;
  }

  /** Returns the number of slices. */
  public int slices() {
    return slices;
  }

  /** Returns the number of tokens of all slices. */
  public int tokens() {
    return tokens;
  }

  /** Returns the number of tokens of a slice. */
  public int length(int slice) {
    return firstToken[slice + 1] - firstToken[slice];
  }

  /** Returns a token id of a slice. */
  public int id(int slice, int index) {
    return ids[firstToken[slice] + index];
  }

  /** Returns the position of a slice's first token. */
  public int position(int slice) {
    return position[slice];
  }

  /** Returns the page that holds this position of the slice's context. */
  public int page(int slice, int position) {
    return pages[slice][position / BlockHasher.BLOCK];
  }

  /** Returns whether the logits after a slice's last token are wanted. */
  public boolean wantsLogits(int slice) {
    return wantsLogits[slice];
  }

  /** Returns the array of a slice's logits, which the runner fills; only where they are wanted. */
  public float[] logits(int slice) {
    if (!wantsLogits[slice]) {
      throw new IllegalStateException("slice " + slice + " wants no logits");
    }
    return logits[slice];
  }
}
