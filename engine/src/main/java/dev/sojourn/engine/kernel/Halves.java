package dev.sojourn.engine.kernel;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicBoolean;

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

  /** A half's exponent, which is biased by 15; 0 for denormal ones. */
  private static final int EXPONENT = 0x7c00;

  /** 128: the least half whose exponent 31 codes do not reach. */
  private static final int TOO_LARGE = 0x5800;

  /** Times a number of 16 bits: the number four times. */
  private static final long FOUR = 0x0001000100010001L;

  private static final long SIGNS = FOUR << 15;

  /** What the exponents of other halves grow by when they are counted from the least. */
  private static final int REBIASED = (-LEAST_EXPONENT + 1 - 15) << 10;

  /** Exponents counted from the least, which gets the code 1. */
  static final Halves NORMALISED =
      new Halves((float) StrictMath.scalb(1.0, 127 + LEAST_EXPONENT - 1));

  /**
   * Looks how a matrix's halves are best stored.
   *
   * @param source little-endian halves
   * @throws ArithmeticException if one is not finite: what is stored has no code for it
   */
  static Halves of(MemorySegment source, ComputePool pool) {
    int unit = 1 << 16; // bytes
    long[][] parts = new long[pool.threads()][unit / Long.BYTES];
    var large = new AtomicBoolean();
    pool.run(
        Math.toIntExact(Math.ceilDiv(source.byteSize(), unit)),
        (worker, index) -> {
          long first = (long) index * unit;
          long bytes = Math.min(unit, source.byteSize() - first);
          long[] part = parts[worker];
          Arrays.fill(part, (int) (bytes / Long.BYTES), part.length, 0);
          MemorySegment.copy(source, first, MemorySegment.ofArray(part), 0, bytes);
          // Four halves at a time: what is added carries into a half's sign if it is too large.
          long infinite = 0;
          long tooLarge = 0;
          for (long halves : part) {
            long magnitudes = halves & ~SIGNS;
            infinite |= magnitudes + FOUR * (0x8000 - EXPONENT);
            tooLarge |= magnitudes + FOUR * (0x8000 - TOO_LARGE);
          }
          if ((infinite & SIGNS) != 0) {
            throw notFinite();
          }
          if ((tooLarge & SIGNS) != 0) {
            large.set(true);
          }
        });
    return large.get() ? PLAIN : NORMALISED;
  }

  /**
   * Returns a half, as it is in a file.
   *
   * @throws ArithmeticException if it is not finite: no sound model holds one
   */
  static short requireFinite(short half) {
    if ((half & EXPONENT) == EXPONENT) {
      throw notFinite();
    }
    return half;
  }

  private static ArithmeticException notFinite() {
    return new ArithmeticException("a half-precision number that is not finite");
  }

  /** Returns how a half is stored. */
  short encode(short half) {
    if (factor == PLAIN.factor) {
      return half;
    }
    if ((half & EXPONENT) != 0) {
      return (short) (half + REBIASED);
    }
    int bits = Float.floatToRawIntBits(Float.float16ToFloat(half) / factor);
    return (short) (((bits >>> 16) & 0x8000) | ((bits >>> SHIFT) & 0x7fff));
  }

  /** Returns the number that is stored so. */
  float decode(short stored) {
    return Float.intBitsToFloat((stored << SHIFT) & BITS) * factor;
  }
}
