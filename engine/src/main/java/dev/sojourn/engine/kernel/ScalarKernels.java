package dev.sojourn.engine.kernel;

import java.util.Arrays;

/** The definition of {@link Kernels} in plain Java: the oracle of the vectors. */
final class ScalarKernels implements Kernels {

  @Override
  public String description() {
    return "plain Java";
  }

  @Override
  public void product(
      PackedMatrix w,
      int firstPanel,
      int panels,
      float[] x,
      int tokens,
      float[] out,
      int stride,
      ProductScratch scratch) {
    int columns = w.columns();
    int first = firstPanel * PackedMatrix.PANEL;
    int end = Math.min(first + panels * PackedMatrix.PANEL, w.rows());
    float[] weights = new float[columns];
    for (int row = first; row < end; row++) {
      w.row(row, weights, 0);
      for (int t = 0; t < tokens; t++) {
        int at = tokens == 1 ? 0 : t / GROUP * GROUP * columns + t % GROUP;
        int step = tokens == 1 ? 1 : GROUP;
        float sum = 0;
        for (int k = 0; k < columns; k++) {
          sum = Math.fma(weights[k], x[at + k * step], sum);
        }
        out[t * stride + row] = sum;
      }
    }
  }

  @Override
  public float squares(float[] x, int at, int n, float[] sums) {
    Arrays.fill(sums, 0);
    for (int i = 0; i < n; i++) {
      sums[i % LANES] = Math.fma(x[at + i], x[at + i], sums[i % LANES]);
    }
    return Kernels.tree(sums, 0);
  }

  @Override
  public float sum(float[] x, int at, int n, float[] sums) {
    Arrays.fill(sums, 0);
    for (int i = 0; i < n; i++) {
      sums[i % LANES] += x[at + i];
    }
    return Kernels.tree(sums, 0);
  }

  @Override
  public void exp(float[] x, int at, float minus, float factor, float[] out, int outAt, int n) {
    for (int i = 0; i < n; i++) {
      out[outAt + i] = Exp.exp((x[at + i] - minus) * factor);
    }
  }

  @Override
  public void scores(
      float[] q, int from, int to, int headDim, float[] keys, int first, int end, float[] scores) {
    for (int j = from; j < to; j++) {
      for (int t = first; t < end; t++) {
        float sum = 0;
        for (int d = 0; d < headDim; d++) {
          float number = q[j / QUERIES * QUERIES * headDim + d * QUERIES + j % QUERIES];
          sum = Math.fma(keys[(t / LANES * headDim + d) * LANES + t % LANES], number, sum);
        }
        scores[j * SPAN + t] = sum;
      }
    }
  }

  @Override
  public void weigh(
      float[] scores,
      int from,
      int to,
      int[] first,
      int[] end,
      float[] max,
      float[] sum,
      float[] scale,
      float[] sums) {
    for (int j = from; j < to; j++) {
      int at = j * SPAN;
      Kernels.hide(scores, at, first[j], end[j], 0, SPAN);
      float greatest = max[j];
      for (int t = 0; t < SPAN; t++) {
        greatest = scores[at + t] > greatest ? scores[at + t] : greatest;
      }
      exp(scores, at, greatest, 1, scores, at, SPAN);
      scale[j] = Exp.exp(max[j] - greatest);
      max[j] = greatest;
      sum[j] = Math.fma(sum[j], scale[j], sum(scores, at, SPAN, sums));
    }
  }

  @Override
  public void accumulate(
      float[] weights,
      int from,
      int to,
      int[] first,
      int[] end,
      float[] values,
      int panels,
      float[] out) {
    int dims = panels * LANES;
    for (int j = from; j < to; j++) {
      for (int d = 0; d < dims; d++) {
        float sum = out[j * dims + d];
        for (int t = first[j]; t < end[j]; t++) {
          float value = values[(d / LANES * SPAN + t) * LANES + d % LANES];
          sum = Math.fma(value, weights[j * SPAN + t], sum);
        }
        out[j * dims + d] = sum;
      }
    }
  }

  @Override
  public void widenHalves(short[] from, int at, float[] to, int toAt, int n) {
    for (int i = 0; i < n; i++) {
      to[toAt + i] = Float.float16ToFloat(from[at + i]);
    }
  }

  @Override
  public void widenBfloats(short[] from, int at, float[] to, int toAt, int n) {
    for (int i = 0; i < n; i++) {
      to[toAt + i] = Float.intBitsToFloat(from[at + i] << 16);
    }
  }

  @Override
  public void widenColumns(
      byte[] from, int at, float[] scales, int scalesAt, float[] to, int toAt, int n) {
    for (int i = 0; i < n; i++) {
      to[toAt + i] = from[at + i] * scales[scalesAt + i % LANES];
    }
  }

  @Override
  public void widenRows(
      byte[] from, int at, float[] scales, int scalesAt, float[] to, int toAt, int n) {
    for (int i = 0; i < n; i++) {
      to[toAt + i] = from[at + i] * scales[scalesAt + i / LANES];
    }
  }
}
