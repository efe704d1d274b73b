package dev.sojourn.engine.kernel;

import static dev.sojourn.engine.kernel.Kernels.GROUP;
import static dev.sojourn.engine.kernel.Kernels.TILE_COLUMNS;
import static dev.sojourn.engine.kernel.PackedMatrix.PANEL;
import static dev.sojourn.engine.kernel.Vectors.B;
import static dev.sojourn.engine.kernel.Vectors.F;
import static dev.sojourn.engine.kernel.Vectors.I;
import static dev.sojourn.engine.kernel.Vectors.L;
import static dev.sojourn.engine.kernel.Vectors.S;
import static dev.sojourn.engine.kernel.WeightType.HALF_BITS;
import static dev.sojourn.engine.kernel.WeightType.HALF_FACTOR;
import static dev.sojourn.engine.kernel.WeightType.HALF_SHIFT;
import static dev.sojourn.engine.kernel.WeightType.SCALES;
import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.VectorOperators.B2F;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.S2I;
import static jdk.incubator.vector.VectorOperators.ZERO_EXTEND_B2I;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;

/**
 * Products of a panel with one token and with many.
 *
 * <p>A pass takes two vectors of rows, those from {@code o} and those from {@code o + 16}: the
 * whole panel at 512 bits, half of it at 256. For one token weights are unpacked in registers. For
 * many, {@link Kernels#TILE_COLUMNS} columns are unpacked into a tile of floats, which all tokens
 * use; the sums wait in {@code out} from tile to tile. Either way an output is one chain of FMAs
 * over the same floats.
 */
final class VectorProducts {

  /** Where the second vector of a pass begins. */
  private static final int HALF = PANEL / 2;

  /** Where in a tile's scratch the scales of the present block are, as floats. */
  private static final int SCALES_AT = TILE_COLUMNS * PANEL;

  /** Eight tokens take 16 sums, 2 weights and a factor: too much for 16 registers. */
  private static final boolean EIGHT = L == 16;

  private VectorProducts() {}

  static void one(PackedMatrix w, int panel, float[] x, float[] out, float[] tile) {
    MemorySegment m = w.data();
    long at = w.cell(panel, 0);
    int n = w.columns();
    for (int o = 0; o < HALF; o += L) {
      int to = panel * PANEL + o;
      switch (w.type()) {
        case F32 -> oneFloats(m, at + 4L * o, n, x, out, to);
        case F16 -> oneShorts(m, at + 2L * o, n, HALF_SHIFT, HALF_BITS, HALF_FACTOR, x, out, to);
        case BF16 -> oneShorts(m, at + 2L * o, n, 16, -1, 1, x, out, to);
        case Q8_0 -> oneQ8(m, at, o, n, x, out, to, tile);
        case Q4_0 -> oneQ4(m, at, o, n, x, out, to, tile);
      }
    }
  }

  private static void oneFloats(MemorySegment m, long at, int n, float[] x, float[] out, int to) {
    FloatVector low = FloatVector.zero(F);
    FloatVector high = FloatVector.zero(F);
    for (int k = 0; k < n; k++) {
      FloatVector factor = FloatVector.broadcast(F, x[k]);
      long row = at + k * 4L * PANEL;
      low = FloatVector.fromMemorySegment(F, m, row, LITTLE_ENDIAN).fma(factor, low);
      high = FloatVector.fromMemorySegment(F, m, row + 4 * HALF, LITTLE_ENDIAN).fma(factor, high);
    }
    low.intoArray(out, to);
    high.intoArray(out, to + HALF);
  }

  private static void oneShorts(
      MemorySegment m,
      long at,
      int n,
      int shift,
      int bits,
      float multiplier,
      float[] x,
      float[] out,
      int to) {
    FloatVector low = FloatVector.zero(F);
    FloatVector high = FloatVector.zero(F);
    for (int k = 0; k < n; k++) {
      FloatVector factor = FloatVector.broadcast(F, x[k]);
      long row = at + k * 2L * PANEL;
      ShortVector lows = ShortVector.fromMemorySegment(S, m, row, LITTLE_ENDIAN);
      ShortVector highs = ShortVector.fromMemorySegment(S, m, row + 2 * HALF, LITTLE_ENDIAN);
      IntVector lowBits = ((IntVector) lows.convertShape(S2I, I, 0)).lanewise(LSHL, shift);
      IntVector highBits = ((IntVector) highs.convertShape(S2I, I, 0)).lanewise(LSHL, shift);
      low = lowBits.and(bits).reinterpretAsFloats().mul(multiplier).fma(factor, low);
      high = highBits.and(bits).reinterpretAsFloats().mul(multiplier).fma(factor, high);
    }
    low.intoArray(out, to);
    high.intoArray(out, to + HALF);
  }

  private static void oneQ8(
      MemorySegment m, long at, int o, int n, float[] x, float[] out, int to, float[] tile) {
    FloatVector low = FloatVector.zero(F);
    FloatVector high = FloatVector.zero(F);
    int bytes = o - o % B.length();
    int part = Vectors.part(o);
    for (int block = 0; block < n / 32; block++) {
      long cell = at + (long) block * WeightType.Q8_0.cellBytes();
      unpackHalves(m, cell, PANEL, tile, SCALES_AT);
      FloatVector lowScale = FloatVector.fromArray(F, tile, SCALES_AT + o);
      FloatVector highScale = FloatVector.fromArray(F, tile, SCALES_AT + o + HALF);
      for (int k = 0; k < 32; k++) {
        FloatVector factor = FloatVector.broadcast(F, x[block * 32 + k]);
        long row = cell + SCALES + k * (long) PANEL + bytes;
        ByteVector lows = ByteVector.fromMemorySegment(B, m, row, LITTLE_ENDIAN);
        ByteVector highs = ByteVector.fromMemorySegment(B, m, row + HALF, LITTLE_ENDIAN);
        low = ((FloatVector) lows.convertShape(B2F, F, part)).mul(lowScale).fma(factor, low);
        high = ((FloatVector) highs.convertShape(B2F, F, part)).mul(highScale).fma(factor, high);
      }
    }
    low.intoArray(out, to);
    high.intoArray(out, to + HALF);
  }

  private static void oneQ4(
      MemorySegment m, long at, int o, int n, float[] x, float[] out, int to, float[] tile) {
    FloatVector low = FloatVector.zero(F);
    FloatVector high = FloatVector.zero(F);
    int bytes = o - o % B.length();
    int part = Vectors.part(o);
    for (int block = 0; block < n / 32; block++) {
      long cell = at + (long) block * WeightType.Q4_0.cellBytes();
      unpackHalves(m, cell, PANEL, tile, SCALES_AT);
      FloatVector lowScale = FloatVector.fromArray(F, tile, SCALES_AT + o);
      FloatVector highScale = FloatVector.fromArray(F, tile, SCALES_AT + o + HALF);
      for (int k = 0; k < 32; k++) {
        FloatVector factor = FloatVector.broadcast(F, x[block * 32 + k]);
        long row = cell + SCALES + k * (long) HALF + bytes;
        ByteVector pairs = ByteVector.fromMemorySegment(B, m, row, LITTLE_ENDIAN);
        IntVector both = (IntVector) pairs.convertShape(ZERO_EXTEND_B2I, I, part);
        IntVector lows = both.and(15).sub(8);
        IntVector highs = both.lanewise(LSHR, 4).sub(8);
        low = ((FloatVector) lows.convertShape(I2F, F, 0)).mul(lowScale).fma(factor, low);
        high = ((FloatVector) highs.convertShape(I2F, F, 0)).mul(highScale).fma(factor, high);
      }
    }
    low.intoArray(out, to);
    high.intoArray(out, to + HALF);
  }

  static void many(
      PackedMatrix w, int panel, float[] x, int tokens, float[] out, int stride, float[] tile) {
    int first = panel * PANEL;
    for (int t = 0; t < tokens; t++) {
      Arrays.fill(out, t * stride + first, t * stride + first + PANEL, 0);
    }
    for (int column = 0; column < w.columns(); column += TILE_COLUMNS) {
      int n = Math.min(TILE_COLUMNS, w.columns() - column);
      unpack(w, panel, column, n, tile);
      for (int t = 0; t < tokens; t += GROUP) {
        int from = t * w.columns() + column * GROUP;
        int to = t * stride + first;
        for (int o = 0; o < HALF; o += L) {
          if (EIGHT && tokens - t > 4) {
            eight(tile, o, n, x, from, out, to + o, stride);
          } else {
            four(tile, o, n, x, from, out, to + o, stride);
            if (tokens - t > 4) {
              four(tile, o, n, x, from + 4, out, to + 4 * stride + o, stride);
            }
          }
        }
      }
    }
  }

  private static void unpack(PackedMatrix w, int panel, int column, int n, float[] tile) {
    MemorySegment m = w.data();
    long at = w.cell(panel, column);
    switch (w.type()) {
      case F32 -> MemorySegment.copy(m, PackedMatrix.FLOAT, at, tile, 0, n * PANEL);
      case F16 -> unpackHalves(m, at, n * PANEL, tile, 0);
      case BF16 -> unpackShorts(m, at, n * PANEL, 16, -1, 1, tile, 0);
      case Q8_0 -> {
        for (int o = 0; o < HALF; o += L) {
          unpackQ8(m, at, o, n, tile);
        }
      }
      case Q4_0 -> {
        for (int o = 0; o < HALF; o += L) {
          unpackQ4(m, at, o, n, tile);
        }
      }
    }
  }

  private static void unpackHalves(MemorySegment m, long at, int n, float[] out, int to) {
    unpackShorts(m, at, n, HALF_SHIFT, HALF_BITS, HALF_FACTOR, out, to);
  }

  private static void unpackShorts(
      MemorySegment m, long at, int n, int shift, int bits, float multiplier, float[] out, int to) {
    for (int i = 0; i < n; i += L) {
      ShortVector shorts = ShortVector.fromMemorySegment(S, m, at + 2L * i, LITTLE_ENDIAN);
      IntVector ints = ((IntVector) shorts.convertShape(S2I, I, 0)).lanewise(LSHL, shift);
      ints.and(bits).reinterpretAsFloats().mul(multiplier).intoArray(out, to + i);
    }
  }

  private static void unpackQ8(MemorySegment m, long at, int o, int n, float[] tile) {
    int bytes = o - o % B.length();
    int part = Vectors.part(o);
    for (int block = 0; block < n / 32; block++) {
      long cell = at + (long) block * WeightType.Q8_0.cellBytes();
      unpackHalves(m, cell, PANEL, tile, SCALES_AT);
      FloatVector lowScale = FloatVector.fromArray(F, tile, SCALES_AT + o);
      FloatVector highScale = FloatVector.fromArray(F, tile, SCALES_AT + o + HALF);
      for (int k = 0; k < 32; k++) {
        long row = cell + SCALES + k * (long) PANEL + bytes;
        int to = (block * 32 + k) * PANEL + o;
        ByteVector lows = ByteVector.fromMemorySegment(B, m, row, LITTLE_ENDIAN);
        ByteVector highs = ByteVector.fromMemorySegment(B, m, row + HALF, LITTLE_ENDIAN);
        ((FloatVector) lows.convertShape(B2F, F, part)).mul(lowScale).intoArray(tile, to);
        ((FloatVector) highs.convertShape(B2F, F, part)).mul(highScale).intoArray(tile, to + HALF);
      }
    }
  }

  private static void unpackQ4(MemorySegment m, long at, int o, int n, float[] tile) {
    int bytes = o - o % B.length();
    int part = Vectors.part(o);
    for (int block = 0; block < n / 32; block++) {
      long cell = at + (long) block * WeightType.Q4_0.cellBytes();
      unpackHalves(m, cell, PANEL, tile, SCALES_AT);
      FloatVector lowScale = FloatVector.fromArray(F, tile, SCALES_AT + o);
      FloatVector highScale = FloatVector.fromArray(F, tile, SCALES_AT + o + HALF);
      for (int k = 0; k < 32; k++) {
        long row = cell + SCALES + k * (long) HALF + bytes;
        int to = (block * 32 + k) * PANEL + o;
        ByteVector pairs = ByteVector.fromMemorySegment(B, m, row, LITTLE_ENDIAN);
        IntVector both = (IntVector) pairs.convertShape(ZERO_EXTEND_B2I, I, part);
        IntVector lows = both.and(15).sub(8);
        IntVector highs = both.lanewise(LSHR, 4).sub(8);
        ((FloatVector) lows.convertShape(I2F, F, 0)).mul(lowScale).intoArray(tile, to);
        ((FloatVector) highs.convertShape(I2F, F, 0)).mul(highScale).intoArray(tile, to + HALF);
      }
    }
  }

  /** Adds n columns of the tile for eight tokens, whose results are {@code s} apart. */
  private static void eight(
      float[] tile, int o, int n, float[] x, int from, float[] out, int to, int s) {
    FloatVector a0 = FloatVector.fromArray(F, out, to);
    FloatVector a1 = FloatVector.fromArray(F, out, to + s);
    FloatVector a2 = FloatVector.fromArray(F, out, to + 2 * s);
    FloatVector a3 = FloatVector.fromArray(F, out, to + 3 * s);
    FloatVector a4 = FloatVector.fromArray(F, out, to + 4 * s);
    FloatVector a5 = FloatVector.fromArray(F, out, to + 5 * s);
    FloatVector a6 = FloatVector.fromArray(F, out, to + 6 * s);
    FloatVector a7 = FloatVector.fromArray(F, out, to + 7 * s);
    FloatVector b0 = FloatVector.fromArray(F, out, to + HALF);
    FloatVector b1 = FloatVector.fromArray(F, out, to + s + HALF);
    FloatVector b2 = FloatVector.fromArray(F, out, to + 2 * s + HALF);
    FloatVector b3 = FloatVector.fromArray(F, out, to + 3 * s + HALF);
    FloatVector b4 = FloatVector.fromArray(F, out, to + 4 * s + HALF);
    FloatVector b5 = FloatVector.fromArray(F, out, to + 5 * s + HALF);
    FloatVector b6 = FloatVector.fromArray(F, out, to + 6 * s + HALF);
    FloatVector b7 = FloatVector.fromArray(F, out, to + 7 * s + HALF);
    for (int k = 0; k < n; k++) {
      FloatVector low = FloatVector.fromArray(F, tile, k * PANEL + o);
      FloatVector high = FloatVector.fromArray(F, tile, k * PANEL + o + HALF);
      int at = from + k * GROUP;
      FloatVector factor = FloatVector.broadcast(F, x[at]);
      a0 = low.fma(factor, a0);
      b0 = high.fma(factor, b0);
      factor = FloatVector.broadcast(F, x[at + 1]);
      a1 = low.fma(factor, a1);
      b1 = high.fma(factor, b1);
      factor = FloatVector.broadcast(F, x[at + 2]);
      a2 = low.fma(factor, a2);
      b2 = high.fma(factor, b2);
      factor = FloatVector.broadcast(F, x[at + 3]);
      a3 = low.fma(factor, a3);
      b3 = high.fma(factor, b3);
      factor = FloatVector.broadcast(F, x[at + 4]);
      a4 = low.fma(factor, a4);
      b4 = high.fma(factor, b4);
      factor = FloatVector.broadcast(F, x[at + 5]);
      a5 = low.fma(factor, a5);
      b5 = high.fma(factor, b5);
      factor = FloatVector.broadcast(F, x[at + 6]);
      a6 = low.fma(factor, a6);
      b6 = high.fma(factor, b6);
      factor = FloatVector.broadcast(F, x[at + 7]);
      a7 = low.fma(factor, a7);
      b7 = high.fma(factor, b7);
    }
    a0.intoArray(out, to);
    a1.intoArray(out, to + s);
    a2.intoArray(out, to + 2 * s);
    a3.intoArray(out, to + 3 * s);
    a4.intoArray(out, to + 4 * s);
    a5.intoArray(out, to + 5 * s);
    a6.intoArray(out, to + 6 * s);
    a7.intoArray(out, to + 7 * s);
    b0.intoArray(out, to + HALF);
    b1.intoArray(out, to + s + HALF);
    b2.intoArray(out, to + 2 * s + HALF);
    b3.intoArray(out, to + 3 * s + HALF);
    b4.intoArray(out, to + 4 * s + HALF);
    b5.intoArray(out, to + 5 * s + HALF);
    b6.intoArray(out, to + 6 * s + HALF);
    b7.intoArray(out, to + 7 * s + HALF);
  }

  /** The same for four tokens. */
  private static void four(
      float[] tile, int o, int n, float[] x, int from, float[] out, int to, int s) {
    FloatVector a0 = FloatVector.fromArray(F, out, to);
    FloatVector a1 = FloatVector.fromArray(F, out, to + s);
    FloatVector a2 = FloatVector.fromArray(F, out, to + 2 * s);
    FloatVector a3 = FloatVector.fromArray(F, out, to + 3 * s);
    FloatVector b0 = FloatVector.fromArray(F, out, to + HALF);
    FloatVector b1 = FloatVector.fromArray(F, out, to + s + HALF);
    FloatVector b2 = FloatVector.fromArray(F, out, to + 2 * s + HALF);
    FloatVector b3 = FloatVector.fromArray(F, out, to + 3 * s + HALF);
    for (int k = 0; k < n; k++) {
      FloatVector low = FloatVector.fromArray(F, tile, k * PANEL + o);
      FloatVector high = FloatVector.fromArray(F, tile, k * PANEL + o + HALF);
      int at = from + k * GROUP;
      FloatVector factor = FloatVector.broadcast(F, x[at]);
      a0 = low.fma(factor, a0);
      b0 = high.fma(factor, b0);
      factor = FloatVector.broadcast(F, x[at + 1]);
      a1 = low.fma(factor, a1);
      b1 = high.fma(factor, b1);
      factor = FloatVector.broadcast(F, x[at + 2]);
      a2 = low.fma(factor, a2);
      b2 = high.fma(factor, b2);
      factor = FloatVector.broadcast(F, x[at + 3]);
      a3 = low.fma(factor, a3);
      b3 = high.fma(factor, b3);
    }
    a0.intoArray(out, to);
    a1.intoArray(out, to + s);
    a2.intoArray(out, to + 2 * s);
    a3.intoArray(out, to + 3 * s);
    b0.intoArray(out, to + HALF);
    b1.intoArray(out, to + s + HALF);
    b2.intoArray(out, to + 2 * s + HALF);
    b3.intoArray(out, to + 3 * s + HALF);
  }
}
