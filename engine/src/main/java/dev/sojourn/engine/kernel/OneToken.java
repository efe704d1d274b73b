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
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.S2I;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;

/**
 * Products of a run of panels with one token, as fast as the weights come from memory: they are
 * unpacked in registers.
 *
 * <p>Four panels at a time: memory serves four streams sooner than one, and their eight sums hide
 * the latency of an FMA. Quants take two columns at a time, which share their scales. A pass takes
 * the rows from {@code o} on of each half of a panel. Loops are flat, see {@link VectorUnpack}.
 */
final class OneToken {

  /** Panels that are taken together. */
  private static final int TOGETHER = 4;

  /** From one panel's scales to the next one's. */
  private static final int SCALES = ProductScratch.SCALED_COLUMNS / 32 * PANEL;

  private OneToken() {}

  static void multiply(
      PackedMatrix w, int firstPanel, int panels, float[] x, float[] out, ProductScratch scratch) {
    if (w.type().subBlock > 0 && w.type().bits < 8) {
      OneTokenQuants.multiply(w, firstPanel, panels, x, out, scratch);
    } else {
      for (int i = 0; i < panels; i += TOGETHER) {
        int count = Math.min(TOGETHER, panels - i);
        multiplyTogether(w, firstPanel + i, count, x, scratch);
        System.arraycopy(scratch.sums, 0, out, (firstPanel + i) * PANEL, count * PANEL);
      }
    }
  }

  /** Of fewer than four panels the last stands for those that lack. */
  private static void multiplyTogether(
      PackedMatrix w, int panel, int panels, float[] x, ProductScratch scratch) {
    float[] sums = scratch.sums;
    Arrays.fill(sums, 0, TOGETHER * PANEL, 0);
    int second = panel + Math.min(1, panels - 1);
    int third = panel + Math.min(2, panels - 1);
    int fourth = panel + Math.min(3, panels - 1);
    for (int first = 0; first < w.columns(); first += ProductScratch.SCALED_COLUMNS) {
      int n = Math.min(ProductScratch.SCALED_COLUMNS, w.columns() - first);
      long at = w.column(panel, first);
      long to1 = w.column(second, first) - at;
      long to2 = w.column(third, first) - at;
      long to3 = w.column(fourth, first) - at;
      if (w.type().scaleBytes() > 0) {
        int scales = n / w.type().block() * PANEL;
        VectorUnpack.halves(w.data(), w.scales(panel, first), scales, scratch, 0);
        VectorUnpack.halves(w.data(), w.scales(second, first), scales, scratch, SCALES);
        VectorUnpack.halves(w.data(), w.scales(third, first), scales, scratch, 2 * SCALES);
        VectorUnpack.halves(w.data(), w.scales(fourth, first), scales, scratch, 3 * SCALES);
      }
      for (int o = 0; o < HALF; o += L) {
        switch (w.type()) {
          case F32 -> floats(w, at + 4L * o, to1, to2, to3, first, n, x, sums, o);
          case F16 ->
              shorts(
                  w,
                  at + 2L * o,
                  to1,
                  to2,
                  to3,
                  first,
                  n,
                  x,
                  sums,
                  o,
                  Halves.SHIFT,
                  Halves.BITS,
                  w.halves().factor());
          case BF16 -> shorts(w, at + 2L * o, to1, to2, to3, first, n, x, sums, o, 16, -1, 1);
          case Q8_0 -> q8(w, at, to1, to2, to3, first, n, x, sums, o, scratch.scales);
          default -> throw new AssertionError(w.type());
        }
      }
    }
  }

  private static void floats(
      PackedMatrix w,
      long at,
      long to1,
      long to2,
      long to3,
      int first,
      int n,
      float[] x,
      float[] sums,
      int o) {
    MemorySegment m = w.data();
    FloatVector a0 = FloatVector.fromArray(F, sums, o);
    FloatVector b0 = FloatVector.fromArray(F, sums, o + HALF);
    FloatVector a1 = FloatVector.fromArray(F, sums, o + PANEL);
    FloatVector b1 = FloatVector.fromArray(F, sums, o + PANEL + HALF);
    FloatVector a2 = FloatVector.fromArray(F, sums, o + 2 * PANEL);
    FloatVector b2 = FloatVector.fromArray(F, sums, o + 2 * PANEL + HALF);
    FloatVector a3 = FloatVector.fromArray(F, sums, o + 3 * PANEL);
    FloatVector b3 = FloatVector.fromArray(F, sums, o + 3 * PANEL + HALF);
    for (int k = 0; k < n; k++) {
      FloatVector factor = FloatVector.broadcast(F, x[first + k]);
      long row = at + k * 4L * PANEL;
      a0 = FloatVector.fromMemorySegment(F, m, row, LITTLE_ENDIAN).fma(factor, a0);
      b0 = FloatVector.fromMemorySegment(F, m, row + 4 * HALF, LITTLE_ENDIAN).fma(factor, b0);
      a1 = FloatVector.fromMemorySegment(F, m, row + to1, LITTLE_ENDIAN).fma(factor, a1);
      b1 = FloatVector.fromMemorySegment(F, m, row + to1 + 4 * HALF, LITTLE_ENDIAN).fma(factor, b1);
      a2 = FloatVector.fromMemorySegment(F, m, row + to2, LITTLE_ENDIAN).fma(factor, a2);
      b2 = FloatVector.fromMemorySegment(F, m, row + to2 + 4 * HALF, LITTLE_ENDIAN).fma(factor, b2);
      a3 = FloatVector.fromMemorySegment(F, m, row + to3, LITTLE_ENDIAN).fma(factor, a3);
      b3 = FloatVector.fromMemorySegment(F, m, row + to3 + 4 * HALF, LITTLE_ENDIAN).fma(factor, b3);
    }
    a0.intoArray(sums, o);
    b0.intoArray(sums, o + HALF);
    a1.intoArray(sums, o + PANEL);
    b1.intoArray(sums, o + PANEL + HALF);
    a2.intoArray(sums, o + 2 * PANEL);
    b2.intoArray(sums, o + 2 * PANEL + HALF);
    a3.intoArray(sums, o + 3 * PANEL);
    b3.intoArray(sums, o + 3 * PANEL + HALF);
  }

  private static void shorts(
      PackedMatrix w,
      long at,
      long to1,
      long to2,
      long to3,
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
    for (int k = 0; k < n; k++) {
      FloatVector factor = FloatVector.broadcast(F, x[first + k]);
      long row = at + k * 2L * PANEL;
      ShortVector sa0 = ShortVector.fromMemorySegment(S, m, row, LITTLE_ENDIAN);
      ShortVector sb0 = ShortVector.fromMemorySegment(S, m, row + 2 * HALF, LITTLE_ENDIAN);
      IntVector ia0 = ((IntVector) sa0.convertShape(S2I, I, 0)).lanewise(LSHL, shift).and(bits);
      IntVector ib0 = ((IntVector) sb0.convertShape(S2I, I, 0)).lanewise(LSHL, shift).and(bits);
      a0 = ia0.reinterpretAsFloats().mul(multiplier).fma(factor, a0);
      b0 = ib0.reinterpretAsFloats().mul(multiplier).fma(factor, b0);
      ShortVector sa1 = ShortVector.fromMemorySegment(S, m, row + to1, LITTLE_ENDIAN);
      ShortVector sb1 = ShortVector.fromMemorySegment(S, m, row + to1 + 2 * HALF, LITTLE_ENDIAN);
      IntVector ia1 = ((IntVector) sa1.convertShape(S2I, I, 0)).lanewise(LSHL, shift).and(bits);
      IntVector ib1 = ((IntVector) sb1.convertShape(S2I, I, 0)).lanewise(LSHL, shift).and(bits);
      a1 = ia1.reinterpretAsFloats().mul(multiplier).fma(factor, a1);
      b1 = ib1.reinterpretAsFloats().mul(multiplier).fma(factor, b1);
      ShortVector sa2 = ShortVector.fromMemorySegment(S, m, row + to2, LITTLE_ENDIAN);
      ShortVector sb2 = ShortVector.fromMemorySegment(S, m, row + to2 + 2 * HALF, LITTLE_ENDIAN);
      IntVector ia2 = ((IntVector) sa2.convertShape(S2I, I, 0)).lanewise(LSHL, shift).and(bits);
      IntVector ib2 = ((IntVector) sb2.convertShape(S2I, I, 0)).lanewise(LSHL, shift).and(bits);
      a2 = ia2.reinterpretAsFloats().mul(multiplier).fma(factor, a2);
      b2 = ib2.reinterpretAsFloats().mul(multiplier).fma(factor, b2);
      ShortVector sa3 = ShortVector.fromMemorySegment(S, m, row + to3, LITTLE_ENDIAN);
      ShortVector sb3 = ShortVector.fromMemorySegment(S, m, row + to3 + 2 * HALF, LITTLE_ENDIAN);
      IntVector ia3 = ((IntVector) sa3.convertShape(S2I, I, 0)).lanewise(LSHL, shift).and(bits);
      IntVector ib3 = ((IntVector) sb3.convertShape(S2I, I, 0)).lanewise(LSHL, shift).and(bits);
      a3 = ia3.reinterpretAsFloats().mul(multiplier).fma(factor, a3);
      b3 = ib3.reinterpretAsFloats().mul(multiplier).fma(factor, b3);
    }
    a0.intoArray(sums, o);
    b0.intoArray(sums, o + HALF);
    a1.intoArray(sums, o + PANEL);
    b1.intoArray(sums, o + PANEL + HALF);
    a2.intoArray(sums, o + 2 * PANEL);
    b2.intoArray(sums, o + 2 * PANEL + HALF);
    a3.intoArray(sums, o + 3 * PANEL);
    b3.intoArray(sums, o + 3 * PANEL + HALF);
  }

  private static void q8(
      PackedMatrix w,
      long at,
      long to1,
      long to2,
      long to3,
      int first,
      int n,
      float[] x,
      float[] sums,
      int o,
      float[] scales) {
    MemorySegment m = w.data();
    FloatVector a0 = FloatVector.fromArray(F, sums, o);
    FloatVector b0 = FloatVector.fromArray(F, sums, o + HALF);
    FloatVector a1 = FloatVector.fromArray(F, sums, o + PANEL);
    FloatVector b1 = FloatVector.fromArray(F, sums, o + PANEL + HALF);
    FloatVector a2 = FloatVector.fromArray(F, sums, o + 2 * PANEL);
    FloatVector b2 = FloatVector.fromArray(F, sums, o + 2 * PANEL + HALF);
    FloatVector a3 = FloatVector.fromArray(F, sums, o + 3 * PANEL);
    FloatVector b3 = FloatVector.fromArray(F, sums, o + 3 * PANEL + HALF);
    long bytes = at + o - o % B.length();
    int part = Vectors.part(o);
    for (int k = 0; k < n; k += 2) {
      long row = bytes + k * (long) PANEL;
      int scale = k / 32 * PANEL + o;
      FloatVector factor0 = FloatVector.broadcast(F, x[first + k]);
      FloatVector factor1 = FloatVector.broadcast(F, x[first + k + 1]);
      FloatVector sa0 = FloatVector.fromArray(F, scales, scale);
      FloatVector sb0 = FloatVector.fromArray(F, scales, scale + HALF);
      FloatVector sa1 = FloatVector.fromArray(F, scales, scale + SCALES);
      FloatVector sb1 = FloatVector.fromArray(F, scales, scale + SCALES + HALF);
      FloatVector sa2 = FloatVector.fromArray(F, scales, scale + 2 * SCALES);
      FloatVector sb2 = FloatVector.fromArray(F, scales, scale + 2 * SCALES + HALF);
      FloatVector sa3 = FloatVector.fromArray(F, scales, scale + 3 * SCALES);
      FloatVector sb3 = FloatVector.fromArray(F, scales, scale + 3 * SCALES + HALF);
      ByteVector qa00 = ByteVector.fromMemorySegment(B, m, row, LITTLE_ENDIAN);
      a0 = ((FloatVector) qa00.convertShape(B2F, F, part)).mul(sa0).fma(factor0, a0);
      ByteVector qb00 = ByteVector.fromMemorySegment(B, m, row + HALF, LITTLE_ENDIAN);
      b0 = ((FloatVector) qb00.convertShape(B2F, F, part)).mul(sb0).fma(factor0, b0);
      ByteVector qa10 = ByteVector.fromMemorySegment(B, m, row + to1, LITTLE_ENDIAN);
      a1 = ((FloatVector) qa10.convertShape(B2F, F, part)).mul(sa1).fma(factor0, a1);
      ByteVector qb10 = ByteVector.fromMemorySegment(B, m, row + to1 + HALF, LITTLE_ENDIAN);
      b1 = ((FloatVector) qb10.convertShape(B2F, F, part)).mul(sb1).fma(factor0, b1);
      ByteVector qa20 = ByteVector.fromMemorySegment(B, m, row + to2, LITTLE_ENDIAN);
      a2 = ((FloatVector) qa20.convertShape(B2F, F, part)).mul(sa2).fma(factor0, a2);
      ByteVector qb20 = ByteVector.fromMemorySegment(B, m, row + to2 + HALF, LITTLE_ENDIAN);
      b2 = ((FloatVector) qb20.convertShape(B2F, F, part)).mul(sb2).fma(factor0, b2);
      ByteVector qa30 = ByteVector.fromMemorySegment(B, m, row + to3, LITTLE_ENDIAN);
      a3 = ((FloatVector) qa30.convertShape(B2F, F, part)).mul(sa3).fma(factor0, a3);
      ByteVector qb30 = ByteVector.fromMemorySegment(B, m, row + to3 + HALF, LITTLE_ENDIAN);
      b3 = ((FloatVector) qb30.convertShape(B2F, F, part)).mul(sb3).fma(factor0, b3);
      ByteVector qa01 = ByteVector.fromMemorySegment(B, m, row + PANEL, LITTLE_ENDIAN);
      a0 = ((FloatVector) qa01.convertShape(B2F, F, part)).mul(sa0).fma(factor1, a0);
      ByteVector qb01 = ByteVector.fromMemorySegment(B, m, row + PANEL + HALF, LITTLE_ENDIAN);
      b0 = ((FloatVector) qb01.convertShape(B2F, F, part)).mul(sb0).fma(factor1, b0);
      ByteVector qa11 = ByteVector.fromMemorySegment(B, m, row + to1 + PANEL, LITTLE_ENDIAN);
      a1 = ((FloatVector) qa11.convertShape(B2F, F, part)).mul(sa1).fma(factor1, a1);
      ByteVector qb11 = ByteVector.fromMemorySegment(B, m, row + to1 + PANEL + HALF, LITTLE_ENDIAN);
      b1 = ((FloatVector) qb11.convertShape(B2F, F, part)).mul(sb1).fma(factor1, b1);
      ByteVector qa21 = ByteVector.fromMemorySegment(B, m, row + to2 + PANEL, LITTLE_ENDIAN);
      a2 = ((FloatVector) qa21.convertShape(B2F, F, part)).mul(sa2).fma(factor1, a2);
      ByteVector qb21 = ByteVector.fromMemorySegment(B, m, row + to2 + PANEL + HALF, LITTLE_ENDIAN);
      b2 = ((FloatVector) qb21.convertShape(B2F, F, part)).mul(sb2).fma(factor1, b2);
      ByteVector qa31 = ByteVector.fromMemorySegment(B, m, row + to3 + PANEL, LITTLE_ENDIAN);
      a3 = ((FloatVector) qa31.convertShape(B2F, F, part)).mul(sa3).fma(factor1, a3);
      ByteVector qb31 = ByteVector.fromMemorySegment(B, m, row + to3 + PANEL + HALF, LITTLE_ENDIAN);
      b3 = ((FloatVector) qb31.convertShape(B2F, F, part)).mul(sb3).fma(factor1, b3);
    }
    a0.intoArray(sums, o);
    b0.intoArray(sums, o + HALF);
    a1.intoArray(sums, o + PANEL);
    b1.intoArray(sums, o + PANEL + HALF);
    a2.intoArray(sums, o + 2 * PANEL);
    b2.intoArray(sums, o + 2 * PANEL + HALF);
    a3.intoArray(sums, o + 3 * PANEL);
    b3.intoArray(sums, o + 3 * PANEL + HALF);
  }
}
