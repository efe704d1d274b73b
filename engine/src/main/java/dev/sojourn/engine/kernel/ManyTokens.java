package dev.sojourn.engine.kernel;

import static dev.sojourn.engine.kernel.Kernels.GROUP;
import static dev.sojourn.engine.kernel.PackedMatrix.HALF;
import static dev.sojourn.engine.kernel.PackedMatrix.PANEL;
import static dev.sojourn.engine.kernel.Vectors.F;
import static dev.sojourn.engine.kernel.Vectors.L;

import jdk.incubator.vector.FloatVector;

/**
 * Products of a run of panels with many tokens.
 *
 * <p>What bounds it is where things lie (Goto and van de Geijn 2008). A tile of weights, unpacked
 * to floats, stays in L1 while the tokens' activations of its columns pass from L2, where they stay
 * until all panels of the run have met them; the sums wait in scratch, together, for the next
 * columns, and from the last ones go out. Of twelve tokens at a time 24 sums stay in registers: 14
 * loads for 24 FMAs, two of them of vectors, which should not cross cache lines.
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
      multiplyBlock(w, firstPanel, panels, x, first, count, out, stride, scratch);
    }
  }

  private static void multiplyBlock(
      PackedMatrix w,
      int firstPanel,
      int panels,
      float[] x,
      int first,
      int tokens,
      float[] out,
      int stride,
      ProductScratch scratch) {
    float[] floats = scratch.floats;
    for (int column = 0; column < w.columns(); column += ProductScratch.TILE_COLUMNS) {
      int n = Math.min(ProductScratch.TILE_COLUMNS, w.columns() - column);
      boolean last = column + n == w.columns();
      for (int panel = 0; panel < panels; panel++) {
        VectorUnpack.unpack(w, firstPanel + panel, column, n, scratch);
        for (int t = 0; t < tokens; t += GROUP) {
          int from = (first + t) * w.columns() + column * GROUP;
          int kept = ProductScratch.SUMS + (panel * ProductScratch.TOKENS + t) * PANEL;
          int at = column == 0 ? ProductScratch.ZEROS : kept;
          int step = column == 0 ? 0 : PANEL;
          if (last) {
            int to = (first + t) * stride + (firstPanel + panel) * PANEL;
            add(floats, n, x, from, tokens - t, at, step, out, to, stride);
          } else {
            add(floats, n, x, from, tokens - t, at, step, floats, kept, PANEL);
          }
        }
      }
    }
  }

  /**
   * Adds n columns of the tile for a group, of which so many tokens exist, to the sums from {@code
   * at} on, {@code step} from a token's to the next's, and puts them where they belong next.
   */
  private static void add(
      float[] floats,
      int n,
      float[] x,
      int from,
      int tokens,
      int at,
      int step,
      float[] out,
      int to,
      int stride) {
    for (int o = 0; o < HALF; o += L) {
      int tile = ProductScratch.TILE + o;
      if (WIDE && tokens > 8) {
        twelve(floats, tile, n, x, from, at + o, step, out, to + o, stride);
      } else if (WIDE && tokens > 4) {
        eight(floats, tile, n, x, from, at + o, step, out, to + o, stride);
      } else {
        for (int t = 0; t < Math.min(tokens, GROUP); t += 4) {
          int sums = at + t * step + o;
          four(floats, tile, n, x, from + t, sums, step, out, to + t * stride + o, stride);
        }
      }
    }
  }

  /**
   * Adds n columns of the tile, which begins at {@code tile}, for twelve tokens to sums of the same
   * array.
   */
  private static void twelve(
      float[] floats,
      int tile,
      int n,
      float[] x,
      int from,
      int at,
      int step,
      float[] out,
      int to,
      int stride) {
    FloatVector a0 = FloatVector.fromArray(F, floats, at);
    FloatVector a1 = FloatVector.fromArray(F, floats, at + step);
    FloatVector a2 = FloatVector.fromArray(F, floats, at + 2 * step);
    FloatVector a3 = FloatVector.fromArray(F, floats, at + 3 * step);
    FloatVector a4 = FloatVector.fromArray(F, floats, at + 4 * step);
    FloatVector a5 = FloatVector.fromArray(F, floats, at + 5 * step);
    FloatVector a6 = FloatVector.fromArray(F, floats, at + 6 * step);
    FloatVector a7 = FloatVector.fromArray(F, floats, at + 7 * step);
    FloatVector a8 = FloatVector.fromArray(F, floats, at + 8 * step);
    FloatVector a9 = FloatVector.fromArray(F, floats, at + 9 * step);
    FloatVector a10 = FloatVector.fromArray(F, floats, at + 10 * step);
    FloatVector a11 = FloatVector.fromArray(F, floats, at + 11 * step);
    FloatVector b0 = FloatVector.fromArray(F, floats, at + HALF);
    FloatVector b1 = FloatVector.fromArray(F, floats, at + step + HALF);
    FloatVector b2 = FloatVector.fromArray(F, floats, at + 2 * step + HALF);
    FloatVector b3 = FloatVector.fromArray(F, floats, at + 3 * step + HALF);
    FloatVector b4 = FloatVector.fromArray(F, floats, at + 4 * step + HALF);
    FloatVector b5 = FloatVector.fromArray(F, floats, at + 5 * step + HALF);
    FloatVector b6 = FloatVector.fromArray(F, floats, at + 6 * step + HALF);
    FloatVector b7 = FloatVector.fromArray(F, floats, at + 7 * step + HALF);
    FloatVector b8 = FloatVector.fromArray(F, floats, at + 8 * step + HALF);
    FloatVector b9 = FloatVector.fromArray(F, floats, at + 9 * step + HALF);
    FloatVector b10 = FloatVector.fromArray(F, floats, at + 10 * step + HALF);
    FloatVector b11 = FloatVector.fromArray(F, floats, at + 11 * step + HALF);
    for (int k = 0; k < n; k++) {
      int column = tile + k * PANEL;
      FloatVector low = FloatVector.fromArray(F, floats, column);
      FloatVector high = FloatVector.fromArray(F, floats, column + HALF);
      int first = from + k * GROUP;
      FloatVector factor = FloatVector.broadcast(F, x[first]);
      a0 = low.fma(factor, a0);
      b0 = high.fma(factor, b0);
      factor = FloatVector.broadcast(F, x[first + 1]);
      a1 = low.fma(factor, a1);
      b1 = high.fma(factor, b1);
      factor = FloatVector.broadcast(F, x[first + 2]);
      a2 = low.fma(factor, a2);
      b2 = high.fma(factor, b2);
      factor = FloatVector.broadcast(F, x[first + 3]);
      a3 = low.fma(factor, a3);
      b3 = high.fma(factor, b3);
      factor = FloatVector.broadcast(F, x[first + 4]);
      a4 = low.fma(factor, a4);
      b4 = high.fma(factor, b4);
      factor = FloatVector.broadcast(F, x[first + 5]);
      a5 = low.fma(factor, a5);
      b5 = high.fma(factor, b5);
      factor = FloatVector.broadcast(F, x[first + 6]);
      a6 = low.fma(factor, a6);
      b6 = high.fma(factor, b6);
      factor = FloatVector.broadcast(F, x[first + 7]);
      a7 = low.fma(factor, a7);
      b7 = high.fma(factor, b7);
      factor = FloatVector.broadcast(F, x[first + 8]);
      a8 = low.fma(factor, a8);
      b8 = high.fma(factor, b8);
      factor = FloatVector.broadcast(F, x[first + 9]);
      a9 = low.fma(factor, a9);
      b9 = high.fma(factor, b9);
      factor = FloatVector.broadcast(F, x[first + 10]);
      a10 = low.fma(factor, a10);
      b10 = high.fma(factor, b10);
      factor = FloatVector.broadcast(F, x[first + 11]);
      a11 = low.fma(factor, a11);
      b11 = high.fma(factor, b11);
    }
    a0.intoArray(out, to);
    a1.intoArray(out, to + stride);
    a2.intoArray(out, to + 2 * stride);
    a3.intoArray(out, to + 3 * stride);
    a4.intoArray(out, to + 4 * stride);
    a5.intoArray(out, to + 5 * stride);
    a6.intoArray(out, to + 6 * stride);
    a7.intoArray(out, to + 7 * stride);
    a8.intoArray(out, to + 8 * stride);
    a9.intoArray(out, to + 9 * stride);
    a10.intoArray(out, to + 10 * stride);
    a11.intoArray(out, to + 11 * stride);
    b0.intoArray(out, to + HALF);
    b1.intoArray(out, to + stride + HALF);
    b2.intoArray(out, to + 2 * stride + HALF);
    b3.intoArray(out, to + 3 * stride + HALF);
    b4.intoArray(out, to + 4 * stride + HALF);
    b5.intoArray(out, to + 5 * stride + HALF);
    b6.intoArray(out, to + 6 * stride + HALF);
    b7.intoArray(out, to + 7 * stride + HALF);
    b8.intoArray(out, to + 8 * stride + HALF);
    b9.intoArray(out, to + 9 * stride + HALF);
    b10.intoArray(out, to + 10 * stride + HALF);
    b11.intoArray(out, to + 11 * stride + HALF);
  }

  /** The same for eight tokens. */
  private static void eight(
      float[] floats,
      int tile,
      int n,
      float[] x,
      int from,
      int at,
      int step,
      float[] out,
      int to,
      int stride) {
    FloatVector a0 = FloatVector.fromArray(F, floats, at);
    FloatVector a1 = FloatVector.fromArray(F, floats, at + step);
    FloatVector a2 = FloatVector.fromArray(F, floats, at + 2 * step);
    FloatVector a3 = FloatVector.fromArray(F, floats, at + 3 * step);
    FloatVector a4 = FloatVector.fromArray(F, floats, at + 4 * step);
    FloatVector a5 = FloatVector.fromArray(F, floats, at + 5 * step);
    FloatVector a6 = FloatVector.fromArray(F, floats, at + 6 * step);
    FloatVector a7 = FloatVector.fromArray(F, floats, at + 7 * step);
    FloatVector b0 = FloatVector.fromArray(F, floats, at + HALF);
    FloatVector b1 = FloatVector.fromArray(F, floats, at + step + HALF);
    FloatVector b2 = FloatVector.fromArray(F, floats, at + 2 * step + HALF);
    FloatVector b3 = FloatVector.fromArray(F, floats, at + 3 * step + HALF);
    FloatVector b4 = FloatVector.fromArray(F, floats, at + 4 * step + HALF);
    FloatVector b5 = FloatVector.fromArray(F, floats, at + 5 * step + HALF);
    FloatVector b6 = FloatVector.fromArray(F, floats, at + 6 * step + HALF);
    FloatVector b7 = FloatVector.fromArray(F, floats, at + 7 * step + HALF);
    for (int k = 0; k < n; k++) {
      int column = tile + k * PANEL;
      FloatVector low = FloatVector.fromArray(F, floats, column);
      FloatVector high = FloatVector.fromArray(F, floats, column + HALF);
      int first = from + k * GROUP;
      FloatVector factor = FloatVector.broadcast(F, x[first]);
      a0 = low.fma(factor, a0);
      b0 = high.fma(factor, b0);
      factor = FloatVector.broadcast(F, x[first + 1]);
      a1 = low.fma(factor, a1);
      b1 = high.fma(factor, b1);
      factor = FloatVector.broadcast(F, x[first + 2]);
      a2 = low.fma(factor, a2);
      b2 = high.fma(factor, b2);
      factor = FloatVector.broadcast(F, x[first + 3]);
      a3 = low.fma(factor, a3);
      b3 = high.fma(factor, b3);
      factor = FloatVector.broadcast(F, x[first + 4]);
      a4 = low.fma(factor, a4);
      b4 = high.fma(factor, b4);
      factor = FloatVector.broadcast(F, x[first + 5]);
      a5 = low.fma(factor, a5);
      b5 = high.fma(factor, b5);
      factor = FloatVector.broadcast(F, x[first + 6]);
      a6 = low.fma(factor, a6);
      b6 = high.fma(factor, b6);
      factor = FloatVector.broadcast(F, x[first + 7]);
      a7 = low.fma(factor, a7);
      b7 = high.fma(factor, b7);
    }
    a0.intoArray(out, to);
    a1.intoArray(out, to + stride);
    a2.intoArray(out, to + 2 * stride);
    a3.intoArray(out, to + 3 * stride);
    a4.intoArray(out, to + 4 * stride);
    a5.intoArray(out, to + 5 * stride);
    a6.intoArray(out, to + 6 * stride);
    a7.intoArray(out, to + 7 * stride);
    b0.intoArray(out, to + HALF);
    b1.intoArray(out, to + stride + HALF);
    b2.intoArray(out, to + 2 * stride + HALF);
    b3.intoArray(out, to + 3 * stride + HALF);
    b4.intoArray(out, to + 4 * stride + HALF);
    b5.intoArray(out, to + 5 * stride + HALF);
    b6.intoArray(out, to + 6 * stride + HALF);
    b7.intoArray(out, to + 7 * stride + HALF);
  }

  /** The same for four tokens. */
  private static void four(
      float[] floats,
      int tile,
      int n,
      float[] x,
      int from,
      int at,
      int step,
      float[] out,
      int to,
      int stride) {
    FloatVector a0 = FloatVector.fromArray(F, floats, at);
    FloatVector a1 = FloatVector.fromArray(F, floats, at + step);
    FloatVector a2 = FloatVector.fromArray(F, floats, at + 2 * step);
    FloatVector a3 = FloatVector.fromArray(F, floats, at + 3 * step);
    FloatVector b0 = FloatVector.fromArray(F, floats, at + HALF);
    FloatVector b1 = FloatVector.fromArray(F, floats, at + step + HALF);
    FloatVector b2 = FloatVector.fromArray(F, floats, at + 2 * step + HALF);
    FloatVector b3 = FloatVector.fromArray(F, floats, at + 3 * step + HALF);
    for (int k = 0; k < n; k++) {
      int column = tile + k * PANEL;
      FloatVector low = FloatVector.fromArray(F, floats, column);
      FloatVector high = FloatVector.fromArray(F, floats, column + HALF);
      int first = from + k * GROUP;
      FloatVector factor = FloatVector.broadcast(F, x[first]);
      a0 = low.fma(factor, a0);
      b0 = high.fma(factor, b0);
      factor = FloatVector.broadcast(F, x[first + 1]);
      a1 = low.fma(factor, a1);
      b1 = high.fma(factor, b1);
      factor = FloatVector.broadcast(F, x[first + 2]);
      a2 = low.fma(factor, a2);
      b2 = high.fma(factor, b2);
      factor = FloatVector.broadcast(F, x[first + 3]);
      a3 = low.fma(factor, a3);
      b3 = high.fma(factor, b3);
    }
    a0.intoArray(out, to);
    a1.intoArray(out, to + stride);
    a2.intoArray(out, to + 2 * stride);
    a3.intoArray(out, to + 3 * stride);
    b0.intoArray(out, to + HALF);
    b1.intoArray(out, to + stride + HALF);
    b2.intoArray(out, to + 2 * stride + HALF);
    b3.intoArray(out, to + 3 * stride + HALF);
  }
}
