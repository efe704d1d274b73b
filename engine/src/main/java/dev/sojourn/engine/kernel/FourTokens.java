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
 * Products of a run of panels with up to four tokens, as fast as the weights come from memory, if
 * the processor can: they are unpacked in registers.
 *
 * <p>Two panels at a time: memory serves two streams sooner than one. 16 sums and four weights want
 * 32 registers. Loops are flat, see {@link VectorUnpack}.
 */
final class FourTokens {

  private static final int TOKENS = 4;

  /** From one panel's scales to the other's. */
  private static final int SCALES = ProductScratch.SCALED_COLUMNS / 32 * PANEL;

  private FourTokens() {}

  /** Multiplies up to four tokens from {@code from} on, of a type that {@link FewTokens} takes. */
  static void multiply(
      PackedMatrix w,
      int firstPanel,
      int panels,
      float[] x,
      int from,
      int tokens,
      float[] out,
      int stride,
      ProductScratch scratch) {
    float[] sums = scratch.sums;
    for (int i = 0; i < panels; i += 2) {
      int panel = firstPanel + i;
      // An odd panel is computed twice.
      multiplyTwo(w, panel, Math.min(panel + 1, firstPanel + panels - 1), x, from, scratch);
      for (int t = 0; t < tokens; t++) {
        int to = (from + t) * stride + panel * PANEL;
        System.arraycopy(sums, t * PANEL, out, to, PANEL);
        if (i + 1 < panels) {
          System.arraycopy(sums, (TOKENS + t) * PANEL, out, to + PANEL, PANEL);
        }
      }
    }
  }

  private static void multiplyTwo(
      PackedMatrix w, int panel, int other, float[] x, int from, ProductScratch scratch) {
    float[] sums = scratch.sums;
    float[] scales = scratch.scales;
    Arrays.fill(sums, 0, 2 * TOKENS * PANEL, 0);
    for (int first = 0; first < w.columns(); first += ProductScratch.SCALED_COLUMNS) {
      int n = Math.min(ProductScratch.SCALED_COLUMNS, w.columns() - first);
      long at = w.column(panel, first);
      long apart = w.column(other, first) - at;
      if (w.type().scaleBytes() > 0) {
        int count = n / w.type().block() * PANEL;
        VectorUnpack.halves(w.data(), w.scales(panel, first), count, scratch, 0);
        VectorUnpack.halves(w.data(), w.scales(other, first), count, scratch, SCALES);
      }
      for (int o = 0; o < HALF; o += L) {
        switch (w.type()) {
          case F32 -> floats(w, at + 4L * o, apart, first, n, x, from, sums, o);
          case F16 ->
              shorts(
                  w,
                  at + 2L * o,
                  apart,
                  first,
                  n,
                  x,
                  from,
                  sums,
                  o,
                  Halves.SHIFT,
                  Halves.BITS,
                  w.halves().factor());
          case BF16 -> shorts(w, at + 2L * o, apart, first, n, x, from, sums, o, 16, -1, 1);
          case Q8_0 -> q8(w, at, apart, first, n, x, from, sums, o, scales);
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
      int from,
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
    FloatVector c0 = FloatVector.fromArray(F, sums, o + 4 * PANEL);
    FloatVector d0 = FloatVector.fromArray(F, sums, o + 4 * PANEL + HALF);
    FloatVector c1 = FloatVector.fromArray(F, sums, o + 5 * PANEL);
    FloatVector d1 = FloatVector.fromArray(F, sums, o + 5 * PANEL + HALF);
    FloatVector c2 = FloatVector.fromArray(F, sums, o + 6 * PANEL);
    FloatVector d2 = FloatVector.fromArray(F, sums, o + 6 * PANEL + HALF);
    FloatVector c3 = FloatVector.fromArray(F, sums, o + 7 * PANEL);
    FloatVector d3 = FloatVector.fromArray(F, sums, o + 7 * PANEL + HALF);
    for (int k = 0; k < n; k++) {
      long row = at + k * 4L * PANEL;
      int column = from + (first + k) * GROUP;
      FloatVector low = FloatVector.fromMemorySegment(F, m, row, LITTLE_ENDIAN);
      FloatVector high = FloatVector.fromMemorySegment(F, m, row + 4 * HALF, LITTLE_ENDIAN);
      FloatVector otherLow = FloatVector.fromMemorySegment(F, m, row + apart, LITTLE_ENDIAN);
      FloatVector otherHigh =
          FloatVector.fromMemorySegment(F, m, row + apart + 4 * HALF, LITTLE_ENDIAN);
      FloatVector factor = FloatVector.broadcast(F, x[column]);
      a0 = low.fma(factor, a0);
      b0 = high.fma(factor, b0);
      c0 = otherLow.fma(factor, c0);
      d0 = otherHigh.fma(factor, d0);
      factor = FloatVector.broadcast(F, x[column + 1]);
      a1 = low.fma(factor, a1);
      b1 = high.fma(factor, b1);
      c1 = otherLow.fma(factor, c1);
      d1 = otherHigh.fma(factor, d1);
      factor = FloatVector.broadcast(F, x[column + 2]);
      a2 = low.fma(factor, a2);
      b2 = high.fma(factor, b2);
      c2 = otherLow.fma(factor, c2);
      d2 = otherHigh.fma(factor, d2);
      factor = FloatVector.broadcast(F, x[column + 3]);
      a3 = low.fma(factor, a3);
      b3 = high.fma(factor, b3);
      c3 = otherLow.fma(factor, c3);
      d3 = otherHigh.fma(factor, d3);
    }
    a0.intoArray(sums, o);
    b0.intoArray(sums, o + HALF);
    a1.intoArray(sums, o + PANEL);
    b1.intoArray(sums, o + PANEL + HALF);
    a2.intoArray(sums, o + 2 * PANEL);
    b2.intoArray(sums, o + 2 * PANEL + HALF);
    a3.intoArray(sums, o + 3 * PANEL);
    b3.intoArray(sums, o + 3 * PANEL + HALF);
    c0.intoArray(sums, o + 4 * PANEL);
    d0.intoArray(sums, o + 4 * PANEL + HALF);
    c1.intoArray(sums, o + 5 * PANEL);
    d1.intoArray(sums, o + 5 * PANEL + HALF);
    c2.intoArray(sums, o + 6 * PANEL);
    d2.intoArray(sums, o + 6 * PANEL + HALF);
    c3.intoArray(sums, o + 7 * PANEL);
    d3.intoArray(sums, o + 7 * PANEL + HALF);
  }

  private static void shorts(
      PackedMatrix w,
      long at,
      long apart,
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
    FloatVector b0 = FloatVector.fromArray(F, sums, o + HALF);
    FloatVector a1 = FloatVector.fromArray(F, sums, o + PANEL);
    FloatVector b1 = FloatVector.fromArray(F, sums, o + PANEL + HALF);
    FloatVector a2 = FloatVector.fromArray(F, sums, o + 2 * PANEL);
    FloatVector b2 = FloatVector.fromArray(F, sums, o + 2 * PANEL + HALF);
    FloatVector a3 = FloatVector.fromArray(F, sums, o + 3 * PANEL);
    FloatVector b3 = FloatVector.fromArray(F, sums, o + 3 * PANEL + HALF);
    FloatVector c0 = FloatVector.fromArray(F, sums, o + 4 * PANEL);
    FloatVector d0 = FloatVector.fromArray(F, sums, o + 4 * PANEL + HALF);
    FloatVector c1 = FloatVector.fromArray(F, sums, o + 5 * PANEL);
    FloatVector d1 = FloatVector.fromArray(F, sums, o + 5 * PANEL + HALF);
    FloatVector c2 = FloatVector.fromArray(F, sums, o + 6 * PANEL);
    FloatVector d2 = FloatVector.fromArray(F, sums, o + 6 * PANEL + HALF);
    FloatVector c3 = FloatVector.fromArray(F, sums, o + 7 * PANEL);
    FloatVector d3 = FloatVector.fromArray(F, sums, o + 7 * PANEL + HALF);
    for (int k = 0; k < n; k++) {
      long row = at + k * 2L * PANEL;
      int column = from + (first + k) * GROUP;
      ShortVector lowShorts = ShortVector.fromMemorySegment(S, m, row, LITTLE_ENDIAN);
      IntVector lowBits =
          ((IntVector) lowShorts.convertShape(S2I, I, 0)).lanewise(LSHL, shift).and(bits);
      FloatVector low = lowBits.reinterpretAsFloats().mul(multiplier);
      ShortVector highShorts = ShortVector.fromMemorySegment(S, m, row + 2 * HALF, LITTLE_ENDIAN);
      IntVector highBits =
          ((IntVector) highShorts.convertShape(S2I, I, 0)).lanewise(LSHL, shift).and(bits);
      FloatVector high = highBits.reinterpretAsFloats().mul(multiplier);
      ShortVector otherLowShorts = ShortVector.fromMemorySegment(S, m, row + apart, LITTLE_ENDIAN);
      IntVector otherLowBits =
          ((IntVector) otherLowShorts.convertShape(S2I, I, 0)).lanewise(LSHL, shift).and(bits);
      FloatVector otherLow = otherLowBits.reinterpretAsFloats().mul(multiplier);
      ShortVector otherHighShorts =
          ShortVector.fromMemorySegment(S, m, row + apart + 2 * HALF, LITTLE_ENDIAN);
      IntVector otherHighBits =
          ((IntVector) otherHighShorts.convertShape(S2I, I, 0)).lanewise(LSHL, shift).and(bits);
      FloatVector otherHigh = otherHighBits.reinterpretAsFloats().mul(multiplier);
      FloatVector factor = FloatVector.broadcast(F, x[column]);
      a0 = low.fma(factor, a0);
      b0 = high.fma(factor, b0);
      c0 = otherLow.fma(factor, c0);
      d0 = otherHigh.fma(factor, d0);
      factor = FloatVector.broadcast(F, x[column + 1]);
      a1 = low.fma(factor, a1);
      b1 = high.fma(factor, b1);
      c1 = otherLow.fma(factor, c1);
      d1 = otherHigh.fma(factor, d1);
      factor = FloatVector.broadcast(F, x[column + 2]);
      a2 = low.fma(factor, a2);
      b2 = high.fma(factor, b2);
      c2 = otherLow.fma(factor, c2);
      d2 = otherHigh.fma(factor, d2);
      factor = FloatVector.broadcast(F, x[column + 3]);
      a3 = low.fma(factor, a3);
      b3 = high.fma(factor, b3);
      c3 = otherLow.fma(factor, c3);
      d3 = otherHigh.fma(factor, d3);
    }
    a0.intoArray(sums, o);
    b0.intoArray(sums, o + HALF);
    a1.intoArray(sums, o + PANEL);
    b1.intoArray(sums, o + PANEL + HALF);
    a2.intoArray(sums, o + 2 * PANEL);
    b2.intoArray(sums, o + 2 * PANEL + HALF);
    a3.intoArray(sums, o + 3 * PANEL);
    b3.intoArray(sums, o + 3 * PANEL + HALF);
    c0.intoArray(sums, o + 4 * PANEL);
    d0.intoArray(sums, o + 4 * PANEL + HALF);
    c1.intoArray(sums, o + 5 * PANEL);
    d1.intoArray(sums, o + 5 * PANEL + HALF);
    c2.intoArray(sums, o + 6 * PANEL);
    d2.intoArray(sums, o + 6 * PANEL + HALF);
    c3.intoArray(sums, o + 7 * PANEL);
    d3.intoArray(sums, o + 7 * PANEL + HALF);
  }

  private static void q8(
      PackedMatrix w,
      long at,
      long apart,
      int first,
      int n,
      float[] x,
      int from,
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
    FloatVector c0 = FloatVector.fromArray(F, sums, o + 4 * PANEL);
    FloatVector d0 = FloatVector.fromArray(F, sums, o + 4 * PANEL + HALF);
    FloatVector c1 = FloatVector.fromArray(F, sums, o + 5 * PANEL);
    FloatVector d1 = FloatVector.fromArray(F, sums, o + 5 * PANEL + HALF);
    FloatVector c2 = FloatVector.fromArray(F, sums, o + 6 * PANEL);
    FloatVector d2 = FloatVector.fromArray(F, sums, o + 6 * PANEL + HALF);
    FloatVector c3 = FloatVector.fromArray(F, sums, o + 7 * PANEL);
    FloatVector d3 = FloatVector.fromArray(F, sums, o + 7 * PANEL + HALF);
    long bytes = at + o - o % B.length();
    int part = Vectors.part(o);
    for (int k = 0; k < n; k++) {
      long row = bytes + k * (long) PANEL;
      int scale = k / 32 * PANEL + o;
      int column = from + (first + k) * GROUP;
      FloatVector lowScale = FloatVector.fromArray(F, scales, scale);
      FloatVector highScale = FloatVector.fromArray(F, scales, scale + HALF);
      FloatVector otherLowScale = FloatVector.fromArray(F, scales, scale + SCALES);
      FloatVector otherHighScale = FloatVector.fromArray(F, scales, scale + SCALES + HALF);
      ByteVector lowQuants = ByteVector.fromMemorySegment(B, m, row, LITTLE_ENDIAN);
      FloatVector low = ((FloatVector) lowQuants.convertShape(B2F, F, part)).mul(lowScale);
      ByteVector highQuants = ByteVector.fromMemorySegment(B, m, row + HALF, LITTLE_ENDIAN);
      FloatVector high = ((FloatVector) highQuants.convertShape(B2F, F, part)).mul(highScale);
      ByteVector otherLowQuants = ByteVector.fromMemorySegment(B, m, row + apart, LITTLE_ENDIAN);
      FloatVector otherLow =
          ((FloatVector) otherLowQuants.convertShape(B2F, F, part)).mul(otherLowScale);
      ByteVector otherHighQuants =
          ByteVector.fromMemorySegment(B, m, row + apart + HALF, LITTLE_ENDIAN);
      FloatVector otherHigh =
          ((FloatVector) otherHighQuants.convertShape(B2F, F, part)).mul(otherHighScale);
      FloatVector factor = FloatVector.broadcast(F, x[column]);
      a0 = low.fma(factor, a0);
      b0 = high.fma(factor, b0);
      c0 = otherLow.fma(factor, c0);
      d0 = otherHigh.fma(factor, d0);
      factor = FloatVector.broadcast(F, x[column + 1]);
      a1 = low.fma(factor, a1);
      b1 = high.fma(factor, b1);
      c1 = otherLow.fma(factor, c1);
      d1 = otherHigh.fma(factor, d1);
      factor = FloatVector.broadcast(F, x[column + 2]);
      a2 = low.fma(factor, a2);
      b2 = high.fma(factor, b2);
      c2 = otherLow.fma(factor, c2);
      d2 = otherHigh.fma(factor, d2);
      factor = FloatVector.broadcast(F, x[column + 3]);
      a3 = low.fma(factor, a3);
      b3 = high.fma(factor, b3);
      c3 = otherLow.fma(factor, c3);
      d3 = otherHigh.fma(factor, d3);
    }
    a0.intoArray(sums, o);
    b0.intoArray(sums, o + HALF);
    a1.intoArray(sums, o + PANEL);
    b1.intoArray(sums, o + PANEL + HALF);
    a2.intoArray(sums, o + 2 * PANEL);
    b2.intoArray(sums, o + 2 * PANEL + HALF);
    a3.intoArray(sums, o + 3 * PANEL);
    b3.intoArray(sums, o + 3 * PANEL + HALF);
    c0.intoArray(sums, o + 4 * PANEL);
    d0.intoArray(sums, o + 4 * PANEL + HALF);
    c1.intoArray(sums, o + 5 * PANEL);
    d1.intoArray(sums, o + 5 * PANEL + HALF);
    c2.intoArray(sums, o + 6 * PANEL);
    d2.intoArray(sums, o + 6 * PANEL + HALF);
    c3.intoArray(sums, o + 7 * PANEL);
    d3.intoArray(sums, o + 7 * PANEL + HALF);
  }
}
