package dev.sojourn.engine.kernel;

import static dev.sojourn.engine.kernel.Kernels.GROUP;
import static dev.sojourn.engine.kernel.Kernels.TILE_COLUMNS;
import static dev.sojourn.engine.kernel.PackedMatrix.PANEL;
import static dev.sojourn.engine.kernel.Vectors.F;
import static dev.sojourn.engine.kernel.Vectors.L;
import static dev.sojourn.engine.kernel.WeightType.SCALES;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

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

  /** Eight tokens take 16 sums, 2 weights and a factor: too much for 16 registers. */
  private static final boolean EIGHT = L == 16;

  private VectorProducts() {}

  static void one(PackedMatrix w, int panel, float[] x, float[] out) {
    for (int o = 0; o < HALF; o += L) {
      int at = panel * PANEL + o;
      switch (w.type()) {
        case F32 -> oneF32(w.data(), w.cell(panel, 0) + 4L * o, w.columns(), x, out, at);
        case F16 -> oneF16(w.data(), w.cell(panel, 0) + 2L * o, w.columns(), x, out, at);
        case BF16 -> oneBf16(w.data(), w.cell(panel, 0) + 2L * o, w.columns(), x, out, at);
        case Q8_0 -> oneQ8(w.data(), w.cell(panel, 0), o, w.columns(), x, out, at);
        case Q4_0 -> oneQ4(w.data(), w.cell(panel, 0), o, w.columns(), x, out, at);
      }
    }
  }

  private static void oneF32(MemorySegment m, long at, int n, float[] x, float[] out, int to) {
    FloatVector low = FloatVector.zero(F);
    FloatVector high = FloatVector.zero(F);
    for (int k = 0; k < n; k++) {
      FloatVector factor = FloatVector.broadcast(F, x[k]);
      low = Vectors.floats(m, at + k * 128L).fma(factor, low);
      high = Vectors.floats(m, at + k * 128L + 4 * HALF).fma(factor, high);
    }
    low.intoArray(out, to);
    high.intoArray(out, to + HALF);
  }

  private static void oneF16(MemorySegment m, long at, int n, float[] x, float[] out, int to) {
    FloatVector low = FloatVector.zero(F);
    FloatVector high = FloatVector.zero(F);
    for (int k = 0; k < n; k++) {
      FloatVector factor = FloatVector.broadcast(F, x[k]);
      low = Vectors.halves(m, at + k * 64L).fma(factor, low);
      high = Vectors.halves(m, at + k * 64L + 2 * HALF).fma(factor, high);
    }
    low.intoArray(out, to);
    high.intoArray(out, to + HALF);
  }

  private static void oneBf16(MemorySegment m, long at, int n, float[] x, float[] out, int to) {
    FloatVector low = FloatVector.zero(F);
    FloatVector high = FloatVector.zero(F);
    for (int k = 0; k < n; k++) {
      FloatVector factor = FloatVector.broadcast(F, x[k]);
      low = Vectors.bfloats(m, at + k * 64L).fma(factor, low);
      high = Vectors.bfloats(m, at + k * 64L + 2 * HALF).fma(factor, high);
    }
    low.intoArray(out, to);
    high.intoArray(out, to + HALF);
  }

  private static void oneQ8(
      MemorySegment m, long at, int o, int n, float[] x, float[] out, int to) {
    FloatVector low = FloatVector.zero(F);
    FloatVector high = FloatVector.zero(F);
    int cell = WeightType.Q8_0.cellBytes();
    for (int block = 0; block < n / 32; block++) {
      long scales = at + (long) block * cell + 2L * o;
      FloatVector lowScale = Vectors.halves(m, scales);
      FloatVector highScale = Vectors.halves(m, scales + 2 * HALF);
      long quants = at + (long) block * cell + SCALES;
      for (int k = 0; k < 32; k++) {
        FloatVector factor = FloatVector.broadcast(F, x[block * 32 + k]);
        low = Vectors.signedBytes(m, quants + k * 32L, o).mul(lowScale).fma(factor, low);
        high = Vectors.signedBytes(m, quants + k * 32L + HALF, o).mul(highScale).fma(factor, high);
      }
    }
    low.intoArray(out, to);
    high.intoArray(out, to + HALF);
  }

  private static void oneQ4(
      MemorySegment m, long at, int o, int n, float[] x, float[] out, int to) {
    FloatVector low = FloatVector.zero(F);
    FloatVector high = FloatVector.zero(F);
    int cell = WeightType.Q4_0.cellBytes();
    for (int block = 0; block < n / 32; block++) {
      long scales = at + (long) block * cell + 2L * o;
      FloatVector lowScale = Vectors.halves(m, scales);
      FloatVector highScale = Vectors.halves(m, scales + 2 * HALF);
      long quants = at + (long) block * cell + SCALES;
      for (int k = 0; k < 32; k++) {
        FloatVector factor = FloatVector.broadcast(F, x[block * 32 + k]);
        low = Vectors.lowNibbles(m, quants + k * 16L, o).mul(lowScale).fma(factor, low);
        high = Vectors.highNibbles(m, quants + k * 16L, o).mul(highScale).fma(factor, high);
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
    int cell = w.type().cellBytes();
    switch (w.type()) {
      case F32 -> {
        for (int i = 0; i < n * PANEL; i += L) {
          Vectors.floats(m, at + i * 4L).intoArray(tile, i);
        }
      }
      case F16 -> {
        for (int i = 0; i < n * PANEL; i += L) {
          Vectors.halves(m, at + i * 2L).intoArray(tile, i);
        }
      }
      case BF16 -> {
        for (int i = 0; i < n * PANEL; i += L) {
          Vectors.bfloats(m, at + i * 2L).intoArray(tile, i);
        }
      }
      case Q8_0 -> {
        for (int block = 0; block < n / 32; block++) {
          for (int o = 0; o < HALF; o += L) {
            unpackQ8(m, at + (long) block * cell, o, tile, block * 32 * PANEL);
          }
        }
      }
      case Q4_0 -> {
        for (int block = 0; block < n / 32; block++) {
          for (int o = 0; o < HALF; o += L) {
            unpackQ4(m, at + (long) block * cell, o, tile, block * 32 * PANEL);
          }
        }
      }
    }
  }

  private static void unpackQ8(MemorySegment m, long at, int o, float[] tile, int to) {
    FloatVector lowScale = Vectors.halves(m, at + 2L * o);
    FloatVector highScale = Vectors.halves(m, at + 2L * o + 2 * HALF);
    for (int k = 0; k < 32; k++) {
      long quants = at + SCALES + k * 32L;
      int row = to + k * PANEL + o;
      Vectors.signedBytes(m, quants, o).mul(lowScale).intoArray(tile, row);
      Vectors.signedBytes(m, quants + HALF, o).mul(highScale).intoArray(tile, row + HALF);
    }
  }

  private static void unpackQ4(MemorySegment m, long at, int o, float[] tile, int to) {
    FloatVector lowScale = Vectors.halves(m, at + 2L * o);
    FloatVector highScale = Vectors.halves(m, at + 2L * o + 2 * HALF);
    for (int k = 0; k < 32; k++) {
      long quants = at + SCALES + k * 16L;
      int row = to + k * PANEL + o;
      Vectors.lowNibbles(m, quants, o).mul(lowScale).intoArray(tile, row);
      Vectors.highNibbles(m, quants, o).mul(highScale).intoArray(tile, row + HALF);
    }
  }

  /** Adds n columns of the tile for eight tokens, whose results are {@code s} apart. */
  private static void eight(
      float[] tile, int o, int n, float[] x, int from, float[] out, int to, int s) {
    FloatVector a0 = load(out, to);
    FloatVector a1 = load(out, to + s);
    FloatVector a2 = load(out, to + 2 * s);
    FloatVector a3 = load(out, to + 3 * s);
    FloatVector a4 = load(out, to + 4 * s);
    FloatVector a5 = load(out, to + 5 * s);
    FloatVector a6 = load(out, to + 6 * s);
    FloatVector a7 = load(out, to + 7 * s);
    FloatVector b0 = load(out, to + HALF);
    FloatVector b1 = load(out, to + s + HALF);
    FloatVector b2 = load(out, to + 2 * s + HALF);
    FloatVector b3 = load(out, to + 3 * s + HALF);
    FloatVector b4 = load(out, to + 4 * s + HALF);
    FloatVector b5 = load(out, to + 5 * s + HALF);
    FloatVector b6 = load(out, to + 6 * s + HALF);
    FloatVector b7 = load(out, to + 7 * s + HALF);
    for (int k = 0; k < n; k++) {
      FloatVector low = load(tile, k * PANEL + o);
      FloatVector high = load(tile, k * PANEL + o + HALF);
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
    FloatVector a0 = load(out, to);
    FloatVector a1 = load(out, to + s);
    FloatVector a2 = load(out, to + 2 * s);
    FloatVector a3 = load(out, to + 3 * s);
    FloatVector b0 = load(out, to + HALF);
    FloatVector b1 = load(out, to + s + HALF);
    FloatVector b2 = load(out, to + 2 * s + HALF);
    FloatVector b3 = load(out, to + 3 * s + HALF);
    for (int k = 0; k < n; k++) {
      FloatVector low = load(tile, k * PANEL + o);
      FloatVector high = load(tile, k * PANEL + o + HALF);
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

  private static FloatVector load(float[] from, int at) {
    return FloatVector.fromArray(F, from, at);
  }
}
