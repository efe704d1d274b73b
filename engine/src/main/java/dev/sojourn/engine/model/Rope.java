package dev.sojourn.engine.model;

import java.util.Arrays;

/**
 * Rotary position embedding: pairs of a head's numbers are turned by an angle that grows with the
 * position (Su et al. 2021).
 *
 * <p>Cosines and sines are computed with {@link StrictMath} for the tokens of a step, once for all
 * layers, and rounded to float; so there is no table whose length bounds the context, and the bits
 * are the same everywhere. Immutable.
 */
final class Rope {

  /** Which numbers of a head make a pair. */
  enum Pairs {
    /** Neighbours: {@code 2 i} and {@code 2 i + 1}. GGUF's llama, whose weights are permuted. */
    NEIGHBOURS,
    /** Halves: {@code i} and {@code i + n / 2}. */
    HALVES
  }

  /** A quarter of a turn, and what is missing to it. */
  private static final double QUARTER = Math.PI / 2;

  private static final double QUARTER_LOW = 6.123233995736766e-17;

  private final double[] frequencies;
  private final float magnitude;
  private final Pairs pairs;

  /**
   * Creates rotations.
   *
   * @param dimensions how many numbers of a head are rotated
   * @param factors divide the frequencies, one each; empty for none
   */
  Rope(int dimensions, float base, RopeScaling scaling, float[] factors, Pairs pairs) {
    this.frequencies = new double[dimensions / 2];
    this.magnitude = scaling.magnitude();
    this.pairs = pairs;
    for (int i = 0; i < frequencies.length; i++) {
      double frequency = StrictMath.pow(base, -2.0 * i / dimensions);
      if (factors.length > 0) {
        frequency /= factors[i];
      }
      frequencies[i] = scaling.scale(frequency, i, dimensions, base);
    }
  }

  private Rope(double[] frequencies, float magnitude, Pairs pairs) {
    this.frequencies = frequencies;
    this.magnitude = magnitude;
    this.pairs = pairs;
  }

  /** Returns the first {@code n} of these rotations. */
  Rope cut(int n) {
    return new Rope(Arrays.copyOf(frequencies, n), magnitude, pairs);
  }

  /** Creates the rotations that a file states, of halves. */
  static Rope of(Hyperparameters h, float[] factors) {
    return new Rope(h.ropeDim(), h.ropeBase(), h.scaling(), factors, Pairs.HALVES);
  }

  /** Returns how many cosines, and how many sines, a position has. */
  int angles() {
    return frequencies.length;
  }

  /**
   * Computes the cosines and sines of a position. Angles are first brought within an eighth of a
   * turn, in two parts (Cody and Waite, 1980): StrictMath would allocate for larger ones.
   */
  void angles(int position, float[] cosines, float[] sines, int at) {
    for (int i = 0; i < frequencies.length; i++) {
      double angle = position * frequencies[i];
      double quarters = Math.rint(angle / QUARTER);
      double rest = Math.fma(-quarters, QUARTER_LOW, Math.fma(-quarters, QUARTER, angle));
      float cosine = (float) StrictMath.cos(rest) * magnitude;
      float sine = (float) StrictMath.sin(rest) * magnitude;
      int quarter = (int) (long) quarters & 3;
      float x = (quarter & 1) == 0 ? cosine : -sine;
      float y = (quarter & 1) == 0 ? sine : cosine;
      cosines[at + i] = quarter < 2 ? x : -x;
      sines[at + i] = quarter < 2 ? y : -y;
    }
  }

  /** Turns the head at {@code at} by the angles at {@code anglesAt}. */
  void rotate(float[] head, int at, float[] cosines, float[] sines, int anglesAt) {
    int count = frequencies.length;
    int step = pairs == Pairs.NEIGHBOURS ? 2 : 1;
    int apart = pairs == Pairs.NEIGHBOURS ? 1 : count;
    for (int i = 0; i < count; i++) {
      int first = at + i * step;
      float x = head[first];
      float y = head[first + apart];
      float cosine = cosines[anglesAt + i];
      float sine = sines[anglesAt + i];
      head[first] = x * cosine - y * sine;
      head[first + apart] = x * sine + y * cosine;
    }
  }
}
