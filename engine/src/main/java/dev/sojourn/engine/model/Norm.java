package dev.sojourn.engine.model;

import dev.sojourn.engine.kernel.Kernels;
import java.util.Arrays;

/**
 * Normalisation by the root of the mean square (Zhang and Sennrich 2019), then a factor for each
 * number. Immutable.
 */
final class Norm {

  /** Leaves numbers as they are. */
  static final Norm NONE = new Norm(new float[0], 0);

  private final float[] factors;
  private final float epsilon;

  Norm(float[] factors, float epsilon) {
    this.factors = factors;
    this.epsilon = epsilon;
  }

  /** Returns that of the first {@code n} numbers. */
  Norm cut(int n) {
    return factors.length == 0 ? this : new Norm(Arrays.copyOf(factors, n), epsilon);
  }

  /**
   * Normalises the numbers at {@code at} into {@code out}, which may be the same array.
   *
   * @param sums scratch of {@link Kernels#LANES} floats
   */
  void apply(Kernels kernels, float[] x, int at, float[] out, float[] sums) {
    if (factors.length == 0) {
      return;
    }
    float[] f = factors;
    float mean = kernels.squares(x, at, f.length, sums) / f.length;
    float scale = 1 / (float) Math.sqrt(mean + epsilon);
    for (int i = 0; i < f.length; i++) {
      out[at + i] = x[at + i] * scale * f[i];
    }
  }
}
