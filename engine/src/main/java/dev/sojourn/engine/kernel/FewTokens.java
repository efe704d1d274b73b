package dev.sojourn.engine.kernel;

import static dev.sojourn.engine.kernel.Vectors.L;

/** Products with two to eight tokens of the types whose unpacking is short. */
final class FewTokens {

  private static final int MOST = 8;

  /** Sums of eight tokens take 16 registers, and weights and factors some more. */
  private static final boolean WIDE = L == 16;

  private FewTokens() {}

  /** Returns whether so many tokens are better multiplied here than by {@link ManyTokens}. */
  static boolean takes(WeightType type, int tokens) {
    return tokens <= MOST
        && switch (type) {
          case F32, F16, BF16, Q8_0 -> true;
          default -> false;
        };
  }

  static void multiply(
      PackedMatrix w,
      int firstPanel,
      int panels,
      float[] x,
      int tokens,
      float[] out,
      int stride,
      ProductScratch scratch) {
    if (WIDE && tokens > 4) {
      EightTokens.multiply(w, firstPanel, panels, x, tokens, out, stride, scratch);
      return;
    }
    for (int t = 0; t < tokens; t += 4) {
      int count = Math.min(4, tokens - t);
      FourTokens.multiply(w, firstPanel, panels, x, t, count, out, stride, scratch);
    }
  }
}
