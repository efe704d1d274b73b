package dev.sojourn.engine.kernel;

import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * How the halves of a matrix are stored, so that no denormal number comes up when they are
 * converted: processors take a hundred cycles and more for each.
 *
 * <p>A half's bits, with the sign extended, shifted to where a float's are and masked, make a float
 * that is the number times a power of two. A half that is denormal would make a denormal float. But
 * of the 40 exponents that halves have, -24 to 15, matrices of weights use small ones; so they are
 * stored normalised, with exponents counted from the least. Five bits count 31 of them, to 6; where
 * a number is 128 or more, halves stay as they are, denormal ones slow but right.
 *
 * @param factor what the float from the bits is multiplied with; a power of two
 */
record Halves(float factor) {

  /** How far a half's bits are shifted. */
  static final int SHIFT = 13;

  /** Where they then are; between are copies of the sign. */
  static final int BITS = 0x8fffe000;

  /** Halves as they are: exponents biased by 15, where floats' are by 127. */
  static final Halves PLAIN = new Halves(0x1p112f);

  private static final int LEAST_EXPONENT = -24;

  /**
   * Looks how a matrix's halves are best stored.
   *
   * @param source little-endian halves
   * @throws ArithmeticException if one is not finite
   */
  static Halves of(MemorySegment source, ComputePool pool) {
    long count = source.byteSize() / 2;
    int unit = 1 << 16;
    var greatest = new AtomicInteger(LEAST_EXPONENT);
    pool.run(
        Math.toIntExact(Math.ceilDiv(count, unit)),
        (_, index) -> {
          long first = (long) index * unit;
          int magnitude = 0;
          for (long i = first; i < Math.min(first + unit, count); i++) {
            magnitude = Math.max(magnitude, source.get(PackedMatrix.SHORT, 2 * i) & 0x7fff);
          }
          int exponent = Math.getExponent(Float.float16ToFloat(requireFinite((short) magnitude)));
          greatest.accumulateAndGet(exponent, Math::max);
        });
    // The least exponent gets the code 1.
    int exponents = greatest.get() - LEAST_EXPONENT + 1;
    return exponents < 32
        ? new Halves((float) StrictMath.scalb(1.0, 127 + LEAST_EXPONENT - 1))
        : PLAIN;
  }

  /**
   * Returns a half, as it is in a file.
   *
   * @throws ArithmeticException if it is not finite: the vectors' conversion knows no infinity, and
   *     no sound model holds one
   */
  static short requireFinite(short half) {
    if ((half & 0x7c00) == 0x7c00) {
      throw new ArithmeticException("a half-precision number that is not finite");
    }
    return half;
  }

  /** Returns how a half is stored. */
  short encode(short half) {
    if (equals(PLAIN) || (half & 0x7fff) == 0) {
      return half;
    }
    int bits = Float.floatToRawIntBits(Float.float16ToFloat(half) / factor);
    return (short) (((bits >>> 16) & 0x8000) | ((bits >>> SHIFT) & 0x7fff));
  }

  /** Returns the number that is stored so. */
  float decode(short stored) {
    return Float.intBitsToFloat((stored << SHIFT) & BITS) * factor;
  }
}
