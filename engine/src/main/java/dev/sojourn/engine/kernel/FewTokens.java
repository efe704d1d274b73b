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
 * Products of a panel with a few tokens, as fast as the weights come from memory, if the processor
 * can: they are unpacked in registers, once for four tokens.
 *
 * <p>For the types whose unpacking is short; {@link ManyTokens} does the others. Loops are flat,
 * see {@link VectorUnpack}.
 */
final class FewTokens {

  /** Up to here unpacking again for the next four costs no more than unpacking to a tile. */
  private static final int MOST = 8;

  private FewTokens() {}

  /** Returns whether so many tokens are better multiplied here. */
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
    float[] sums = scratch.sums;
    for (int panel = firstPanel; panel < firstPanel + panels; panel++) {
      for (int t = 0; t < tokens; t += 4) {
        Arrays.fill(sums, 0, 4 * PANEL, 0);
        multiplyFour(w, panel, x, t, scratch);
        for (int i = 0; i < Math.min(4, tokens - t); i++) {
          System.arraycopy(sums, i * PANEL, out, (t + i) * stride + panel * PANEL, PANEL);
        }
      }
    }
  }

  private static void multiplyFour(
      PackedMatrix w, int panel, float[] x, int from, ProductScratch scratch) {
    float[] sums = scratch.sums;
    float[] scales = scratch.scales;
    for (int first = 0; first < w.columns(); first += ProductScratch.SCALED_COLUMNS) {
      int n = Math.min(ProductScratch.SCALED_COLUMNS, w.columns() - first);
      long at = w.column(panel, first);
      if (w.type().scaleBytes() > 0) {
        int count = n / w.type().block() * PANEL;
        VectorUnpack.halves(w.data(), w.scales(panel, first), count, scales, 0);
      }
      for (int o = 0; o < HALF; o += L) {
        switch (w.type()) {
          case F32 -> floats(w, at + 4L * o, first, n, x, from, sums, o);
          case F16 ->
              shorts(
                  w,
                  at + 2L * o,
                  first,
                  n,
                  x,
                  from,
                  sums,
                  o,
                  Halves.SHIFT,
                  Halves.BITS,
                  w.halves().factor());
          case BF16 -> shorts(w, at + 2L * o, first, n, x, from, sums, o, 16, -1, 1);
          case Q8_0 -> q8(w, at, first, n, x, from, sums, o, scales);
          default -> throw new AssertionError(w.type());
        }
      }
    }
  }

  private static void floats(
      PackedMatrix w, long at, int first, int n, float[] x, int from, float[] sums, int o) {
    MemorySegment m = w.data();
    FloatVector a0 = FloatVector.fromArray(F, sums, o);
    FloatVector a1 = FloatVector.fromArray(F, sums, o + PANEL);
    FloatVector a2 = FloatVector.fromArray(F, sums, o + 2 * PANEL);
    FloatVector a3 = FloatVector.fromArray(F, sums, o + 3 * PANEL);
    FloatVector b0 = FloatVector.fromArray(F, sums, o + HALF);
    FloatVector b1 = FloatVector.fromArray(F, sums, o + PANEL + HALF);
    FloatVector b2 = FloatVector.fromArray(F, sums, o + 2 * PANEL + HALF);
    FloatVector b3 = FloatVector.fromArray(F, sums, o + 3 * PANEL + HALF);
    for (int k = 0; k < n; k++) {
      long row = at + k * 4L * PANEL;
      FloatVector low = FloatVector.fromMemorySegment(F, m, row, LITTLE_ENDIAN);
      FloatVector high = FloatVector.fromMemorySegment(F, m, row + 4 * HALF, LITTLE_ENDIAN);
      int column = from + (first + k) * GROUP;
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

  private static void shorts(
      PackedMatrix w,
      long at,
      int first,
      int n,
      float[] x,
      int from,
      float[] sums,
      int o,
      int shift,
      int bits,
      float multiplier) {
    MemorySegment m = w.data();
    FloatVector a0 = FloatVector.fromArray(F, sums, o);
    FloatVector a1 = FloatVector.fromArray(F, sums, o + PANEL);
    FloatVector a2 = FloatVector.fromArray(F, sums, o + 2 * PANEL);
    FloatVector a3 = FloatVector.fromArray(F, sums, o + 3 * PANEL);
    FloatVector b0 = FloatVector.fromArray(F, sums, o + HALF);
    FloatVector b1 = FloatVector.fromArray(F, sums, o + PANEL + HALF);
    FloatVector b2 = FloatVector.fromArray(F, sums, o + 2 * PANEL + HALF);
    FloatVector b3 = FloatVector.fromArray(F, sums, o + 3 * PANEL + HALF);
    for (int k = 0; k < n; k++) {
      long row = at + k * 2L * PANEL;
      ShortVector lows = ShortVector.fromMemorySegment(S, m, row, LITTLE_ENDIAN);
      ShortVector highs = ShortVector.fromMemorySegment(S, m, row + 2 * HALF, LITTLE_ENDIAN);
      IntVector lowBits =
          ((IntVector) lows.convertShape(S2I, I, 0)).lanewise(LSHL, shift).and(bits);
      IntVector highBits =
          ((IntVector) highs.convertShape(S2I, I, 0)).lanewise(LSHL, shift).and(bits);
      FloatVector low = lowBits.reinterpretAsFloats().mul(multiplier);
      FloatVector high = highBits.reinterpretAsFloats().mul(multiplier);
      int column = from + (first + k) * GROUP;
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

  private static void q8(
      PackedMatrix w,
      long at,
      int first,
      int n,
      float[] x,
      int from,
      float[] sums,
      int o,
      float[] scales) {
    MemorySegment m = w.data();
    FloatVector a0 = FloatVector.fromArray(F, sums, o);
    FloatVector a1 = FloatVector.fromArray(F, sums, o + PANEL);
    FloatVector a2 = FloatVector.fromArray(F, sums, o + 2 * PANEL);
    FloatVector a3 = FloatVector.fromArray(F, sums, o + 3 * PANEL);
    FloatVector b0 = FloatVector.fromArray(F, sums, o + HALF);
    FloatVector b1 = FloatVector.fromArray(F, sums, o + PANEL + HALF);
    FloatVector b2 = FloatVector.fromArray(F, sums, o + 2 * PANEL + HALF);
    FloatVector b3 = FloatVector.fromArray(F, sums, o + 3 * PANEL + HALF);
    long bytes = at + o - o % B.length();
    int part = Vectors.part(o);
    for (int k = 0; k < n; k++) {
      long row = bytes + k * (long) PANEL;
      int scale = k / 32 * PANEL + o;
      FloatVector lowScale = FloatVector.fromArray(F, scales, scale);
      FloatVector highScale = FloatVector.fromArray(F, scales, scale + HALF);
      ByteVector lows = ByteVector.fromMemorySegment(B, m, row, LITTLE_ENDIAN);
      ByteVector highs = ByteVector.fromMemorySegment(B, m, row + HALF, LITTLE_ENDIAN);
      FloatVector low = ((FloatVector) lows.convertShape(B2F, F, part)).mul(lowScale);
      FloatVector high = ((FloatVector) highs.convertShape(B2F, F, part)).mul(highScale);
      int column = from + (first + k) * GROUP;
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
}
