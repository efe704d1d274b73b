package dev.sojourn.engine.model;

import dev.sojourn.engine.kernel.Kernels;
import java.util.Arrays;

/**
 * The tokens that go through the layers together, one row each: which token of which slice, and
 * what is computed of it. Rows of a slice are neighbours and in order of position.
 *
 * <p>Grows to the largest step, at most {@link #MOST} rows; a longer step goes through in parts,
 * which changes no bit. Owned by the forward pass.
 */
final class Rows {

  /** The most rows at a time: bounds the memory of a step. Twice what a product unpacks for. */
  static final int MOST = 44 * Kernels.GROUP;

  private final int most;
  private int count;
  private int blocks;

  int[] id = new int[0];
  int[] position = new int[0];
  int[] slice = new int[0];

  /** First row of each block of up to so many neighbours of one slice; one more than blocks. */
  int[] block = new int[1];

  /** Creates rows in blocks of {@code most}: units of attention. */
  Rows(int most) {
    this.most = most;
  }

  void clear() {
    count = 0;
    blocks = 0;
    block[0] = 0;
  }

  boolean full() {
    return count == MOST;
  }

  void add(int tokenId, int tokenPosition, int ofSlice) {
    if (count == id.length) {
      int more = Math.min(Math.max(8, 2 * count), MOST);
      // The array whose length was asked last: memory may run out before, and there is a next step.
      position = Arrays.copyOf(position, more);
      slice = Arrays.copyOf(slice, more);
      block = Arrays.copyOf(block, more + 1);
      id = Arrays.copyOf(id, more);
    }
    boolean fitsBlock =
        blocks > 0 && count - block[blocks - 1] < most && slice[count - 1] == ofSlice;
    id[count] = tokenId;
    position[count] = tokenPosition;
    slice[count] = ofSlice;
    count++;
    if (!fitsBlock) {
      blocks++;
    }
    block[blocks] = count;
  }

  int count() {
    return count;
  }

  int blocks() {
    return blocks;
  }
}
