package dev.sojourn.engine.kernel;

import static dev.sojourn.engine.kernel.Kernels.LANES;
import static dev.sojourn.engine.kernel.Kernels.QUERIES;
import static dev.sojourn.engine.kernel.Kernels.SPAN;
import static dev.sojourn.engine.kernel.Vectors.F;
import static dev.sojourn.engine.kernel.Vectors.L;
import static jdk.incubator.vector.VectorOperators.GT;
import static jdk.incubator.vector.VectorOperators.MAX;

import jdk.incubator.vector.FloatVector;

/**
 * Attention in tiles of four queries and two vectors: eight sums hide the latency of an FMA, and
 * six loads feed eight of them; with 16 registers they still fit.
 */
final class VectorAttention {

  private VectorAttention() {}

  static void scores(
      float[] q, int from, int to, int headDim, float[] keys, int first, int end, float[] scores) {
    for (int t = first; t < end; t += 2 * L) {
      int u = Math.min(t + L, end - L); // an odd vector is computed twice
      int tAt = t / LANES * LANES * headDim + t % LANES;
      int uAt = u / LANES * LANES * headDim + u % LANES;
      for (int j = from; j < to; j += QUERIES) {
        int tile = j * headDim;
        FloatVector a0 = FloatVector.zero(F);
        FloatVector a1 = FloatVector.zero(F);
        FloatVector a2 = FloatVector.zero(F);
        FloatVector a3 = FloatVector.zero(F);
        FloatVector b0 = FloatVector.zero(F);
        FloatVector b1 = FloatVector.zero(F);
        FloatVector b2 = FloatVector.zero(F);
        FloatVector b3 = FloatVector.zero(F);
        for (int d = 0; d < headDim; d++) {
          FloatVector a = FloatVector.fromArray(F, keys, tAt + d * LANES);
          FloatVector b = FloatVector.fromArray(F, keys, uAt + d * LANES);
          FloatVector q0 = FloatVector.broadcast(F, q[tile + d * QUERIES]);
          a0 = a.fma(q0, a0);
          b0 = b.fma(q0, b0);
          FloatVector q1 = FloatVector.broadcast(F, q[tile + d * QUERIES + 1]);
          a1 = a.fma(q1, a1);
          b1 = b.fma(q1, b1);
          FloatVector q2 = FloatVector.broadcast(F, q[tile + d * QUERIES + 2]);
          a2 = a.fma(q2, a2);
          b2 = b.fma(q2, b2);
          FloatVector q3 = FloatVector.broadcast(F, q[tile + d * QUERIES + 3]);
          a3 = a.fma(q3, a3);
          b3 = b.fma(q3, b3);
        }
        int row = j * SPAN;
        a0.intoArray(scores, row + t);
        b0.intoArray(scores, row + u);
        a1.intoArray(scores, row + SPAN + t);
        b1.intoArray(scores, row + SPAN + u);
        a2.intoArray(scores, row + 2 * SPAN + t);
        b2.intoArray(scores, row + 2 * SPAN + u);
        a3.intoArray(scores, row + 3 * SPAN + t);
        b3.intoArray(scores, row + 3 * SPAN + u);
      }
    }
  }

  /** Returns the greatest of {@code least} and {@code n} floats, a multiple of 16; no NaN. */
  static float greatest(float[] x, int at, int n, float least) {
    FloatVector greatest = FloatVector.broadcast(F, least);
    for (int i = 0; i < n; i += L) {
      FloatVector v = FloatVector.fromArray(F, x, at + i);
      greatest = greatest.blend(v, v.compare(GT, greatest)); // less work than max
    }
    return greatest.reduceLanes(MAX);
  }

  /**
   * Two panels at a time for all queries, so that they stay in the first cache. Tokens that all
   * queries of a tile see are taken together, those before and after alone.
   */
  static void accumulate(
      float[] weights,
      int from,
      int to,
      int[] first,
      int[] end,
      float[] values,
      int panels,
      float[] out) {
    for (int p = 0; p < panels; p += 2) {
      for (int j = from; j < to; j += QUERIES) {
        int last = Math.min(j + QUERIES, to) - 1;
        int begin = first[last];
        int stop = Math.max(begin, end[j]);
        for (int i = j; i <= last; i++) {
          tile(weights, i, i, first[i], Math.min(begin, end[i]), values, p, panels, out);
        }
        tile(weights, j, last, begin, stop, values, p, panels, out);
        for (int i = j; i <= last; i++) {
          tile(weights, i, i, stop, end[i], values, p, panels, out);
        }
      }
    }
  }

  /** Of fewer than four queries the others are computed from what is there, and not stored. */
  private static void tile(
      float[] weights,
      int j,
      int last,
      int first,
      int end,
      float[] values,
      int p,
      int panels,
      float[] out) {
    if (first >= end) {
      return;
    }
    int w = j * SPAN;
    int dims = panels * LANES;
    int next = Math.min(p + 1, panels - 1); // an odd panel is computed twice
    for (int o = 0; o < LANES; o += L) {
      int d = j * dims + p * LANES + o;
      int e = j * dims + next * LANES + o;
      FloatVector a0 = FloatVector.fromArray(F, out, d);
      FloatVector b0 = FloatVector.fromArray(F, out, e);
      FloatVector a1 = FloatVector.fromArray(F, out, d + dims);
      FloatVector b1 = FloatVector.fromArray(F, out, e + dims);
      FloatVector a2 = FloatVector.fromArray(F, out, d + 2 * dims);
      FloatVector b2 = FloatVector.fromArray(F, out, e + 2 * dims);
      FloatVector a3 = FloatVector.fromArray(F, out, d + 3 * dims);
      FloatVector b3 = FloatVector.fromArray(F, out, e + 3 * dims);
      int dAt = p * SPAN * LANES + o;
      int eAt = next * SPAN * LANES + o;
      for (int t = first; t < end; t++) {
        FloatVector a = FloatVector.fromArray(F, values, dAt + t * LANES);
        FloatVector b = FloatVector.fromArray(F, values, eAt + t * LANES);
        FloatVector p0 = FloatVector.broadcast(F, weights[w + t]);
        a0 = a.fma(p0, a0);
        b0 = b.fma(p0, b0);
        FloatVector p1 = FloatVector.broadcast(F, weights[w + t + SPAN]);
        a1 = a.fma(p1, a1);
        b1 = b.fma(p1, b1);
        FloatVector p2 = FloatVector.broadcast(F, weights[w + t + 2 * SPAN]);
        a2 = a.fma(p2, a2);
        b2 = b.fma(p2, b2);
        FloatVector p3 = FloatVector.broadcast(F, weights[w + t + 3 * SPAN]);
        a3 = a.fma(p3, a3);
        b3 = b.fma(p3, b3);
      }
      a0.intoArray(out, d);
      b0.intoArray(out, e);
      if (last > j) {
        a1.intoArray(out, d + dims);
        b1.intoArray(out, e + dims);
      }
      if (last > j + 1) {
        a2.intoArray(out, d + 2 * dims);
        b2.intoArray(out, e + 2 * dims);
      }
      if (last > j + 2) {
        a3.intoArray(out, d + 3 * dims);
        b3.intoArray(out, e + 3 * dims);
      }
    }
  }
}
