package dev.sojourn.engine.sample;

import dev.sojourn.engine.kernel.Kernels;

/**
 * Draws a token from logits. What is drawn depends on the logits, the parameters and the position
 * alone, so a resumed run repeats it; the fields are scratch space.
 *
 * <p>The order: temperature, then top-k, then top-p of what top-k left, then min-p. Tokens rank by
 * logit, equals by id, the lower first; so the cuts and greedy sampling are the same wherever they
 * run. Without a cut tokens are not ranked at all.
 *
 * <p>Logits are read by {@link Kernels} block by block, and what is known of a block, its greatest
 * logit and the sum of its weights, tells which blocks need to be read again. Sums within a block
 * are of floats, those of blocks of doubles. Nothing is allocated but {@link #top}'s answer.
 *
 * <p>The random number is a hash of (seed, choice, position), not the next one of a sequence.
 *
 * <p>Not thread-safe: one for each engine thread.
 */
public final class Sampler {

  /** Tokens of a block. */
  static final int BLOCK = 512;

  private final Kernels kernels = Kernels.best();
  private final float[] sums = new float[Kernels.LANES];
  private final Ranking ranking;

  /** By id: how likely a token is, as a multiple of the likeliest token's probability. */
  private final float[] weights;

  /** By block: the greatest of its logits. */
  private final float[] greatest;

  /** By block: the sum of its weights. */
  private final double[] masses;

  /** Those that were sampled last, and of them the likeliest token. */
  private float[] logits = {};

  private int likeliest;

  /** What logits were multiplied with before their exponentials became the weights; 0: none are. */
  private float sharpness;

  /** The sum of all weights. */
  private double total;

  /** Creates a sampler of a vocabulary. */
  public Sampler(int vocabularySize) {
    int blocks = Math.ceilDiv(vocabularySize, BLOCK);
    weights = new float[vocabularySize];
    greatest = new float[blocks];
    masses = new double[blocks];
    ranking = new Ranking(vocabularySize);
  }

  /**
   * Returns the token drawn at a position of a context.
   *
   * @param of the logits, one for each token of the vocabulary; unchanged
   * @param position of the token to draw
   * @throws ArithmeticException if a logit is NaN, or the greatest is not finite
   */
  public int sample(float[] of, SamplingParameters parameters, long position) {
    look(of);
    if (parameters.temperature() == 0) {
      return likeliest;
    }
    weigh(Math.min(1 / parameters.temperature(), Float.MAX_VALUE));
    double share = uniform(parameters.seed(), parameters.choice(), position);
    boolean uncut = parameters.topK() == 0 && parameters.topP() == 1 && parameters.minP() == 0;
    return uncut ? drawFromAll(share) : drawFromLikeliest(parameters, share);
  }

  /**
   * Returns the logarithm of the sum of the exponentials of the logits that were sampled last: what
   * to subtract from one to make it a log probability.
   */
  public double logSumExp() {
    if (sharpness != 1) {
      weigh(1);
    }
    return logits[likeliest] + StrictMath.log(total);
  }

  /**
   * Returns the likeliest tokens of the logits that were sampled last, before temperature and cuts.
   *
   * @param count how many; fewer if the vocabulary has fewer
   * @param logSumExp of these logits
   */
  public TopLogprobs top(int count, double logSumExp) {
    if (count == 0) {
      return TopLogprobs.NONE;
    }
    int[] ids = new int[Math.min(count, logits.length)];
    int found = 0;
    for (int block = 0; block < greatest.length; block++) {
      if (found < ids.length || greatest[block] > logits[ids[found - 1]]) {
        found = topOfBlock(block, ids, found);
      }
    }
    float[] logprobs = new float[ids.length];
    for (int i = 0; i < ids.length; i++) {
      logprobs[i] = (float) (logits[ids[i]] - logSumExp);
    }
    return new TopLogprobs(ids, logprobs);
  }

  private int topOfBlock(int block, int[] ids, int foundBefore) {
    int found = foundBefore;
    for (int id = block * BLOCK; id < end(block); id++) {
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
    return found;
  }

  /** Finds the greatest logit of each block, and the likeliest token. */
  private void look(float[] of) {
    if (of.length != weights.length) {
      throw new IllegalArgumentException(
          "the vocabulary has " + weights.length + " tokens, but there are logits of " + of.length);
    }
    logits = of;
    sharpness = 0;
    int best = 0;
    for (int block = 0; block < greatest.length; block++) {
      greatest[block] = Kernels.greatest(of, block * BLOCK, end(block) - block * BLOCK);
      if (!(greatest[block] <= greatest[best])) { // seldom; also where it is NaN
        best = block;
        if (Float.isNaN(greatest[block])) {
          break;
        }
      }
    }
    float most = greatest[best];
    likeliest = best * BLOCK;
    while (Float.isNaN(most) ? !Float.isNaN(of[likeliest]) : of[likeliest] != most) {
      likeliest++;
    }
    if (Float.isNaN(most)) {
      throw new ArithmeticException("the logit of token " + likeliest + " is not a number");
    }
    if (Float.isInfinite(most)) {
      throw new ArithmeticException(
          "the greatest logit, that of token " + likeliest + ", is " + most);
    }
  }

  private void weigh(float factor) {
    sharpness = factor;
    total = 0;
    for (int block = 0; block < masses.length; block++) {
      int at = block * BLOCK;
      int n = end(block) - at;
      kernels.exp(logits, at, logits[likeliest], factor, weights, at, n);
      masses[block] = kernels.sum(weights, at, n, sums);
      total += masses[block];
    }
  }

  private int end(int block) {
    return Math.min((block + 1) * BLOCK, weights.length);
  }

  private int drawFromAll(double share) {
    double target = share * total;
    double sum = 0;
    for (int block = 0; block < masses.length; block++) {
      if (sum + masses[block] > target) {
        return drawFromBlock(block, target - sum);
      }
      sum += masses[block];
    }
    throw new AssertionError("a share of " + share + " is not below 1");
  }

  /** Where the block's own sum was rounded up, and the target is beyond its tokens: the last. */
  private int drawFromBlock(int block, double target) {
    int drawn = 0;
    double sum = 0;
    for (int id = block * BLOCK; id < end(block) && sum <= target; id++) {
      if (weights[id] > 0) {
        sum += weights[id];
        drawn = id;
      }
    }
    return drawn;
  }

  private int drawFromLikeliest(SamplingParameters parameters, double share) {
    ranking.begin(logits, greatest, logits[likeliest], sharpness);
    int size = weights.length;
    int most = parameters.topK() == 0 ? size : Math.min(parameters.topK(), size);
    double enough = Double.POSITIVE_INFINITY;
    if (parameters.topP() < 1) {
      enough = parameters.topP() * (most < size ? mass(most) : total);
    }
    int kept = 0;
    double keptMass = 0;
    while (kept < most && keptMass < enough) {
      float weight = weights[ranking.id(kept)];
      if (weight < parameters.minP() || weight == 0) {
        break;
      }
      keptMass += weight;
      kept++;
    }
    double target = share * keptMass;
    double sum = 0;
    for (int rank = 0; rank < kept; rank++) {
      int id = ranking.id(rank);
      sum += weights[id];
      if (sum > target) {
        return id;
      }
    }
    throw new AssertionError("a share of " + share + " is not below 1");
  }

  /** Returns the sum of the weights of so many tokens, the likeliest. */
  private double mass(int tokens) {
    double mass = 0;
    for (int rank = 0; rank < tokens; rank++) {
      float weight = weights[ranking.id(rank)];
      if (weight == 0) {
        break;
      }
      mass += weight;
    }
    return mass;
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
