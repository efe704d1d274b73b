package dev.sojourn.engine.model;

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

  private final double[] frequencies;
  private final float magnitude;
  private final Pairs pairs;

  /**
   * Creates the rotations of a model.
   *
   * @param factors divide the frequencies, one each; empty for none (Llama 3's {@code rope_freqs})
   */
  Rope(Hyperparameters parameters, float[] factors, Pairs pairs) {
    int dimensions = parameters.ropeDim();
    this.frequencies = new double[dimensions / 2];
    this.magnitude = parameters.scaling().magnitude();
    this.pairs = pairs;
    for (int i = 0; i < frequencies.length; i++) {
      double frequency = StrictMath.pow(parameters.ropeBase(), -2.0 * i / dimensions);
      if (factors.length > 0) {
        frequency /= factors[i];
      }
      frequencies[i] = parameters.scaling().scale(frequency, i, dimensions, parameters.ropeBase());
    }
  }

  /** Returns how many cosines, and how many sines, a position has. */
  int angles() {
    return frequencies.length;
  }

  /** Computes the cosines and sines of a position. */
  void angles(int position, float[] cosines, float[] sines, int at) {
    for (int i = 0; i < frequencies.length; i++) {
      double angle = position * frequencies[i];
      cosines[at + i] = (float) StrictMath.cos(angle) * magnitude;
      sines[at + i] = (float) StrictMath.sin(angle) * magnitude;
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
