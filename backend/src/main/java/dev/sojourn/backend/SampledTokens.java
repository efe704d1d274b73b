package dev.sojourn.backend;

import dev.sojourn.engine.sample.TopLogprobs;
import java.util.Arrays;

/**
 * Tokens of one turn that were sampled and are still to be read, in their order. They wait as
 * numbers in arrays, which double for a reader that is slower: adding one makes no object
 * otherwise. Not thread-safe.
 */
final class SampledTokens {

  /** A token that was removed, as {@link dev.sojourn.engine.TurnSink#token} told it. */
  static final class Removed {
    int id;
    float logprob;
    TopLogprobs top = TopLogprobs.NONE;
    int visibleBytes;
  }

  private int[] ids = new int[16];
  private float[] logprobs = new float[16];
  private TopLogprobs[] tops = new TopLogprobs[16];
  private int[] visibleBytes = new int[16];
  private int added; // since the arrays began anew
  private int removed;

  boolean isEmpty() {
    return added == removed;
  }

  void add(int id, float logprob, TopLogprobs top, int visible) {
    if (added == ids.length) {
      if (removed >= added / 2) {
        moveDown();
      } else {
        grow();
      }
    }
    ids[added] = id;
    logprobs[added] = logprob;
    tops[added] = top;
    visibleBytes[added] = visible;
    added++;
  }

  /** Removes the first one; there is one. */
  void removeTo(Removed to) {
    to.id = ids[removed];
    to.logprob = logprobs[removed];
    to.top = tops[removed];
    to.visibleBytes = visibleBytes[removed];
    tops[removed] = TopLogprobs.NONE;
    removed++;
    if (isEmpty()) {
      added = 0;
      removed = 0;
    }
  }

  private void moveDown() {
    int waiting = added - removed;
    System.arraycopy(ids, removed, ids, 0, waiting);
    System.arraycopy(logprobs, removed, logprobs, 0, waiting);
    System.arraycopy(tops, removed, tops, 0, waiting);
    System.arraycopy(visibleBytes, removed, visibleBytes, 0, waiting);
    added = waiting;
    removed = 0;
  }

  private void grow() {
    ids = Arrays.copyOf(ids, 2 * added);
    logprobs = Arrays.copyOf(logprobs, 2 * added);
    tops = Arrays.copyOf(tops, 2 * added);
    visibleBytes = Arrays.copyOf(visibleBytes, 2 * added);
  }
}
