package dev.sojourn.backend;

import dev.sojourn.engine.sample.TopLogprobs;
import java.util.Arrays;

/**
 * Tokens of one turn that were sampled and are still to be read, in their order. They wait as
 * numbers in arrays, which begin anew whenever all are read and double for a reader that is slower:
 * adding one makes no object otherwise. Not thread-safe.
 */
final class SampledTokens {

  private int[] ids = new int[16];
  private float[] logprobs = new float[16];
  private TopLogprobs[] tops = new TopLogprobs[16];
  private int[] visibleBytes = new int[16];
  private int added;
  private int removed;

  boolean isEmpty() {
    return added == removed;
  }

  /** Adds one, as {@link dev.sojourn.engine.TurnSink#token} tells it. */
  void add(int id, float logprob, TopLogprobs top, int visible) {
    if (added == ids.length) {
      ids = Arrays.copyOf(ids, 2 * added);
      logprobs = Arrays.copyOf(logprobs, 2 * added);
      tops = Arrays.copyOf(tops, 2 * added);
      visibleBytes = Arrays.copyOf(visibleBytes, 2 * added);
    }
    ids[added] = id;
    logprobs[added] = logprob;
    tops[added] = top;
    visibleBytes[added] = visible;
    added++;
  }

  /** Removes the first one; there is one. */
  EmbeddedGeneration.Told.Sampled remove() {
    int at = removed++;
    if (isEmpty()) {
      added = 0;
      removed = 0;
    }
    return new EmbeddedGeneration.Told.Sampled(ids[at], logprobs[at], tops[at], visibleBytes[at]);
  }
}
