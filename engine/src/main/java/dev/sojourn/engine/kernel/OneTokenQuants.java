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
import java.util.Arrays;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/**
 * Products of quants of four to six bits with one token. The weights are unpacked in registers, and
 * four columns taken together, which share scales and, of five and six bits, the bytes of their
 * upper bits. Of those one panel is taken at a time: unpacking is work enough to hide the latency
 * of an FMA. Of four bits two are, which memory serves side by side.
 */
final class OneTokenQuants {

  /** From one panel's scales to the next one's, where two are taken of sub-blocks of 32. */
  private static final int SCALES = ProductScratch.SCALED_COLUMNS / 32 * VectorScales.PAIR;

  private OneTokenQuants() {}

  static void multiply(
      PackedMatrix w, int firstPanel, int panels, float[] x, float[] out, ProductScratch scratch) {
    if (w.type().upperBits() == 0) {
      for (int i = 0; i < panels; i += 2) {
        int count = Math.min(2, panels - i);
        multiply(w, firstPanel + i, firstPanel + i + count - 1, x, scratch);
        System.arraycopy(scratch.sums, 0, out, (firstPanel + i) * PANEL, count * PANEL);
      }
    } else {
      Arrays.fill(out, firstPanel * PANEL, (firstPanel + panels) * PANEL, 0);
      for (int panel = firstPanel; panel < firstPanel + panels; panel++) {
        multiply(w, panel, x, out, scratch);
      }
    }
  }

  /** Of one panel, which is its own second, the second sums are nobody's. */
  private static void multiply(
      PackedMatrix w, int panel, int second, float[] x, ProductScratch scratch) {
    float[] sums = scratch.sums;
    Arrays.fill(sums, 0, 2 * PANEL, 0);
    for (int first = 0; first < w.columns(); first += ProductScratch.SCALED_COLUMNS) {
      int n = Math.min(ProductScratch.SCALED_COLUMNS, w.columns() - first);
      VectorScales.expand(w, panel, first, n, scratch, 0);
      VectorScales.expand(w, second, first, n, scratch, SCALES);
      long quants = w.column(panel, first);
      long toSecond = w.column(second, first) - quants;
      for (int o = 0; o < HALF; o += L) {
        four(w.data(), quants, toSecond, o, first, n, scratch.scales, x, sums);
      }
    }
  }

  /** Adds the panel's products to {@code out}. */
  private static void multiply(
      PackedMatrix w, int panel, float[] x, float[] out, ProductScratch scratch) {
    for (int first = 0; first < w.columns(); first += ProductScratch.SCALED_COLUMNS) {
      int n = Math.min(ProductScratch.SCALED_COLUMNS, w.columns() - first);
      VectorScales.expand(w, panel, first, n, scratch, 0);
      long quants = w.column(panel, first);
      long upper = w.upper(panel, first);
      int bits = w.type().bits;
      int shift = Integer.numberOfTrailingZeros(w.type().subBlock);
      int to = panel * PANEL;
      for (int o = 0; o < HALF; o += L) {
        more(w.data(), quants, upper, bits, o, first, n, shift, scratch.scales, x, out, to + o);
      }
    }
  }

  private static void four(
      MemorySegment m,
      long quants,
      long toSecond,
      int o,
      int first,
      int n,
      float[] scales,
      float[] x,
      float[] sums) {
    FloatVector a0 = FloatVector.fromArray(F, sums, o);
    FloatVector b0 = FloatVector.fromArray(F, sums, o + HALF);
    FloatVector a1 = FloatVector.fromArray(F, sums, o + PANEL);
    FloatVector b1 = FloatVector.fromArray(F, sums, o + PANEL + HALF);
    long bytes = quants + o - o % B.length();
    int part = Vectors.part(o);
    for (int k = 0; k < n; k += 4) {
      long row = bytes + k * (long) HALF;
      int pair = (k >> 5) * VectorScales.PAIR + o;
      FloatVector scaleA0 = FloatVector.fromArray(F, scales, pair);
      FloatVector scaleB0 = FloatVector.fromArray(F, scales, pair + HALF);
      FloatVector offsetA0 = FloatVector.fromArray(F, scales, pair + PANEL);
      FloatVector offsetB0 = FloatVector.fromArray(F, scales, pair + PANEL + HALF);
      FloatVector scaleA1 = FloatVector.fromArray(F, scales, SCALES + pair);
      FloatVector scaleB1 = FloatVector.fromArray(F, scales, SCALES + pair + HALF);
      FloatVector offsetA1 = FloatVector.fromArray(F, scales, SCALES + pair + PANEL);
      FloatVector offsetB1 = FloatVector.fromArray(F, scales, SCALES + pair + PANEL + HALF);
      FloatVector factor = FloatVector.broadcast(F, x[first + k]);
      ByteVector pairs = ByteVector.fromMemorySegment(B, m, row, LITTLE_ENDIAN);
      IntVector both = (IntVector) pairs.convertShape(ZERO_EXTEND_B2I, I, part);
      IntVector lows = both.and(15);
      IntVector highs = both.lanewise(LSHR, 4);
      a0 = ((FloatVector) lows.convertShape(I2F, F, 0)).fma(scaleA0, offsetA0).fma(factor, a0);
      b0 = ((FloatVector) highs.convertShape(I2F, F, 0)).fma(scaleB0, offsetB0).fma(factor, b0);
      pairs = ByteVector.fromMemorySegment(B, m, row + toSecond, LITTLE_ENDIAN);
      both = (IntVector) pairs.convertShape(ZERO_EXTEND_B2I, I, part);
      lows = both.and(15);
      highs = both.lanewise(LSHR, 4);
      a1 = ((FloatVector) lows.convertShape(I2F, F, 0)).fma(scaleA1, offsetA1).fma(factor, a1);
      b1 = ((FloatVector) highs.convertShape(I2F, F, 0)).fma(scaleB1, offsetB1).fma(factor, b1);
      factor = FloatVector.broadcast(F, x[first + k + 1]);
      pairs = ByteVector.fromMemorySegment(B, m, row + HALF, LITTLE_ENDIAN);
      both = (IntVector) pairs.convertShape(ZERO_EXTEND_B2I, I, part);
      lows = both.and(15);
      highs = both.lanewise(LSHR, 4);
      a0 = ((FloatVector) lows.convertShape(I2F, F, 0)).fma(scaleA0, offsetA0).fma(factor, a0);
      b0 = ((FloatVector) highs.convertShape(I2F, F, 0)).fma(scaleB0, offsetB0).fma(factor, b0);
      pairs = ByteVector.fromMemorySegment(B, m, row + toSecond + HALF, LITTLE_ENDIAN);
      both = (IntVector) pairs.convertShape(ZERO_EXTEND_B2I, I, part);
      lows = both.and(15);
      highs = both.lanewise(LSHR, 4);
      a1 = ((FloatVector) lows.convertShape(I2F, F, 0)).fma(scaleA1, offsetA1).fma(factor, a1);
      b1 = ((FloatVector) highs.convertShape(I2F, F, 0)).fma(scaleB1, offsetB1).fma(factor, b1);
      factor = FloatVector.broadcast(F, x[first + k + 2]);
      pairs = ByteVector.fromMemorySegment(B, m, row + 2 * HALF, LITTLE_ENDIAN);
      both = (IntVector) pairs.convertShape(ZERO_EXTEND_B2I, I, part);
      lows = both.and(15);
      highs = both.lanewise(LSHR, 4);
      a0 = ((FloatVector) lows.convertShape(I2F, F, 0)).fma(scaleA0, offsetA0).fma(factor, a0);
      b0 = ((FloatVector) highs.convertShape(I2F, F, 0)).fma(scaleB0, offsetB0).fma(factor, b0);
      pairs = ByteVector.fromMemorySegment(B, m, row + toSecond + 2 * HALF, LITTLE_ENDIAN);
      both = (IntVector) pairs.convertShape(ZERO_EXTEND_B2I, I, part);
      lows = both.and(15);
      highs = both.lanewise(LSHR, 4);
      a1 = ((FloatVector) lows.convertShape(I2F, F, 0)).fma(scaleA1, offsetA1).fma(factor, a1);
      b1 = ((FloatVector) highs.convertShape(I2F, F, 0)).fma(scaleB1, offsetB1).fma(factor, b1);
      factor = FloatVector.broadcast(F, x[first + k + 3]);
      pairs = ByteVector.fromMemorySegment(B, m, row + 3 * HALF, LITTLE_ENDIAN);
      both = (IntVector) pairs.convertShape(ZERO_EXTEND_B2I, I, part);
      lows = both.and(15);
      highs = both.lanewise(LSHR, 4);
      a0 = ((FloatVector) lows.convertShape(I2F, F, 0)).fma(scaleA0, offsetA0).fma(factor, a0);
      b0 = ((FloatVector) highs.convertShape(I2F, F, 0)).fma(scaleB0, offsetB0).fma(factor, b0);
      pairs = ByteVector.fromMemorySegment(B, m, row + toSecond + 3 * HALF, LITTLE_ENDIAN);
      both = (IntVector) pairs.convertShape(ZERO_EXTEND_B2I, I, part);
      lows = both.and(15);
      highs = both.lanewise(LSHR, 4);
      a1 = ((FloatVector) lows.convertShape(I2F, F, 0)).fma(scaleA1, offsetA1).fma(factor, a1);
      b1 = ((FloatVector) highs.convertShape(I2F, F, 0)).fma(scaleB1, offsetB1).fma(factor, b1);
    }
    a0.intoArray(sums, o);
    b0.intoArray(sums, o + HALF);
    a1.intoArray(sums, o + PANEL);
    b1.intoArray(sums, o + PANEL + HALF);
  }

  /** Of one panel, with upper bits, which {@link VectorUnpack#more} explains. */
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
