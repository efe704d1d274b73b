package dev.sojourn.engine.kernel;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
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
  public void exp(float[] x, int at, float minus, float divisor, float[] out, int outAt, int n) {
    for (int i = 0; i < n; i++) {
      out[outAt + i] = Exp.exp((x[at + i] - minus) / divisor);
    }
  }

  @Override
  public void scores(
      float[] q,
      int[] at,
      int from,
      int to,
      int headDim,
      MemorySegment keys,
      long keysAt,
      float[] scores) {
    for (int j = from; j < to; j++) {
      for (int lane = 0; lane < LANES; lane++) {
        float sum = 0;
        for (int d = 0; d < headDim; d++) {
          sum = Math.fma(floatAt(keys, keysAt, d * LANES + lane), q[at[j] + d], sum);
        }
        scores[j * LANES + lane] = sum;
      }
    }
  }

  @Override
  public void accumulate(
      float[] weights,
      int weightsAt,
      int first,
      int end,
      float scale,
      MemorySegment values,
      long valuesAt,
      int headDim,
      float[] out,
      int outAt) {
    for (int d = 0; d < headDim; d++) {
      float sum = out[outAt + d] * scale;
      for (int t = first; t < end; t++) {
        sum = Math.fma(floatAt(values, valuesAt, t * headDim + d), weights[weightsAt + t], sum);
      }
      out[outAt + d] = sum;
    }
  }

  @Override
  public void widenHalves(MemorySegment from, long fromAt, MemorySegment to, int n) {
    for (int i = 0; i < n; i++) {
      int bits = from.get(ValueLayout.JAVA_SHORT, fromAt + 2L * i) << Halves.SHIFT;
      float wide = Float.intBitsToFloat(bits & Halves.BITS) * Halves.PLAIN.factor();
      to.setAtIndex(ValueLayout.JAVA_FLOAT, i, wide);
    }
  }

  @Override
  public void widenBfloats(MemorySegment from, long fromAt, MemorySegment to, int n) {
    for (int i = 0; i < n; i++) {
      int high = from.get(ValueLayout.JAVA_SHORT, fromAt + 2L * i) << 16;
      to.setAtIndex(ValueLayout.JAVA_FLOAT, i, Float.intBitsToFloat(high));
    }
  }

  static float floatAt(MemorySegment segment, long at, int index) {
    return segment.get(ValueLayout.JAVA_FLOAT, at + 4L * index);
  }
}
