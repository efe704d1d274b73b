package dev.sojourn.engine.kernel;

import static dev.sojourn.engine.kernel.PackedMatrix.HALF;
import static dev.sojourn.engine.kernel.PackedMatrix.PANEL;
import static dev.sojourn.engine.kernel.Vectors.B;
import static dev.sojourn.engine.kernel.Vectors.F;
import static dev.sojourn.engine.kernel.Vectors.I;
import static dev.sojourn.engine.kernel.Vectors.L;
import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.ZERO_EXTEND_B2I;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/**
 * Products of a panel of quants of four to six bits with one token. The weights are unpacked in
 * registers, work enough to hide the latency of an FMA, so one panel is taken at a time; and four
 * columns, which share scales and, of five and six bits, the bytes of their upper bits.
 */
final class OneTokenQuants {

  private OneTokenQuants() {}

  /** Adds the panel's products to {@code out}. */
  static void multiply(PackedMatrix w, int panel, float[] x, float[] out, ProductScratch scratch) {
    for (int first = 0; first < w.columns(); first += ProductScratch.SCALED_COLUMNS) {
      int n = Math.min(ProductScratch.SCALED_COLUMNS, w.columns() - first);
      VectorScales.expand(w, panel, first, n, scratch);
      long quants = w.column(panel, first);
      int to = panel * PANEL;
      for (int o = 0; o < HALF; o += L) {
        if (w.type().upperBits() == 0) {
          four(w.data(), quants, o, first, n, scratch.scales, x, out, to + o);
        } else {
          long upper = w.upper(panel, first);
          int bits = w.type().bits;
          int shift = Integer.numberOfTrailingZeros(w.type().subBlock);
          more(w.data(), quants, upper, bits, o, first, n, shift, scratch.scales, x, out, to + o);
        }
      }
    }
  }

  private static void four(
      MemorySegment m,
      long quants,
      int o,
      int first,
      int n,
      float[] scales,
      float[] x,
      float[] out,
      int to) {
    FloatVector a = FloatVector.fromArray(F, out, to);
    FloatVector b = FloatVector.fromArray(F, out, to + HALF);
    long bytes = quants + o - o % B.length();
    int part = Vectors.part(o);
    for (int k = 0; k < n; k += 4) {
      long row = bytes + k * (long) HALF;
      int pair = (k >> 5) * VectorScales.PAIR + o;
      FloatVector lowScale = FloatVector.fromArray(F, scales, pair);
      FloatVector highScale = FloatVector.fromArray(F, scales, pair + HALF);
      FloatVector lowOffset = FloatVector.fromArray(F, scales, pair + PANEL);
      FloatVector highOffset = FloatVector.fromArray(F, scales, pair + PANEL + HALF);
      ByteVector pairs = ByteVector.fromMemorySegment(B, m, row, LITTLE_ENDIAN);
      IntVector both = (IntVector) pairs.convertShape(ZERO_EXTEND_B2I, I, part);
      IntVector lows = both.and(15);
      IntVector highs = both.lanewise(LSHR, 4);
      FloatVector factor = FloatVector.broadcast(F, x[first + k]);
      a = ((FloatVector) lows.convertShape(I2F, F, 0)).fma(lowScale, lowOffset).fma(factor, a);
      b = ((FloatVector) highs.convertShape(I2F, F, 0)).fma(highScale, highOffset).fma(factor, b);
      pairs = ByteVector.fromMemorySegment(B, m, row + HALF, LITTLE_ENDIAN);
      both = (IntVector) pairs.convertShape(ZERO_EXTEND_B2I, I, part);
      lows = both.and(15);
      highs = both.lanewise(LSHR, 4);
      factor = FloatVector.broadcast(F, x[first + k + 1]);
      a = ((FloatVector) lows.convertShape(I2F, F, 0)).fma(lowScale, lowOffset).fma(factor, a);
      b = ((FloatVector) highs.convertShape(I2F, F, 0)).fma(highScale, highOffset).fma(factor, b);
      pairs = ByteVector.fromMemorySegment(B, m, row + 2 * HALF, LITTLE_ENDIAN);
      both = (IntVector) pairs.convertShape(ZERO_EXTEND_B2I, I, part);
      lows = both.and(15);
      highs = both.lanewise(LSHR, 4);
      factor = FloatVector.broadcast(F, x[first + k + 2]);
      a = ((FloatVector) lows.convertShape(I2F, F, 0)).fma(lowScale, lowOffset).fma(factor, a);
      b = ((FloatVector) highs.convertShape(I2F, F, 0)).fma(highScale, highOffset).fma(factor, b);
      pairs = ByteVector.fromMemorySegment(B, m, row + 3 * HALF, LITTLE_ENDIAN);
      both = (IntVector) pairs.convertShape(ZERO_EXTEND_B2I, I, part);
      lows = both.and(15);
      highs = both.lanewise(LSHR, 4);
      factor = FloatVector.broadcast(F, x[first + k + 3]);
      a = ((FloatVector) lows.convertShape(I2F, F, 0)).fma(lowScale, lowOffset).fma(factor, a);
      b = ((FloatVector) highs.convertShape(I2F, F, 0)).fma(highScale, highOffset).fma(factor, b);
    }
    a.intoArray(out, to);
    b.intoArray(out, to + HALF);
  }

  /** The same with upper bits, which {@link VectorUnpack#more} explains. */
  private static void more(
      MemorySegment m,
      long quants,
      long upper,
      int bits,
      int o,
      int first,
      int n,
      int shift,
      float[] scales,
      float[] x,
      float[] out,
      int to) {
    FloatVector a = FloatVector.fromArray(F, out, to);
    FloatVector b = FloatVector.fromArray(F, out, to + HALF);
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
      FloatVector factor = FloatVector.broadcast(F, x[first + k]);
      a = ((FloatVector) lows.convertShape(I2F, F, 0)).fma(lowScale, lowOffset).fma(factor, a);
      b = ((FloatVector) highs.convertShape(I2F, F, 0)).fma(highScale, highOffset).fma(factor, b);
      low = low.lanewise(LSHR, step);
      high = high.lanewise(LSHR, step);
      pairs = ByteVector.fromMemorySegment(B, m, row + HALF, LITTLE_ENDIAN);
      both = (IntVector) pairs.convertShape(ZERO_EXTEND_B2I, I, part);
      lows = both.and(15).or(low.and(mask));
      highs = both.lanewise(LSHR, 4).or(high.and(mask));
      factor = FloatVector.broadcast(F, x[first + k + 1]);
      a = ((FloatVector) lows.convertShape(I2F, F, 0)).fma(lowScale, lowOffset).fma(factor, a);
      b = ((FloatVector) highs.convertShape(I2F, F, 0)).fma(highScale, highOffset).fma(factor, b);
      low = low.lanewise(LSHR, step);
      high = high.lanewise(LSHR, step);
      pairs = ByteVector.fromMemorySegment(B, m, row + 2 * HALF, LITTLE_ENDIAN);
      both = (IntVector) pairs.convertShape(ZERO_EXTEND_B2I, I, part);
      lows = both.and(15).or(low.and(mask));
      highs = both.lanewise(LSHR, 4).or(high.and(mask));
      factor = FloatVector.broadcast(F, x[first + k + 2]);
      a = ((FloatVector) lows.convertShape(I2F, F, 0)).fma(lowScale, lowOffset).fma(factor, a);
      b = ((FloatVector) highs.convertShape(I2F, F, 0)).fma(highScale, highOffset).fma(factor, b);
      low = low.lanewise(LSHR, step);
      high = high.lanewise(LSHR, step);
      pairs = ByteVector.fromMemorySegment(B, m, row + 3 * HALF, LITTLE_ENDIAN);
      both = (IntVector) pairs.convertShape(ZERO_EXTEND_B2I, I, part);
      lows = both.and(15).or(low.and(mask));
      highs = both.lanewise(LSHR, 4).or(high.and(mask));
      factor = FloatVector.broadcast(F, x[first + k + 3]);
      a = ((FloatVector) lows.convertShape(I2F, F, 0)).fma(lowScale, lowOffset).fma(factor, a);
      b = ((FloatVector) highs.convertShape(I2F, F, 0)).fma(highScale, highOffset).fma(factor, b);
    }
    a.intoArray(out, to);
    b.intoArray(out, to + HALF);
  }
}
