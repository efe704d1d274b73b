package dev.sojourn.engine.model;

import dev.sojourn.engine.kernel.Kernels;

/** What the gate of a feed-forward goes through: {@code x / (1 + exp(-a(x)))}. */
enum Activation {
  /** {@code a(x) = x}: SiLU (Elfwing et al. 2017). */
  SILU,
  /**
   * {@code a(x) = 2 sqrt(2 / pi) (x + 0.044715 x^3)}: GELU with its approximation by a hyperbolic
   * tangent (Hendrycks and Gimpel 2016), as {@code (1 + tanh(a / 2)) / 2 = 1 / (1 + exp(-a))}.
   */
  GELU;

  private static final float LINEAR = (float) (-2 * Math.sqrt(2 / Math.PI));
  private static final float CUBIC = (float) (-2 * Math.sqrt(2 / Math.PI) * 0.044715);

  /**
   * Sets {@code gate} to what becomes of it times {@code up}, for {@code n} numbers from {@code
   * from} on, as many at a time as the scratch holds.
   */
  void apply(Kernels kernels, float[] gate, float[] up, int from, int n, float[] scratch) {
    for (int first = 0; first < n; first += scratch.length) {
      int count = Math.min(scratch.length, n - first);
      int at = from + first;
      if (this == SILU) {
        kernels.exp(gate, at, 0, -1, scratch, 0, count);
      } else {
        for (int i = 0; i < count; i++) {
          float x = gate[at + i];
          scratch[i] = x * (LINEAR + CUBIC * (x * x));
        }
        kernels.exp(scratch, 0, 0, 1, scratch, 0, count);
      }
      for (int i = 0; i < count; i++) {
        gate[at + i] = gate[at + i] / (1 + scratch[i]) * up[at + i];
      }
    }
  }
}
