package dev.sojourn.engine.kernel;

import static dev.sojourn.engine.kernel.Kernels.GROUP;
import static dev.sojourn.engine.kernel.PackedMatrix.HALF;
import static dev.sojourn.engine.kernel.PackedMatrix.PANEL;
import static dev.sojourn.engine.kernel.Vectors.F;
import static dev.sojourn.engine.kernel.Vectors.L;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * Products of a run of panels with many tokens.
 *
 * <p>What bounds it is where things lie (Goto and van de Geijn 2008). A tile of weights, unpacked
 * to floats, stays in L1 while the tokens' activations of its columns pass from L2, where they stay
 * until all panels of the run have met them; the sums wait in scratch, together, for the next
 * columns, and go out once. Of twelve tokens at a time 24 sums stay in registers: 14 loads for 24
 * FMAs, so that it does not matter much that arrays begin anywhere in a cache line.
 *
 * <p>An output is one chain of FMAs in order of the column, as for one token.
 */
final class ManyTokens {

  /** Twelve tokens take 24 sums, 2 weights and a factor: there must be 32 registers. */
  private static final boolean WIDE = L == 16;

  private ManyTokens() {}

  static void multiply(
      PackedMatrix w,
      int firstPanel,
      int panels,
      float[] x,
      int tokens,
      float[] out,
      int stride,
      ProductScratch scratch) {
    for (int first = 0; first < tokens; first += ProductScratch.TOKENS) {
      int count = Math.min(ProductScratch.TOKENS, tokens - first);
      multiplyBlock(w, firstPanel, panels, x, first, count, scratch);
      write(firstPanel, panels, scratch.sums, out, first, count, stride);
    }
  }

  private static void multiplyBlock(
      PackedMatrix w,
      int firstPanel,
      int panels,
      float[] x,
      int first,
      int tokens,
      ProductScratch scratch) {
    Arrays.fill(scratch.sums, 0, panels * groups(tokens) * GROUP * PANEL, 0);
    for (int column = 0; column < w.columns(); column += ProductScratch.TILE_COLUMNS) {
      int n = Math.min(ProductScratch.TILE_COLUMNS, w.columns() - column);
      for (int panel = 0; panel < panels; panel++) {
        VectorUnpack.unpack(w, firstPanel + panel, column, n, scratch);
        int sums = panel * groups(tokens) * GROUP * PANEL;
        for (int t = 0; t < tokens; t += GROUP) {
          int from = (first + t) * w.columns() + column * GROUP;
          add(scratch, n, x, from, tokens - t, sums + t * PANEL);
        }
      }
    }
  }

  private static int groups(int tokens) {
    return Math.ceilDiv(tokens, GROUP);
  }

  /** Adds n columns of the tile for a group, of which so many tokens exist. */
  private static void add(
      ProductScratch scratch, int n, float[] x, int from, int tokens, int sums) {
    for (int o = 0; o < HALF; o += L) {
      if (WIDE && tokens > 8) {
        twelve(scratch.tile, o, n, x, from, scratch.sums, sums + o);
      } else if (WIDE && tokens > 4) {
        eight(scratch.tile, o, n, x, from, scratch.sums, sums + o);
      } else {
        for (int t = 0; t < Math.min(tokens, GROUP); t += 4) {
          four(scratch.tile, o, n, x, from + t, scratch.sums, sums + t * PANEL + o);
        }
      }
    }
  }

  private static void write(
      int firstPanel, int panels, float[] sums, float[] out, int first, int tokens, int stride) {
    for (int t = 0; t < tokens; t++) {
      for (int panel = 0; panel < panels; panel++) {
        int from = (panel * groups(tokens) * GROUP + t) * PANEL;
        int to = (first + t) * stride + (firstPanel + panel) * PANEL;
        System.arraycopy(sums, from, out, to, PANEL);
      }
    }
  }

  /** Adds n columns of the tile for twelve tokens. */
  private static void twelve(
      float[] tile, int o, int n, float[] x, int from, float[] sums, int to) {
    FloatVector a0 = FloatVector.fromArray(F, sums, to);
    FloatVector a1 = FloatVector.fromArray(F, sums, to + PANEL);
    FloatVector a2 = FloatVector.fromArray(F, sums, to + 2 * PANEL);
    FloatVector a3 = FloatVector.fromArray(F, sums, to + 3 * PANEL);
    FloatVector a4 = FloatVector.fromArray(F, sums, to + 4 * PANEL);
    FloatVector a5 = FloatVector.fromArray(F, sums, to + 5 * PANEL);
    FloatVector a6 = FloatVector.fromArray(F, sums, to + 6 * PANEL);
    FloatVector a7 = FloatVector.fromArray(F, sums, to + 7 * PANEL);
    FloatVector a8 = FloatVector.fromArray(F, sums, to + 8 * PANEL);
    FloatVector a9 = FloatVector.fromArray(F, sums, to + 9 * PANEL);
    FloatVector a10 = FloatVector.fromArray(F, sums, to + 10 * PANEL);
    FloatVector a11 = FloatVector.fromArray(F, sums, to + 11 * PANEL);
    FloatVector b0 = FloatVector.fromArray(F, sums, to + HALF);
    FloatVector b1 = FloatVector.fromArray(F, sums, to + PANEL + HALF);
    FloatVector b2 = FloatVector.fromArray(F, sums, to + 2 * PANEL + HALF);
    FloatVector b3 = FloatVector.fromArray(F, sums, to + 3 * PANEL + HALF);
    FloatVector b4 = FloatVector.fromArray(F, sums, to + 4 * PANEL + HALF);
    FloatVector b5 = FloatVector.fromArray(F, sums, to + 5 * PANEL + HALF);
    FloatVector b6 = FloatVector.fromArray(F, sums, to + 6 * PANEL + HALF);
    FloatVector b7 = FloatVector.fromArray(F, sums, to + 7 * PANEL + HALF);
    FloatVector b8 = FloatVector.fromArray(F, sums, to + 8 * PANEL + HALF);
    FloatVector b9 = FloatVector.fromArray(F, sums, to + 9 * PANEL + HALF);
    FloatVector b10 = FloatVector.fromArray(F, sums, to + 10 * PANEL + HALF);
    FloatVector b11 = FloatVector.fromArray(F, sums, to + 11 * PANEL + HALF);
    for (int k = 0; k < n; k++) {
      int column = k * PANEL + o;
      FloatVector low = FloatVector.fromArray(F, tile, column);
      FloatVector high = FloatVector.fromArray(F, tile, column + HALF);
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
      factor = FloatVector.broadcast(F, x[at + 8]);
      a8 = low.fma(factor, a8);
      b8 = high.fma(factor, b8);
      factor = FloatVector.broadcast(F, x[at + 9]);
      a9 = low.fma(factor, a9);
      b9 = high.fma(factor, b9);
      factor = FloatVector.broadcast(F, x[at + 10]);
      a10 = low.fma(factor, a10);
      b10 = high.fma(factor, b10);
      factor = FloatVector.broadcast(F, x[at + 11]);
      a11 = low.fma(factor, a11);
      b11 = high.fma(factor, b11);
    }
    a0.intoArray(sums, to);
    a1.intoArray(sums, to + PANEL);
    a2.intoArray(sums, to + 2 * PANEL);
    a3.intoArray(sums, to + 3 * PANEL);
    a4.intoArray(sums, to + 4 * PANEL);
    a5.intoArray(sums, to + 5 * PANEL);
    a6.intoArray(sums, to + 6 * PANEL);
    a7.intoArray(sums, to + 7 * PANEL);
    a8.intoArray(sums, to + 8 * PANEL);
    a9.intoArray(sums, to + 9 * PANEL);
    a10.intoArray(sums, to + 10 * PANEL);
    a11.intoArray(sums, to + 11 * PANEL);
    b0.intoArray(sums, to + HALF);
    b1.intoArray(sums, to + PANEL + HALF);
    b2.intoArray(sums, to + 2 * PANEL + HALF);
    b3.intoArray(sums, to + 3 * PANEL + HALF);
    b4.intoArray(sums, to + 4 * PANEL + HALF);
    b5.intoArray(sums, to + 5 * PANEL + HALF);
    b6.intoArray(sums, to + 6 * PANEL + HALF);
    b7.intoArray(sums, to + 7 * PANEL + HALF);
    b8.intoArray(sums, to + 8 * PANEL + HALF);
    b9.intoArray(sums, to + 9 * PANEL + HALF);
    b10.intoArray(sums, to + 10 * PANEL + HALF);
    b11.intoArray(sums, to + 11 * PANEL + HALF);
  }

  /** The same for eight tokens. */
  private static void eight(float[] tile, int o, int n, float[] x, int from, float[] sums, int to) {
    FloatVector a0 = FloatVector.fromArray(F, sums, to);
    FloatVector a1 = FloatVector.fromArray(F, sums, to + PANEL);
    FloatVector a2 = FloatVector.fromArray(F, sums, to + 2 * PANEL);
    FloatVector a3 = FloatVector.fromArray(F, sums, to + 3 * PANEL);
    FloatVector a4 = FloatVector.fromArray(F, sums, to + 4 * PANEL);
    FloatVector a5 = FloatVector.fromArray(F, sums, to + 5 * PANEL);
    FloatVector a6 = FloatVector.fromArray(F, sums, to + 6 * PANEL);
    FloatVector a7 = FloatVector.fromArray(F, sums, to + 7 * PANEL);
    FloatVector b0 = FloatVector.fromArray(F, sums, to + HALF);
    FloatVector b1 = FloatVector.fromArray(F, sums, to + PANEL + HALF);
    FloatVector b2 = FloatVector.fromArray(F, sums, to + 2 * PANEL + HALF);
    FloatVector b3 = FloatVector.fromArray(F, sums, to + 3 * PANEL + HALF);
    FloatVector b4 = FloatVector.fromArray(F, sums, to + 4 * PANEL + HALF);
    FloatVector b5 = FloatVector.fromArray(F, sums, to + 5 * PANEL + HALF);
    FloatVector b6 = FloatVector.fromArray(F, sums, to + 6 * PANEL + HALF);
    FloatVector b7 = FloatVector.fromArray(F, sums, to + 7 * PANEL + HALF);
    for (int k = 0; k < n; k++) {
      int column = k * PANEL + o;
      FloatVector low = FloatVector.fromArray(F, tile, column);
      FloatVector high = FloatVector.fromArray(F, tile, column + HALF);
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
    a0.intoArray(sums, to);
    a1.intoArray(sums, to + PANEL);
    a2.intoArray(sums, to + 2 * PANEL);
    a3.intoArray(sums, to + 3 * PANEL);
    a4.intoArray(sums, to + 4 * PANEL);
    a5.intoArray(sums, to + 5 * PANEL);
    a6.intoArray(sums, to + 6 * PANEL);
    a7.intoArray(sums, to + 7 * PANEL);
    b0.intoArray(sums, to + HALF);
    b1.intoArray(sums, to + PANEL + HALF);
    b2.intoArray(sums, to + 2 * PANEL + HALF);
    b3.intoArray(sums, to + 3 * PANEL + HALF);
    b4.intoArray(sums, to + 4 * PANEL + HALF);
    b5.intoArray(sums, to + 5 * PANEL + HALF);
    b6.intoArray(sums, to + 6 * PANEL + HALF);
    b7.intoArray(sums, to + 7 * PANEL + HALF);
  }

  /** The same for four tokens. */
  private static void four(float[] tile, int o, int n, float[] x, int from, float[] sums, int to) {
    FloatVector a0 = FloatVector.fromArray(F, sums, to);
    FloatVector a1 = FloatVector.fromArray(F, sums, to + PANEL);
    FloatVector a2 = FloatVector.fromArray(F, sums, to + 2 * PANEL);
    FloatVector a3 = FloatVector.fromArray(F, sums, to + 3 * PANEL);
    FloatVector b0 = FloatVector.fromArray(F, sums, to + HALF);
    FloatVector b1 = FloatVector.fromArray(F, sums, to + PANEL + HALF);
    FloatVector b2 = FloatVector.fromArray(F, sums, to + 2 * PANEL + HALF);
    FloatVector b3 = FloatVector.fromArray(F, sums, to + 3 * PANEL + HALF);
    for (int k = 0; k < n; k++) {
      int column = k * PANEL + o;
      FloatVector low = FloatVector.fromArray(F, tile, column);
      FloatVector high = FloatVector.fromArray(F, tile, column + HALF);
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
    a0.intoArray(sums, to);
    a1.intoArray(sums, to + PANEL);
    a2.intoArray(sums, to + 2 * PANEL);
    a3.intoArray(sums, to + 3 * PANEL);
    b0.intoArray(sums, to + HALF);
    b1.intoArray(sums, to + PANEL + HALF);
    b2.intoArray(sums, to + 2 * PANEL + HALF);
    b3.intoArray(sums, to + 3 * PANEL + HALF);
  }
}
