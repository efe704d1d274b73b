package dev.sojourn.engine.kernel;

import static dev.sojourn.engine.kernel.Kernels.GROUP;
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
 * Products of a run of panels of quants of four to six bits with up to four tokens: {@link
 * OneTokenQuants} with four times the sums. Activations are indexed by column times a constant from
 * where they begin, which C2 needs to see to check bounds before the loop and not in it.
 */
final class FewTokensQuants {

  private static final int TOKENS = 4;
  private static final int COLUMNS = WeightType.UPPER_COLUMNS;

  private FewTokensQuants() {}

  static void multiply(
      PackedMatrix w,
      int firstPanel,
      int panels,
      float[] x,
      int tokens,
      float[] out,
      int stride,
      ProductScratch scratch) {
    float[] sums = scratch.sums;
    for (int panel = firstPanel; panel < firstPanel + panels; panel++) {
      Arrays.fill(sums, 0, TOKENS * PANEL, 0);
      for (int first = 0; first < w.columns(); first += ProductScratch.SCALED_COLUMNS) {
        int n = Math.min(ProductScratch.SCALED_COLUMNS, w.columns() - first);
        VectorScales.expand(w, panel, first, n, scratch, 0);
        for (int o = 0; o < HALF; o += L) {
          add(w, panel, first, n, x, sums, o, scratch.scales);
        }
      }
      for (int t = 0; t < tokens; t++) {
        System.arraycopy(sums, t * PANEL, out, t * stride + panel * PANEL, PANEL);
      }
    }
  }

  private static void add(
      PackedMatrix w, int panel, int first, int n, float[] x, float[] sums, int o, float[] scales) {
    long quants = w.column(panel, first);
    int start = first * GROUP;
    int shift = Integer.numberOfTrailingZeros(w.type().subBlock);
    if (w.type().upperBits() == 0) {
      four(w.data(), quants, o, n, shift, scales, x, start, sums);
    } else {
      long upper = w.upper(panel, first);
      more(w.data(), quants, upper, w.type().bits, o, n, shift, scales, x, start, sums);
    }
  }

  private static void four(
      MemorySegment m,
      long quants,
      int o,
      int n,
      int shift,
      float[] scales,
      float[] x,
      int start,
      float[] sums) {
    FloatVector a0 = FloatVector.fromArray(F, sums, o);
    FloatVector a1 = FloatVector.fromArray(F, sums, o + PANEL);
    FloatVector a2 = FloatVector.fromArray(F, sums, o + 2 * PANEL);
    FloatVector a3 = FloatVector.fromArray(F, sums, o + 3 * PANEL);
    FloatVector b0 = FloatVector.fromArray(F, sums, o + HALF);
    FloatVector b1 = FloatVector.fromArray(F, sums, o + PANEL + HALF);
    FloatVector b2 = FloatVector.fromArray(F, sums, o + 2 * PANEL + HALF);
    FloatVector b3 = FloatVector.fromArray(F, sums, o + 3 * PANEL + HALF);
    long bytes = quants + o - o % B.length();
    int part = Vectors.part(o);
    for (int k = 0; k < n; k++) {
      int pair = (k >> shift) * VectorScales.PAIR + o;
      FloatVector lowScale = FloatVector.fromArray(F, scales, pair);
      FloatVector highScale = FloatVector.fromArray(F, scales, pair + HALF);
      FloatVector lowOffset = FloatVector.fromArray(F, scales, pair + PANEL);
      FloatVector highOffset = FloatVector.fromArray(F, scales, pair + PANEL + HALF);
      long row = bytes + k * (long) HALF;
      ByteVector pairs = ByteVector.fromMemorySegment(B, m, row, LITTLE_ENDIAN);
      IntVector both = (IntVector) pairs.convertShape(ZERO_EXTEND_B2I, I, part);
      IntVector lows = both.and(15);
      IntVector highs = both.lanewise(LSHR, 4);
      FloatVector low = ((FloatVector) lows.convertShape(I2F, F, 0)).fma(lowScale, lowOffset);
      FloatVector high = ((FloatVector) highs.convertShape(I2F, F, 0)).fma(highScale, highOffset);
      int column = start + k * GROUP;
      FloatVector factor = FloatVector.broadcast(F, x[column]);
      a0 = low.fma(factor, a0);
      b0 = high.fma(factor, b0);
      factor = FloatVector.broadcast(F, x[column + 1]);
      a1 = low.fma(factor, a1);
      b1 = high.fma(factor, b1);
      factor = FloatVector.broadcast(F, x[column + 2]);
      a2 = low.fma(factor, a2);
      b2 = high.fma(factor, b2);
      factor = FloatVector.broadcast(F, x[column + 3]);
      a3 = low.fma(factor, a3);
      b3 = high.fma(factor, b3);
    }
    a0.intoArray(sums, o);
    a1.intoArray(sums, o + PANEL);
    a2.intoArray(sums, o + 2 * PANEL);
    a3.intoArray(sums, o + 3 * PANEL);
    b0.intoArray(sums, o + HALF);
    b1.intoArray(sums, o + PANEL + HALF);
    b2.intoArray(sums, o + 2 * PANEL + HALF);
    b3.intoArray(sums, o + 3 * PANEL + HALF);
  }

  /** The same with upper bits, which {@link VectorUnpack#more} explains. */
  private static void more(
      MemorySegment m,
      long quants,
      long upper,
      int bits,
      int o,
      int n,
      int shift,
      float[] scales,
      float[] x,
      int start,
      float[] sums) {
    FloatVector a0 = FloatVector.fromArray(F, sums, o);
    FloatVector a1 = FloatVector.fromArray(F, sums, o + PANEL);
    FloatVector a2 = FloatVector.fromArray(F, sums, o + 2 * PANEL);
    FloatVector a3 = FloatVector.fromArray(F, sums, o + 3 * PANEL);
    FloatVector b0 = FloatVector.fromArray(F, sums, o + HALF);
    FloatVector b1 = FloatVector.fromArray(F, sums, o + PANEL + HALF);
    FloatVector b2 = FloatVector.fromArray(F, sums, o + 2 * PANEL + HALF);
    FloatVector b3 = FloatVector.fromArray(F, sums, o + 3 * PANEL + HALF);
    long bytes = quants + o - o % B.length();
    long lowBytes = upper + o - o % B.length();
    long highBytes = lowBytes + (bits == 5 ? 0 : HALF);
    long stride = bits == 5 ? HALF : PANEL;
    int part = Vectors.part(o);
    IntVector highShift = IntVector.broadcast(I, bits == 5 ? 0 : 4);
    IntVector step = IntVector.broadcast(I, bits - 4);
    IntVector mask = IntVector.broadcast(I, bits == 5 ? 16 : 48);
    for (int k = 0; k < n; k += COLUMNS) {
      long up = (k >> 2) * stride;
      int pair = (k >> shift) * VectorScales.PAIR + o;
      FloatVector lowScale = FloatVector.fromArray(F, scales, pair);
      FloatVector highScale = FloatVector.fromArray(F, scales, pair + HALF);
      FloatVector lowOffset = FloatVector.fromArray(F, scales, pair + PANEL);
      FloatVector highOffset = FloatVector.fromArray(F, scales, pair + PANEL + HALF);
      ByteVector lowUpper = ByteVector.fromMemorySegment(B, m, lowBytes + up, LITTLE_ENDIAN);
      ByteVector highUpper = ByteVector.fromMemorySegment(B, m, highBytes + up, LITTLE_ENDIAN);
      IntVector lowBits = (IntVector) lowUpper.convertShape(ZERO_EXTEND_B2I, I, part);
      IntVector highBits = (IntVector) highUpper.convertShape(ZERO_EXTEND_B2I, I, part);
      lowBits = lowBits.lanewise(LSHL, 4);
      highBits = highBits.lanewise(LSHL, highShift);
      for (int i = 0; i < COLUMNS; i++) {
        long row = bytes + (k + i) * (long) HALF;
        ByteVector pairs = ByteVector.fromMemorySegment(B, m, row, LITTLE_ENDIAN);
        IntVector both = (IntVector) pairs.convertShape(ZERO_EXTEND_B2I, I, part);
        IntVector lows = both.and(15).or(lowBits.and(mask));
        IntVector highs = both.lanewise(LSHR, 4).or(highBits.and(mask));
        FloatVector low = ((FloatVector) lows.convertShape(I2F, F, 0)).fma(lowScale, lowOffset);
        FloatVector high = ((FloatVector) highs.convertShape(I2F, F, 0)).fma(highScale, highOffset);
        int column = start + (k + i) * GROUP;
        FloatVector factor = FloatVector.broadcast(F, x[column]);
        a0 = low.fma(factor, a0);
        b0 = high.fma(factor, b0);
        factor = FloatVector.broadcast(F, x[column + 1]);
        a1 = low.fma(factor, a1);
        b1 = high.fma(factor, b1);
        factor = FloatVector.broadcast(F, x[column + 2]);
        a2 = low.fma(factor, a2);
        b2 = high.fma(factor, b2);
        factor = FloatVector.broadcast(F, x[column + 3]);
        a3 = low.fma(factor, a3);
        b3 = high.fma(factor, b3);
        lowBits = lowBits.lanewise(LSHR, step);
        highBits = highBits.lanewise(LSHR, step);
      }
    }
    a0.intoArray(sums, o);
    a1.intoArray(sums, o + PANEL);
    a2.intoArray(sums, o + 2 * PANEL);
    a3.intoArray(sums, o + 3 * PANEL);
    b0.intoArray(sums, o + HALF);
    b1.intoArray(sums, o + PANEL + HALF);
    b2.intoArray(sums, o + 2 * PANEL + HALF);
    b3.intoArray(sums, o + 3 * PANEL + HALF);
  }
}
