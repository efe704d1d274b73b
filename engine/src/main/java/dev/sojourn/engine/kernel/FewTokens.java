package dev.sojourn.engine.kernel;

import static dev.sojourn.engine.kernel.Vectors.L;

/**
 * Products with two to eight tokens, or with up to four of the types below eight bits: the less
 * work it is to unpack a weight, the more often it may be done.
 */
final class FewTokens {

  private static final int MOST = 8;

  /** Tokens that share an unpacking where there are 16 registers. */
  private static final int TOGETHER = 4;

  /** Sums of eight tokens take 16 registers, and weights and factors some more. */
  private static final boolean WIDE = L == 16;

  private FewTokens() {}

  /** Returns whether so many tokens are better multiplied here than by {@link ManyTokens}. */
  static boolean takes(WeightType type, int tokens) {
    return tokens <= (type.bits < 8 ? TOGETHER : MOST);
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
    if (w.type().bits < 8) {
      FewTokensQuants.multiply(w, firstPanel, panels, x, tokens, out, stride, scratch);
      return;
    }
    if (WIDE && tokens > TOGETHER) {
      EightTokens.multiply(w, firstPanel, panels, x, tokens, out, stride, scratch);
      return;
    }
    for (int t = 0; t < tokens; t += TOGETHER) {
      int count = Math.min(TOGETHER, tokens - t);
      FourTokens.multiply(w, firstPanel, panels, x, t, count, out, stride, scratch);
    }
  }
}
