package dev.sojourn.engine.kernel;

import static dev.sojourn.engine.kernel.PackedMatrix.HALF;
import static dev.sojourn.engine.kernel.PackedMatrix.PANEL;
import static dev.sojourn.engine.kernel.Vectors.B;
import static dev.sojourn.engine.kernel.Vectors.F;
import static dev.sojourn.engine.kernel.Vectors.I;
import static dev.sojourn.engine.kernel.Vectors.L;
import static dev.sojourn.engine.kernel.Vectors.S;
import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.VectorOperators.B2F;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.S2I;
import static jdk.incubator.vector.VectorOperators.ZERO_EXTEND_B2I;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;

/**
 * Unpacks columns of a panel into a tile of floats, as {@link PackedMatrix#weight} defines them.
 *
 * <p>Quantised types take a pass for the rows from each {@code o} on, with those 16 further: at 512
 * bits one pass for all 32 rows. Loops are flat, over all columns: a loop of 32 columns costs C2's
 * checks of bounds anew each time, as much as its work.
 */
final class VectorUnpack {

  private VectorUnpack() {}

  /**
   * Unpacks {@code n} columns from {@code column} on, both whole blocks of the type, to the tile.
   */
  static void unpack(PackedMatrix w, int panel, int column, int n, ProductScratch scratch) {
    MemorySegment m = w.data();
    float[] tile = scratch.floats;
    long at = w.column(panel, column);
    switch (w.type()) {
      case F32 ->
          MemorySegment.copy(m, PackedMatrix.FLOAT, at, tile, ProductScratch.TILE, n * PANEL);
      case F16 -> shorts(m, at, n * PANEL, Halves.SHIFT, Halves.BITS, w.halves().factor(), tile);
      case BF16 -> shorts(m, at, n * PANEL, 16, -1, 1, tile);
      case Q8_0 -> {
        halves(m, w.scales(panel, column), n / 32 * PANEL, scratch, 0);
        for (int o = 0; o < HALF; o += L) {
          q8(m, at, o, n, scratch.scales, tile);
        }
      }
      default -> {
        VectorScales.expand(w, panel, column, n, scratch, 0);
        int shift = Integer.numberOfTrailingZeros(w.type().subBlock);
        for (int o = 0; o < HALF; o += L) {
          if (w.type().upperBits() == 0) {
            four(m, at, o, n, shift, scratch.scales, tile);
          } else {
            more(m, at, w.upper(panel, column), w.type().bits, o, n, shift, scratch.scales, tile);
          }
        }
      }
    }
  }

  /**
   * Converts {@code n} halves to floats at {@code to} of the scratch's scales. A plain loop over
   * what is on the heap: C2 makes the machine's conversion of it, which takes denormal halves as
   * any other.
   */
  static void halves(MemorySegment m, long at, int n, ProductScratch scratch, int to) {
    short[] halves = scratch.halves;
    float[] scales = scratch.scales;
    MemorySegment.copy(m, PackedMatrix.SHORT, at, halves, 0, n);
    for (int i = 0; i < n; i++) {
      scales[to + i] = Float.float16ToFloat(halves[i]);
    }
  }

  /** Converts {@code n} shorts to floats: shifted, masked, and multiplied. */
  private static void shorts(
      MemorySegment m, long at, int n, int shift, int bits, float factor, float[] tile) {
    for (int i = 0; i < n; i += L) {
      ShortVector shorts = ShortVector.fromMemorySegment(S, m, at + 2L * i, LITTLE_ENDIAN);
      IntVector ints = ((IntVector) shorts.convertShape(S2I, I, 0)).lanewise(LSHL, shift);
      ints.and(bits).reinterpretAsFloats().mul(factor).intoArray(tile, ProductScratch.TILE + i);
    }
  }

  private static void q8(MemorySegment m, long quants, int o, int n, float[] scales, float[] tile) {
    long bytes = quants + o - o % B.length();
    int part = Vectors.part(o);
    for (int k = 0; k < n; k++) {
      long row = bytes + k * (long) PANEL;
      int scale = k / 32 * PANEL + o;
      int out = ProductScratch.TILE + k * PANEL + o;
      ByteVector lows = ByteVector.fromMemorySegment(B, m, row, LITTLE_ENDIAN);
      ByteVector highs = ByteVector.fromMemorySegment(B, m, row + HALF, LITTLE_ENDIAN);
      ((FloatVector) lows.convertShape(B2F, F, part))
          .mul(FloatVector.fromArray(F, scales, scale))
          .intoArray(tile, out);
      ((FloatVector) highs.convertShape(B2F, F, part))
          .mul(FloatVector.fromArray(F, scales, scale + HALF))
          .intoArray(tile, out + HALF);
    }
  }

  /**
   * Quants of four bits: four columns at a time, which share their scales. {@code shift} makes of a
   * column its sub-block.
   */
  private static void four(
      MemorySegment m, long quants, int o, int n, int shift, float[] scales, float[] tile) {
    long bytes = quants + o - o % B.length();
    int part = Vectors.part(o);
    for (int k = 0; k < n; k += 4) {
      long row = bytes + k * (long) HALF;
      int pair = (k >> shift) * VectorScales.PAIR + o;
      int out = ProductScratch.TILE + k * PANEL + o;
      FloatVector lowScale = FloatVector.fromArray(F, scales, pair);
      FloatVector highScale = FloatVector.fromArray(F, scales, pair + HALF);
      FloatVector lowOffset = FloatVector.fromArray(F, scales, pair + PANEL);
      FloatVector highOffset = FloatVector.fromArray(F, scales, pair + PANEL + HALF);
      ByteVector pairs = ByteVector.fromMemorySegment(B, m, row, LITTLE_ENDIAN);
      IntVector both = (IntVector) pairs.convertShape(ZERO_EXTEND_B2I, I, part);
      IntVector lows = both.and(15);
      IntVector highs = both.lanewise(LSHR, 4);
      ((FloatVector) lows.convertShape(I2F, F, 0)).fma(lowScale, lowOffset).intoArray(tile, out);
      ((FloatVector) highs.convertShape(I2F, F, 0))
          .fma(highScale, highOffset)
          .intoArray(tile, out + HALF);
      pairs = ByteVector.fromMemorySegment(B, m, row + HALF, LITTLE_ENDIAN);
      both = (IntVector) pairs.convertShape(ZERO_EXTEND_B2I, I, part);
      lows = both.and(15);
      highs = both.lanewise(LSHR, 4);
      ((FloatVector) lows.convertShape(I2F, F, 0))
          .fma(lowScale, lowOffset)
          .intoArray(tile, out + PANEL);
      ((FloatVector) highs.convertShape(I2F, F, 0))
          .fma(highScale, highOffset)
          .intoArray(tile, out + PANEL + HALF);
      pairs = ByteVector.fromMemorySegment(B, m, row + 2 * HALF, LITTLE_ENDIAN);
      both = (IntVector) pairs.convertShape(ZERO_EXTEND_B2I, I, part);
      lows = both.and(15);
      highs = both.lanewise(LSHR, 4);
      ((FloatVector) lows.convertShape(I2F, F, 0))
          .fma(lowScale, lowOffset)
          .intoArray(tile, out + 2 * PANEL);
      ((FloatVector) highs.convertShape(I2F, F, 0))
          .fma(highScale, highOffset)
          .intoArray(tile, out + 2 * PANEL + HALF);
      pairs = ByteVector.fromMemorySegment(B, m, row + 3 * HALF, LITTLE_ENDIAN);
      both = (IntVector) pairs.convertShape(ZERO_EXTEND_B2I, I, part);
      lows = both.and(15);
      highs = both.lanewise(LSHR, 4);
      ((FloatVector) lows.convertShape(I2F, F, 0))
          .fma(lowScale, lowOffset)
          .intoArray(tile, out + 3 * PANEL);
      ((FloatVector) highs.convertShape(I2F, F, 0))
          .fma(highScale, highOffset)
          .intoArray(tile, out + 3 * PANEL + HALF);
    }
  }

  /**
   * Quants of five or six bits: the same, with upper bits above the lower four. Both rows' upper
   * bits are first brought to bit 4, those of five bits from one byte and those of six from two;
   * then, from column to column, a bit or two further.
   */
  private static void more(
      MemorySegment m,
      long quants,
      long upper,
      int bits,
      int o,
      int n,
      int shift,
      float[] scales,
      float[] tile) {
    long bytes = quants + o - o % B.length();
    long lowBytes = upper + o - o % B.length();
    long highBytes = lowBytes + (bits == 5 ? 0 : HALF);
    long stride = bits == 5 ? HALF : PANEL;
    int part = Vectors.part(o);
    IntVector highShift = IntVector.broadcast(I, bits == 5 ? 0 : 4);
    IntVector step = IntVector.broadcast(I, bits - 4);
    IntVector mask = IntVector.broadcast(I, bits == 5 ? 16 : 48);
    for (int k = 0; k < n; k += 4) {
      long row = bytes + k * (long) HALF;
      long up = (k >> 2) * stride;
      int pair = (k >> shift) * VectorScales.PAIR + o;
      int out = ProductScratch.TILE + k * PANEL + o;
      FloatVector lowScale = FloatVector.fromArray(F, scales, pair);
      FloatVector highScale = FloatVector.fromArray(F, scales, pair + HALF);
      FloatVector lowOffset = FloatVector.fromArray(F, scales, pair + PANEL);
      FloatVector highOffset = FloatVector.fromArray(F, scales, pair + PANEL + HALF);
      ByteVector lowUpper = ByteVector.fromMemorySegment(B, m, lowBytes + up, LITTLE_ENDIAN);
      ByteVector highUpper = ByteVector.fromMemorySegment(B, m, highBytes + up, LITTLE_ENDIAN);
      IntVector low = (IntVector) lowUpper.convertShape(ZERO_EXTEND_B2I, I, part);
      IntVector high = (IntVector) highUpper.convertShape(ZERO_EXTEND_B2I, I, part);
      low = low.lanewise(LSHL, 4);
      high = high.lanewise(LSHL, highShift);
      ByteVector pairs = ByteVector.fromMemorySegment(B, m, row, LITTLE_ENDIAN);
      IntVector both = (IntVector) pairs.convertShape(ZERO_EXTEND_B2I, I, part);
      IntVector lows = both.and(15).or(low.and(mask));
      IntVector highs = both.lanewise(LSHR, 4).or(high.and(mask));
      ((FloatVector) lows.convertShape(I2F, F, 0)).fma(lowScale, lowOffset).intoArray(tile, out);
      ((FloatVector) highs.convertShape(I2F, F, 0))
          .fma(highScale, highOffset)
          .intoArray(tile, out + HALF);
      low = low.lanewise(LSHR, step);
      high = high.lanewise(LSHR, step);
      pairs = ByteVector.fromMemorySegment(B, m, row + HALF, LITTLE_ENDIAN);
      both = (IntVector) pairs.convertShape(ZERO_EXTEND_B2I, I, part);
      lows = both.and(15).or(low.and(mask));
      highs = both.lanewise(LSHR, 4).or(high.and(mask));
      ((FloatVector) lows.convertShape(I2F, F, 0))
          .fma(lowScale, lowOffset)
          .intoArray(tile, out + PANEL);
      ((FloatVector) highs.convertShape(I2F, F, 0))
          .fma(highScale, highOffset)
          .intoArray(tile, out + PANEL + HALF);
      low = low.lanewise(LSHR, step);
      high = high.lanewise(LSHR, step);
      pairs = ByteVector.fromMemorySegment(B, m, row + 2 * HALF, LITTLE_ENDIAN);
      both = (IntVector) pairs.convertShape(ZERO_EXTEND_B2I, I, part);
      lows = both.and(15).or(low.and(mask));
      highs = both.lanewise(LSHR, 4).or(high.and(mask));
      ((FloatVector) lows.convertShape(I2F, F, 0))
          .fma(lowScale, lowOffset)
          .intoArray(tile, out + 2 * PANEL);
      ((FloatVector) highs.convertShape(I2F, F, 0))
          .fma(highScale, highOffset)
          .intoArray(tile, out + 2 * PANEL + HALF);
      low = low.lanewise(LSHR, step);
      high = high.lanewise(LSHR, step);
      pairs = ByteVector.fromMemorySegment(B, m, row + 3 * HALF, LITTLE_ENDIAN);
      both = (IntVector) pairs.convertShape(ZERO_EXTEND_B2I, I, part);
      lows = both.and(15).or(low.and(mask));
      highs = both.lanewise(LSHR, 4).or(high.and(mask));
      ((FloatVector) lows.convertShape(I2F, F, 0))
          .fma(lowScale, lowOffset)
          .intoArray(tile, out + 3 * PANEL);
      ((FloatVector) highs.convertShape(I2F, F, 0))
          .fma(highScale, highOffset)
          .intoArray(tile, out + 3 * PANEL + HALF);
    }
  }
}
