package dev.sojourn.engine.kernel;

import static dev.sojourn.engine.kernel.Kernels.GROUP;
import static dev.sojourn.engine.kernel.PackedMatrix.HALF;
import static dev.sojourn.engine.kernel.PackedMatrix.PANEL;
import static dev.sojourn.engine.kernel.Vectors.B;
import static dev.sojourn.engine.kernel.Vectors.F;
import static dev.sojourn.engine.kernel.Vectors.I;
import static dev.sojourn.engine.kernel.Vectors.L;
import static dev.sojourn.engine.kernel.Vectors.S;
import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.VectorOperators.B2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.S2I;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;

/**
 * Products of a run of panels with five to eight tokens, like {@link FourTokens}: a weight is
 * unpacked once for all of them. One panel at a time, as 16 sums are what 32 registers can hold.
 */
final class EightTokens {

  private static final int TOKENS = 8;

  private EightTokens() {}

  static void multiply(
      PackedMatrix w,
      int firstPanel,
      int panels,
      float[] x,
      int tokens,
      float[] out,
      int stride,
      ProductScratch scratch) {
    for (int panel = firstPanel; panel < firstPanel + panels; panel++) {
      multiply(w, panel, x, scratch);
      for (int t = 0; t < tokens; t++) {
        System.arraycopy(scratch.sums, t * PANEL, out, t * stride + panel * PANEL, PANEL);
      }
    }
  }

  private static void multiply(PackedMatrix w, int panel, float[] x, ProductScratch scratch) {
    float[] sums = scratch.sums;
    float[] scales = scratch.scales;
    Arrays.fill(sums, 0, TOKENS * PANEL, 0);
    for (int first = 0; first < w.columns(); first += ProductScratch.SCALED_COLUMNS) {
      int n = Math.min(ProductScratch.SCALED_COLUMNS, w.columns() - first);
      long at = w.column(panel, first);
      if (w.type().scaleBytes() > 0) {
        int count = n / w.type().block() * PANEL;
        VectorUnpack.halves(w.data(), w.scales(panel, first), count, scratch, 0);
      }
      for (int o = 0; o < HALF; o += L) {
        switch (w.type()) {
          case F32 -> floats(w, at + 4L * o, first, n, x, sums, o);
          case F16 ->
              shorts(
                  w,
                  at + 2L * o,
                  first,
                  n,
                  x,
                  sums,
                  o,
                  Halves.SHIFT,
                  Halves.BITS,
                  w.halves().factor());
          case BF16 -> shorts(w, at + 2L * o, first, n, x, sums, o, 16, -1, 1);
          case Q8_0 -> q8(w, at, first, n, x, sums, o, scales);
          default -> throw new AssertionError(w.type());
        }
      }
    }
  }

  private static void floats(
      PackedMatrix w, long at, int first, int n, float[] x, float[] sums, int o) {
    MemorySegment m = w.data();
    FloatVector a0 = FloatVector.fromArray(F, sums, o);
    FloatVector b0 = FloatVector.fromArray(F, sums, o + HALF);
    FloatVector a1 = FloatVector.fromArray(F, sums, o + PANEL);
    FloatVector b1 = FloatVector.fromArray(F, sums, o + PANEL + HALF);
    FloatVector a2 = FloatVector.fromArray(F, sums, o + 2 * PANEL);
    FloatVector b2 = FloatVector.fromArray(F, sums, o + 2 * PANEL + HALF);
    FloatVector a3 = FloatVector.fromArray(F, sums, o + 3 * PANEL);
    FloatVector b3 = FloatVector.fromArray(F, sums, o + 3 * PANEL + HALF);
    FloatVector a4 = FloatVector.fromArray(F, sums, o + 4 * PANEL);
    FloatVector b4 = FloatVector.fromArray(F, sums, o + 4 * PANEL + HALF);
    FloatVector a5 = FloatVector.fromArray(F, sums, o + 5 * PANEL);
    FloatVector b5 = FloatVector.fromArray(F, sums, o + 5 * PANEL + HALF);
    FloatVector a6 = FloatVector.fromArray(F, sums, o + 6 * PANEL);
    FloatVector b6 = FloatVector.fromArray(F, sums, o + 6 * PANEL + HALF);
    FloatVector a7 = FloatVector.fromArray(F, sums, o + 7 * PANEL);
    FloatVector b7 = FloatVector.fromArray(F, sums, o + 7 * PANEL + HALF);
    for (int k = 0; k < n; k++) {
      long row = at + k * 4L * PANEL;
      int column = (first + k) * GROUP;
      FloatVector low = FloatVector.fromMemorySegment(F, m, row, LITTLE_ENDIAN);
      FloatVector high = FloatVector.fromMemorySegment(F, m, row + 4 * HALF, LITTLE_ENDIAN);
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
      factor = FloatVector.broadcast(F, x[column + 4]);
      a4 = low.fma(factor, a4);
      b4 = high.fma(factor, b4);
      factor = FloatVector.broadcast(F, x[column + 5]);
      a5 = low.fma(factor, a5);
      b5 = high.fma(factor, b5);
      factor = FloatVector.broadcast(F, x[column + 6]);
      a6 = low.fma(factor, a6);
      b6 = high.fma(factor, b6);
      factor = FloatVector.broadcast(F, x[column + 7]);
      a7 = low.fma(factor, a7);
      b7 = high.fma(factor, b7);
    }
    a0.intoArray(sums, o);
    b0.intoArray(sums, o + HALF);
    a1.intoArray(sums, o + PANEL);
    b1.intoArray(sums, o + PANEL + HALF);
    a2.intoArray(sums, o + 2 * PANEL);
    b2.intoArray(sums, o + 2 * PANEL + HALF);
    a3.intoArray(sums, o + 3 * PANEL);
    b3.intoArray(sums, o + 3 * PANEL + HALF);
    a4.intoArray(sums, o + 4 * PANEL);
    b4.intoArray(sums, o + 4 * PANEL + HALF);
    a5.intoArray(sums, o + 5 * PANEL);
    b5.intoArray(sums, o + 5 * PANEL + HALF);
    a6.intoArray(sums, o + 6 * PANEL);
    b6.intoArray(sums, o + 6 * PANEL + HALF);
    a7.intoArray(sums, o + 7 * PANEL);
    b7.intoArray(sums, o + 7 * PANEL + HALF);
  }

  private static void shorts(
      PackedMatrix w,
      long at,
      int first,
      int n,
      float[] x,
      float[] sums,
      int o,
      int shift,
      int bits,
      float multiplier) {
    MemorySegment m = w.data();
    FloatVector a0 = FloatVector.fromArray(F, sums, o);
    FloatVector b0 = FloatVector.fromArray(F, sums, o + HALF);
    FloatVector a1 = FloatVector.fromArray(F, sums, o + PANEL);
    FloatVector b1 = FloatVector.fromArray(F, sums, o + PANEL + HALF);
    FloatVector a2 = FloatVector.fromArray(F, sums, o + 2 * PANEL);
    FloatVector b2 = FloatVector.fromArray(F, sums, o + 2 * PANEL + HALF);
    FloatVector a3 = FloatVector.fromArray(F, sums, o + 3 * PANEL);
    FloatVector b3 = FloatVector.fromArray(F, sums, o + 3 * PANEL + HALF);
    FloatVector a4 = FloatVector.fromArray(F, sums, o + 4 * PANEL);
    FloatVector b4 = FloatVector.fromArray(F, sums, o + 4 * PANEL + HALF);
    FloatVector a5 = FloatVector.fromArray(F, sums, o + 5 * PANEL);
    FloatVector b5 = FloatVector.fromArray(F, sums, o + 5 * PANEL + HALF);
    FloatVector a6 = FloatVector.fromArray(F, sums, o + 6 * PANEL);
    FloatVector b6 = FloatVector.fromArray(F, sums, o + 6 * PANEL + HALF);
    FloatVector a7 = FloatVector.fromArray(F, sums, o + 7 * PANEL);
    FloatVector b7 = FloatVector.fromArray(F, sums, o + 7 * PANEL + HALF);
    for (int k = 0; k < n; k++) {
      long row = at + k * 2L * PANEL;
      int column = (first + k) * GROUP;
      ShortVector lowShorts = ShortVector.fromMemorySegment(S, m, row, LITTLE_ENDIAN);
      IntVector lowBits =
          ((IntVector) lowShorts.convertShape(S2I, I, 0)).lanewise(LSHL, shift).and(bits);
      FloatVector low = lowBits.reinterpretAsFloats().mul(multiplier);
      ShortVector highShorts = ShortVector.fromMemorySegment(S, m, row + 2 * HALF, LITTLE_ENDIAN);
      IntVector highBits =
          ((IntVector) highShorts.convertShape(S2I, I, 0)).lanewise(LSHL, shift).and(bits);
      FloatVector high = highBits.reinterpretAsFloats().mul(multiplier);
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
      factor = FloatVector.broadcast(F, x[column + 4]);
      a4 = low.fma(factor, a4);
      b4 = high.fma(factor, b4);
      factor = FloatVector.broadcast(F, x[column + 5]);
      a5 = low.fma(factor, a5);
      b5 = high.fma(factor, b5);
      factor = FloatVector.broadcast(F, x[column + 6]);
      a6 = low.fma(factor, a6);
      b6 = high.fma(factor, b6);
      factor = FloatVector.broadcast(F, x[column + 7]);
      a7 = low.fma(factor, a7);
      b7 = high.fma(factor, b7);
    }
    a0.intoArray(sums, o);
    b0.intoArray(sums, o + HALF);
    a1.intoArray(sums, o + PANEL);
    b1.intoArray(sums, o + PANEL + HALF);
    a2.intoArray(sums, o + 2 * PANEL);
    b2.intoArray(sums, o + 2 * PANEL + HALF);
    a3.intoArray(sums, o + 3 * PANEL);
    b3.intoArray(sums, o + 3 * PANEL + HALF);
    a4.intoArray(sums, o + 4 * PANEL);
    b4.intoArray(sums, o + 4 * PANEL + HALF);
    a5.intoArray(sums, o + 5 * PANEL);
    b5.intoArray(sums, o + 5 * PANEL + HALF);
    a6.intoArray(sums, o + 6 * PANEL);
    b6.intoArray(sums, o + 6 * PANEL + HALF);
    a7.intoArray(sums, o + 7 * PANEL);
    b7.intoArray(sums, o + 7 * PANEL + HALF);
  }

  private static void q8(
      PackedMatrix w, long at, int first, int n, float[] x, float[] sums, int o, float[] scales) {
    MemorySegment m = w.data();
    FloatVector a0 = FloatVector.fromArray(F, sums, o);
    FloatVector b0 = FloatVector.fromArray(F, sums, o + HALF);
    FloatVector a1 = FloatVector.fromArray(F, sums, o + PANEL);
    FloatVector b1 = FloatVector.fromArray(F, sums, o + PANEL + HALF);
    FloatVector a2 = FloatVector.fromArray(F, sums, o + 2 * PANEL);
    FloatVector b2 = FloatVector.fromArray(F, sums, o + 2 * PANEL + HALF);
    FloatVector a3 = FloatVector.fromArray(F, sums, o + 3 * PANEL);
    FloatVector b3 = FloatVector.fromArray(F, sums, o + 3 * PANEL + HALF);
    FloatVector a4 = FloatVector.fromArray(F, sums, o + 4 * PANEL);
    FloatVector b4 = FloatVector.fromArray(F, sums, o + 4 * PANEL + HALF);
    FloatVector a5 = FloatVector.fromArray(F, sums, o + 5 * PANEL);
    FloatVector b5 = FloatVector.fromArray(F, sums, o + 5 * PANEL + HALF);
    FloatVector a6 = FloatVector.fromArray(F, sums, o + 6 * PANEL);
    FloatVector b6 = FloatVector.fromArray(F, sums, o + 6 * PANEL + HALF);
    FloatVector a7 = FloatVector.fromArray(F, sums, o + 7 * PANEL);
    FloatVector b7 = FloatVector.fromArray(F, sums, o + 7 * PANEL + HALF);
    long bytes = at + o - o % B.length();
    int part = Vectors.part(o);
    for (int k = 0; k < n; k += 2) {
      long row = bytes + k * (long) PANEL;
      int scale = k / 32 * PANEL + o;
      int column = (first + k) * GROUP;
      FloatVector lowScale = FloatVector.fromArray(F, scales, scale);
      FloatVector highScale = FloatVector.fromArray(F, scales, scale + HALF);
      ByteVector low0Quants = ByteVector.fromMemorySegment(B, m, row, LITTLE_ENDIAN);
      FloatVector low0 = ((FloatVector) low0Quants.convertShape(B2F, F, part)).mul(lowScale);
      ByteVector high0Quants = ByteVector.fromMemorySegment(B, m, row + HALF, LITTLE_ENDIAN);
      FloatVector high0 = ((FloatVector) high0Quants.convertShape(B2F, F, part)).mul(highScale);
      FloatVector factor = FloatVector.broadcast(F, x[column]);
      a0 = low0.fma(factor, a0);
      b0 = high0.fma(factor, b0);
      factor = FloatVector.broadcast(F, x[column + 1]);
      a1 = low0.fma(factor, a1);
      b1 = high0.fma(factor, b1);
      factor = FloatVector.broadcast(F, x[column + 2]);
      a2 = low0.fma(factor, a2);
      b2 = high0.fma(factor, b2);
      factor = FloatVector.broadcast(F, x[column + 3]);
      a3 = low0.fma(factor, a3);
      b3 = high0.fma(factor, b3);
      factor = FloatVector.broadcast(F, x[column + 4]);
      a4 = low0.fma(factor, a4);
      b4 = high0.fma(factor, b4);
      factor = FloatVector.broadcast(F, x[column + 5]);
      a5 = low0.fma(factor, a5);
      b5 = high0.fma(factor, b5);
      factor = FloatVector.broadcast(F, x[column + 6]);
      a6 = low0.fma(factor, a6);
      b6 = high0.fma(factor, b6);
      factor = FloatVector.broadcast(F, x[column + 7]);
      a7 = low0.fma(factor, a7);
      b7 = high0.fma(factor, b7);
      ByteVector low1Quants = ByteVector.fromMemorySegment(B, m, row + PANEL, LITTLE_ENDIAN);
      FloatVector low1 = ((FloatVector) low1Quants.convertShape(B2F, F, part)).mul(lowScale);
      ByteVector high1Quants =
          ByteVector.fromMemorySegment(B, m, row + PANEL + HALF, LITTLE_ENDIAN);
      FloatVector high1 = ((FloatVector) high1Quants.convertShape(B2F, F, part)).mul(highScale);
      factor = FloatVector.broadcast(F, x[column + GROUP]);
      a0 = low1.fma(factor, a0);
      b0 = high1.fma(factor, b0);
      factor = FloatVector.broadcast(F, x[column + GROUP + 1]);
      a1 = low1.fma(factor, a1);
      b1 = high1.fma(factor, b1);
      factor = FloatVector.broadcast(F, x[column + GROUP + 2]);
      a2 = low1.fma(factor, a2);
      b2 = high1.fma(factor, b2);
      factor = FloatVector.broadcast(F, x[column + GROUP + 3]);
      a3 = low1.fma(factor, a3);
      b3 = high1.fma(factor, b3);
      factor = FloatVector.broadcast(F, x[column + GROUP + 4]);
      a4 = low1.fma(factor, a4);
      b4 = high1.fma(factor, b4);
      factor = FloatVector.broadcast(F, x[column + GROUP + 5]);
      a5 = low1.fma(factor, a5);
      b5 = high1.fma(factor, b5);
      factor = FloatVector.broadcast(F, x[column + GROUP + 6]);
      a6 = low1.fma(factor, a6);
      b6 = high1.fma(factor, b6);
      factor = FloatVector.broadcast(F, x[column + GROUP + 7]);
      a7 = low1.fma(factor, a7);
      b7 = high1.fma(factor, b7);
    }
    a0.intoArray(sums, o);
    b0.intoArray(sums, o + HALF);
    a1.intoArray(sums, o + PANEL);
    b1.intoArray(sums, o + PANEL + HALF);
    a2.intoArray(sums, o + 2 * PANEL);
    b2.intoArray(sums, o + 2 * PANEL + HALF);
    a3.intoArray(sums, o + 3 * PANEL);
    b3.intoArray(sums, o + 3 * PANEL + HALF);
    a4.intoArray(sums, o + 4 * PANEL);
    b4.intoArray(sums, o + 4 * PANEL + HALF);
    a5.intoArray(sums, o + 5 * PANEL);
    b5.intoArray(sums, o + 5 * PANEL + HALF);
    a6.intoArray(sums, o + 6 * PANEL);
    b6.intoArray(sums, o + 6 * PANEL + HALF);
    a7.intoArray(sums, o + 7 * PANEL);
    b7.intoArray(sums, o + 7 * PANEL + HALF);
  }
}
