package dev.sojourn.engine.model;

import dev.sojourn.engine.sample.Sampler;
import dev.sojourn.engine.sample.SamplingParameters;
import java.util.List;
import java.util.Random;

/**
 * Tokens that {@link WarmUp} draws, in all the ways that requests ask for: none is read. C2
 * compiles the sampler for what it has seen, so likely tokens are now few and now many, and there
 * are blocks enough that loops over them count.
 */
final class Draws {

  private static final List<SamplingParameters> WAYS =
      List.of(
          new SamplingParameters(0, 0, 1, 0, 0, 0),
          new SamplingParameters(1, 0, 1, 0, 1, 0),
          new SamplingParameters(0.8f, 0, 0.9f, 0, 2, 0),
          new SamplingParameters(0.7f, 40, 0.9f, 0.2f, 3, 0),
          new SamplingParameters(1, 20, 0.95f, 0, 4, 0),
          new SamplingParameters(0.01f, 20, 1, 0, 5, 0));

  /** Blocks of the sampler's, and one of a single token. */
  private static final int VOCABULARY = 8 * 512 + 1;

  /** Draws of a round in each way. */
  private static final int TIMES = 16;

  private static final int TOP = 5;

  private final Sampler sampler = new Sampler(VOCABULARY);
  private final float[] even = logits(2);
  private final float[] uneven = logits(9);
  private long position;

  /** Draws for a round. */
  void run() {
    for (int time = 0; time < TIMES; time++) {
      for (SamplingParameters way : WAYS) {
        sampler.sample(time % 2 == 0 ? even : uneven, way, position++);
        sampler.top(time % 4 == 0 ? 0 : TOP, sampler.logSumExp()); // requests may ask for none
      }
    }
  }

  private static float[] logits(float spread) {
    Random random = new Random(VOCABULARY);
    float[] logits = new float[VOCABULARY];
    for (int id = 0; id < VOCABULARY; id++) {
      logits[id] = (float) Math.rint(random.nextGaussian() * 32) * spread / 32; // some are equal
    }
    logits[VOCABULARY - 1] = 3 * spread; // the last of its block, and often drawn
    return logits;
  }
}
