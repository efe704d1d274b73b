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
 * <p>Two panels at a time: their four sums hide the latency of an FMA, and memory serves two
 * streams sooner than one. A pass takes the rows from {@code o} on of each half of a panel. Loops
 * are flat, see {@link VectorUnpack}.
 */
final class OneToken {

  private static final int OTHER_SCALES = ProductScratch.SCALED_COLUMNS / 32 * PANEL;

  private OneToken() {}

  static void multiply(
      PackedMatrix w, int firstPanel, int panels, float[] x, float[] out, ProductScratch scratch) {
    int start = firstPanel * PANEL;
    Arrays.fill(out, start, start + panels * PANEL, 0);
    boolean few = w.type().subBlock > 0 && w.type().bits < 8;
    for (int i = 0; i < panels; i += few ? 1 : 2) {
      int panel = firstPanel + i;
      if (few) {
        OneTokenQuants.multiply(w, panel, x, out, scratch);
      } else if (i + 1 < panels) {
        multiplyTwo(w, panel, panel + 1, x, out, panel * PANEL, (panel + 1) * PANEL, scratch);
      } else {
        multiplyTwo(w, panel, panel, x, out, panel * PANEL, panel * PANEL, scratch);
      }
    }
  }

  /** Multiplies two panels; they may be the same. */
  private static void multiplyTwo(
      PackedMatrix w,
      int panel,
      int other,
      float[] x,
      float[] out,
      int to,
      int toOther,
      ProductScratch scratch) {
    for (int first = 0; first < w.columns(); first += ProductScratch.SCALED_COLUMNS) {
      int n = Math.min(ProductScratch.SCALED_COLUMNS, w.columns() - first);
      long at = w.column(panel, first);
      long apart = w.column(other, first) - at;
      if (w.type().scaleBytes() > 0) {
        int scales = n / w.type().block() * PANEL;
        VectorUnpack.halves(w.data(), w.scales(panel, first), scales, scratch.scales, 0);
        VectorUnpack.halves(w.data(), w.scales(other, first), scales, scratch.scales, OTHER_SCALES);
      }
      for (int o = 0; o < HALF; o += L) {
        switch (w.type()) {
          case F32 -> floats(w, at + 4L * o, apart, first, n, x, out, to + o, toOther + o);
          case F16 ->
              shorts(
                  w,
                  at + 2L * o,
                  apart,
                  first,
                  n,
                  x,
                  out,
                  to + o,
                  toOther + o,
                  Halves.SHIFT,
                  Halves.BITS,
                  w.halves().factor());
          case BF16 ->
              shorts(w, at + 2L * o, apart, first, n, x, out, to + o, toOther + o, 16, -1, 1);
          case Q8_0 -> q8(w, at, apart, first, n, x, out, to + o, toOther + o, o, scratch.scales);
          default -> throw new AssertionError(w.type());
        }
      }
    }
  }

  private static void floats(
      PackedMatrix w,
      long at,
      long apart,
      int first,
      int n,
      float[] x,
      float[] out,
      int to,
      int toOther) {
    MemorySegment m = w.data();
    FloatVector a = FloatVector.fromArray(F, out, to);
    FloatVector b = FloatVector.fromArray(F, out, to + HALF);
    FloatVector c = FloatVector.fromArray(F, out, toOther);
    FloatVector d = FloatVector.fromArray(F, out, toOther + HALF);
    for (int k = 0; k < n; k++) {
      FloatVector factor = FloatVector.broadcast(F, x[first + k]);
      long row = at + k * 4L * PANEL;
      a = FloatVector.fromMemorySegment(F, m, row, LITTLE_ENDIAN).fma(factor, a);
      b = FloatVector.fromMemorySegment(F, m, row + 4 * HALF, LITTLE_ENDIAN).fma(factor, b);
      row += apart;
      c = FloatVector.fromMemorySegment(F, m, row, LITTLE_ENDIAN).fma(factor, c);
      d = FloatVector.fromMemorySegment(F, m, row + 4 * HALF, LITTLE_ENDIAN).fma(factor, d);
    }
    a.intoArray(out, to);
    b.intoArray(out, to + HALF);
    c.intoArray(out, toOther);
    d.intoArray(out, toOther + HALF);
  }

  private static void shorts(
      PackedMatrix w,
      long at,
      long apart,
      int first,
      int n,
      float[] x,
      float[] out,
      int to,
      int toOther,
      int shift,
      int bits,
      float multiplier) {
    MemorySegment m = w.data();
    FloatVector a = FloatVector.fromArray(F, out, to);
    FloatVector b = FloatVector.fromArray(F, out, to + HALF);
    FloatVector c = FloatVector.fromArray(F, out, toOther);
    FloatVector d = FloatVector.fromArray(F, out, toOther + HALF);
    for (int k = 0; k < n; k++) {
      FloatVector factor = FloatVector.broadcast(F, x[first + k]);
      long row = at + k * 2L * PANEL;
      ShortVector sa = ShortVector.fromMemorySegment(S, m, row, LITTLE_ENDIAN);
      ShortVector sb = ShortVector.fromMemorySegment(S, m, row + 2 * HALF, LITTLE_ENDIAN);
      row += apart;
      ShortVector sc = ShortVector.fromMemorySegment(S, m, row, LITTLE_ENDIAN);
      ShortVector sd = ShortVector.fromMemorySegment(S, m, row + 2 * HALF, LITTLE_ENDIAN);
      IntVector ia = ((IntVector) sa.convertShape(S2I, I, 0)).lanewise(LSHL, shift).and(bits);
      IntVector ib = ((IntVector) sb.convertShape(S2I, I, 0)).lanewise(LSHL, shift).and(bits);
      IntVector ic = ((IntVector) sc.convertShape(S2I, I, 0)).lanewise(LSHL, shift).and(bits);
      IntVector id = ((IntVector) sd.convertShape(S2I, I, 0)).lanewise(LSHL, shift).and(bits);
      a = ia.reinterpretAsFloats().mul(multiplier).fma(factor, a);
      b = ib.reinterpretAsFloats().mul(multiplier).fma(factor, b);
      c = ic.reinterpretAsFloats().mul(multiplier).fma(factor, c);
      d = id.reinterpretAsFloats().mul(multiplier).fma(factor, d);
    }
    a.intoArray(out, to);
    b.intoArray(out, to + HALF);
    c.intoArray(out, toOther);
    d.intoArray(out, toOther + HALF);
  }

  private static void q8(
      PackedMatrix w,
      long at,
      long apart,
      int first,
      int n,
      float[] x,
      float[] out,
      int to,
      int toOther,
      int o,
      float[] scales) {
    MemorySegment m = w.data();
    FloatVector a = FloatVector.fromArray(F, out, to);
    FloatVector b = FloatVector.fromArray(F, out, to + HALF);
    FloatVector c = FloatVector.fromArray(F, out, toOther);
    FloatVector d = FloatVector.fromArray(F, out, toOther + HALF);
    long bytes = at + o - o % B.length();
    int part = Vectors.part(o);
    for (int k = 0; k < n; k++) {
      FloatVector factor = FloatVector.broadcast(F, x[first + k]);
      long row = bytes + k * (long) PANEL;
      ByteVector qa = ByteVector.fromMemorySegment(B, m, row, LITTLE_ENDIAN);
      ByteVector qb = ByteVector.fromMemorySegment(B, m, row + HALF, LITTLE_ENDIAN);
      row += apart;
      ByteVector qc = ByteVector.fromMemorySegment(B, m, row, LITTLE_ENDIAN);
      ByteVector qd = ByteVector.fromMemorySegment(B, m, row + HALF, LITTLE_ENDIAN);
      int scale = k / 32 * PANEL + o;
      FloatVector sa = FloatVector.fromArray(F, scales, scale);
      FloatVector sb = FloatVector.fromArray(F, scales, scale + HALF);
      scale += OTHER_SCALES;
      FloatVector sc = FloatVector.fromArray(F, scales, scale);
      FloatVector sd = FloatVector.fromArray(F, scales, scale + HALF);
      a = ((FloatVector) qa.convertShape(B2F, F, part)).mul(sa).fma(factor, a);
      b = ((FloatVector) qb.convertShape(B2F, F, part)).mul(sb).fma(factor, b);
      c = ((FloatVector) qc.convertShape(B2F, F, part)).mul(sc).fma(factor, c);
      d = ((FloatVector) qd.convertShape(B2F, F, part)).mul(sd).fma(factor, d);
    }
    a.intoArray(out, to);
    b.intoArray(out, to + HALF);
    c.intoArray(out, toOther);
    d.intoArray(out, toOther + HALF);
  }
}
