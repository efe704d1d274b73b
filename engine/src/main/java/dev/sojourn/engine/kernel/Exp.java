package dev.sojourn.engine.kernel;

/**
 * The exponential function, as a polynomial in FMA whose bits are the same on every machine and in
 * every width of vector. (The JDK's scalar and vector versions differ in the last bit.)
 *
 * <p>With {@code n = round(x / ln 2)} and {@code r = x - n ln 2}, {@code exp(x) = 2^n exp(r)}; ln 2
 * is split in two parts so that {@code r} keeps its bits (Cody and Waite, 1980). {@code exp(r)} is
 * {@code 1 + r + r² P(r)}, where P interpolates at Chebyshev nodes of {@code |r| <= ln 2 / 2}. The
 * error is below one unit in the last place.
 *
 * <p>Below {@link #LOWEST} the result is 0, above {@link #HIGHEST} it is that of {@code HIGHEST};
 * NaN stays NaN. Both are left out of the result's range on purpose: no denormals, no infinity.
 */
public final class Exp {

  /** The least argument whose result is not 0. */
  static final float LOWEST = -87.0f;

  /** The greatest argument that is told from those above it. */
  static final float HIGHEST = 88.0f;

  static final float LOG2_E = 0x1.715476p+0f;

  /** 1.5 · 2^23: adding it rounds to the nearest integer, ties to even, into the low bits. */
  static final float ROUNDER = 0x1.8p+23f;

  static final float MINUS_LN2_HIGH = -0x1.62p-1f;
  static final float MINUS_LN2_LOW = -0x1.c85fe0p-10f;
  static final float P0 = 0x1.000000p-1f;
  static final float P1 = 0x1.555556p-3f;
  static final float P2 = 0x1.5554e8p-5f;
  static final float P3 = 0x1.1110e0p-7f;
  static final float P4 = 0x1.6d4334p-10f;
  static final float P5 = 0x1.a12500p-13f;

  private Exp() {}

  /** Returns e to the power of {@code x}. */
  public static float exp(float x) {
    if (x < LOWEST) {
      return 0;
    }
    float a = Math.min(x, HIGHEST);
    float rounded = Math.fma(a, LOG2_E, ROUNDER);
    float n = rounded - ROUNDER;
    float r = Math.fma(n, MINUS_LN2_LOW, Math.fma(n, MINUS_LN2_HIGH, a));
    float p = Math.fma(r, P5, P4);
    p = Math.fma(r, p, P3);
    p = Math.fma(r, p, P2);
    p = Math.fma(r, p, P1);
    p = Math.fma(r, p, P0);
    p = Math.fma(r * r, p, r) + 1;
    // The low bits of rounded hold n; shifted into the exponent they make 2^n.
    return p * Float.intBitsToFloat((Float.floatToRawIntBits(rounded) << 23) + 0x3f800000);
  }
}
