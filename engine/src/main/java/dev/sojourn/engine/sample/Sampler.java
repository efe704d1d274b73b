package dev.sojourn.engine.sample;

import dev.sojourn.engine.kernel.Kernels;

/**
 * Draws a token from logits. What is drawn depends on the logits, the parameters and the position
 * alone, so a resumed run repeats it; the fields are scratch space.
 *
 * <p>The order: temperature, then top-k, then top-p of what top-k left, then min-p. Tokens rank by
 * logit, equals by id, the lower first; so the cuts and greedy sampling are the same wherever they
 * run. Without a cut tokens are not ranked at all, and nothing is allocated.
 *
 * <p>The random number is a hash of (seed, choice, position), not the next one of a sequence.
 *
 * <p>Not thread-safe: one for each engine thread.
 */
public final class Sampler {

  private final Kernels kernels = Kernels.best();

  /** By id: how likely a token is, as a multiple of the likeliest token's probability. */
  private final float[] weights;

  /** Ids. A max-heap in front, what was taken from it at the end, the likeliest last. */
  private int[] heap = new int[0];

  /** Creates a sampler of a vocabulary. */
  public Sampler(int vocabularySize) {
    weights = new float[vocabularySize];
  }

  /**
   * Returns the token drawn at a position of a context.
   *
   * @param logits one for each token of the vocabulary; unchanged
   * @param position of the token to draw
   * @throws ArithmeticException if a logit is NaN, or the greatest is not finite
   */
  public int sample(float[] logits, SamplingParameters parameters, long position) {
    int likeliest = likeliest(logits);
    if (parameters.temperature() == 0) {
      return likeliest;
    }
    float greatest = logits[likeliest];
    float sharpness = Math.min(1 / parameters.temperature(), Float.MAX_VALUE);
    kernels.exp(logits, 0, greatest, sharpness, weights, 0, weights.length);
    double share = uniform(parameters.seed(), parameters.choice(), position);
    boolean uncut = parameters.topK() == 0 && parameters.topP() == 1 && parameters.minP() == 0;
    return uncut ? drawFromAll(share) : drawFromLikeliest(logits, parameters, share);
  }

  /**
   * Returns the logarithm of the sum of the exponentials of all logits: what to subtract from a
   * logit to make it a log probability.
   *
   * @throws ArithmeticException as {@link #sample} does
   */
  public double logSumExp(float[] logits) {
    float greatest = logits[likeliest(logits)];
    kernels.exp(logits, 0, greatest, 1, weights, 0, weights.length);
    double sum = 0;
    for (float weight : weights) {
      sum += weight;
    }
    return greatest + StrictMath.log(sum);
  }

  /**
   * Returns the likeliest tokens before temperature and cuts.
   *
   * @param count how many; fewer if the vocabulary has fewer
   * @param logSumExp of these logits
   */
  public static TopLogprobs top(float[] logits, int count, double logSumExp) {
    if (count == 0) {
      return TopLogprobs.NONE;
    }
    int[] ids = new int[Math.min(count, logits.length)];
    int found = 0;
    for (int id = 0; id < logits.length; id++) {
      int at = found;
      while (at > 0 && logits[ids[at - 1]] < logits[id]) {
        at--;
      }
      if (at < ids.length) {
        found = Math.min(found + 1, ids.length);
        System.arraycopy(ids, at, ids, at + 1, found - 1 - at);
        ids[at] = id;
      }
    }
    float[] logprobs = new float[ids.length];
    for (int i = 0; i < ids.length; i++) {
      logprobs[i] = (float) (logits[ids[i]] - logSumExp);
    }
    return new TopLogprobs(ids, logprobs);
  }

  private int likeliest(float[] logits) {
    if (logits.length != weights.length) {
      throw new IllegalArgumentException(
          "the vocabulary has "
              + weights.length
              + " tokens, but there are logits of "
              + logits.length);
    }
    int best = 0;
    float greatest = Float.NEGATIVE_INFINITY;
    for (int i = 0; i < logits.length; i++) {
      float logit = logits[i];
      if (!(logit <= greatest)) { // seldom; also where it is NaN
        if (Float.isNaN(logit)) {
          throw new ArithmeticException("the logit of token " + i + " is not a number");
        }
        greatest = logit;
        best = i;
      }
    }
    if (Float.isInfinite(greatest)) {
      throw new ArithmeticException(
          "the greatest logit, that of token " + best + ", is " + greatest);
    }
    return best;
  }

  private int drawFromAll(double share) {
    double total = 0;
    for (float weight : weights) {
      total += weight;
    }
    double target = share * total;
    double sum = 0;
    for (int id = 0; id < weights.length; id++) {
      sum += weights[id];
      if (sum > target) {
        return id;
      }
    }
    throw new AssertionError("a share of " + share + " is not below 1");
  }

  private int drawFromLikeliest(float[] logits, SamplingParameters parameters, double share) {
    int size = weights.length;
    if (heap.length != size) {
      heap = new int[size];
    }
    for (int id = 0; id < size; id++) {
      heap[id] = id;
    }
    for (int at = size / 2 - 1; at >= 0; at--) {
      sink(logits, at, size);
    }
    int most = parameters.topK() == 0 ? size : Math.min(parameters.topK(), size);
    int ranked = 0;
    double mass = 0; // of what top-p is a share of
    if (most < size) {
      for (; ranked < most; ranked++) {
        mass += weights[takeLikeliest(logits, size - ranked)];
      }
    } else if (parameters.topP() < 1) {
      for (float weight : weights) {
        mass += weight;
      }
    }
    double enough = parameters.topP() == 1 ? Double.POSITIVE_INFINITY : parameters.topP() * mass;
    int kept = 0;
    double keptMass = 0;
    while (kept < most && keptMass < enough) {
      if (kept == ranked) {
        takeLikeliest(logits, size - ranked++);
      }
      float weight = weights[heap[size - 1 - kept]];
      if (weight < parameters.minP() || weight == 0) {
        break;
      }
      keptMass += weight;
      kept++;
    }
    double target = share * keptMass;
    double sum = 0;
    for (int i = 0; i < kept; i++) {
      int id = heap[size - 1 - i];
      sum += weights[id];
      if (sum > target) {
        return id;
      }
    }
    throw new AssertionError("a share of " + share + " is not below 1");
  }

  /** Moves the likeliest token of a heap of {@code size} to the heap's end and returns it. */
  private int takeLikeliest(float[] logits, int size) {
    int taken = heap[0];
    heap[0] = heap[size - 1];
    heap[size - 1] = taken;
    sink(logits, 0, size - 1);
    return taken;
  }

  private void sink(float[] logits, int start, int size) {
    int id = heap[start];
    int at = start;
    while (2 * at + 1 < size) {
      int child = 2 * at + 1;
      if (child + 1 < size && ranksBefore(logits, heap[child + 1], heap[child])) {
        child++;
      }
      if (ranksBefore(logits, id, heap[child])) {
        break;
      }
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = id;
  }

  private static boolean ranksBefore(float[] logits, int a, int b) {
    return logits[a] > logits[b] || (logits[a] == logits[b] && a < b);
  }

  /**
   * Returns a number of [0, 1) with 53 random bits: three rounds of the finaliser of SplitMix64
   * (Steele, Lea, Flood 2014), one for each part of the counter.
   */
  static double uniform(long seed, int choice, long position) {
    long bits = mix(mix(mix(seed) + choice) + position);
    return (bits >>> 11) * 0x1p-53;
  }

  private static long mix(long counter) {
    long z = counter + 0x9e3779b97f4a7c15L;
    z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
    z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
    return z ^ (z >>> 31);
  }
}
