package dev.sojourn.engine.kernel;

import static dev.sojourn.engine.kernel.Vectors.F;
import static dev.sojourn.engine.kernel.Vectors.L;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/** {@link Kernels} with vectors. Tails shorter than a vector are done as plain Java does them. */
final class VectorKernels implements Kernels {

  @Override
  public String description() {
    return F.vectorBitSize() + "-bit vectors";
  }

  @Override
  public void product(
      PackedMatrix w, int panel, float[] x, int tokens, float[] out, int stride, float[] tile) {
    if (tokens == 1) {
      VectorProducts.one(w, panel, x, out);
    } else {
      VectorProducts.many(w, panel, x, tokens, out, stride, tile);
    }
  }

  @Override
  public float squares(float[] x, int at, int n, float[] sums) {
    int whole = n - n % LANES;
    for (int o = 0; o < LANES; o += L) {
      FloatVector sum = FloatVector.zero(F);
      for (int i = o; i < whole; i += LANES) {
        FloatVector v = FloatVector.fromArray(F, x, at + i);
        sum = v.fma(v, sum);
      }
      sum.intoArray(sums, o);
    }
    for (int i = whole; i < n; i++) {
      sums[i - whole] = Math.fma(x[at + i], x[at + i], sums[i - whole]);
    }
    return Kernels.tree(sums, 0);
  }

  @Override
  public void siluTimes(float[] gate, float[] up, int at, int n) {
    int i = at;
    for (; i <= at + n - L; i += L) {
      FloatVector g = FloatVector.fromArray(F, gate, i);
      g.div(Vectors.exp(g.neg()).add(1)).mul(FloatVector.fromArray(F, up, i)).intoArray(gate, i);
    }
    for (; i < at + n; i++) {
      gate[i] = gate[i] / (1 + Exp.exp(-gate[i])) * up[i];
    }
  }

  @Override
  public void exp(float[] x, float minus, float divisor, float[] out, int n) {
    int i = 0;
    for (; i <= n - L; i += L) {
      Vectors.exp(FloatVector.fromArray(F, x, i).sub(minus).div(divisor)).intoArray(out, i);
    }
    for (; i < n; i++) {
      out[i] = Exp.exp((x[i] - minus) / divisor);
    }
  }

  /** Four queries at a time share the loads of keys and hide each other's latency. */
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
    for (int j = from; j < to; j += 4) {
      // Of less than four the last is computed again, with the same result.
      int j1 = Math.min(j + 1, to - 1);
      int j2 = Math.min(j + 2, to - 1);
      int j3 = Math.min(j + 3, to - 1);
      int q0 = at[j];
      int q1 = at[j1];
      int q2 = at[j2];
      int q3 = at[j3];
      for (int o = 0; o < LANES; o += L) {
        FloatVector s0 = FloatVector.zero(F);
        FloatVector s1 = FloatVector.zero(F);
        FloatVector s2 = FloatVector.zero(F);
        FloatVector s3 = FloatVector.zero(F);
        for (int d = 0; d < headDim; d++) {
          FloatVector k = Vectors.floats(keys, keysAt + (d * LANES + o) * 4L);
          s0 = k.fma(FloatVector.broadcast(F, q[q0 + d]), s0);
          s1 = k.fma(FloatVector.broadcast(F, q[q1 + d]), s1);
          s2 = k.fma(FloatVector.broadcast(F, q[q2 + d]), s2);
          s3 = k.fma(FloatVector.broadcast(F, q[q3 + d]), s3);
        }
        s0.intoArray(scores, j * LANES + o);
        s1.intoArray(scores, j1 * LANES + o);
        s2.intoArray(scores, j2 * LANES + o);
        s3.intoArray(scores, j3 * LANES + o);
      }
    }
  }

  @Override
  public float weigh(float[] scores, int j, int valid, float[] max, float[] sum) {
    int at = j * LANES;
    for (int lane = valid; lane < LANES; lane++) {
      scores[at + lane] = Float.NEGATIVE_INFINITY; // weighs 0; what was there may be NaN
    }
    float greatest = max[j];
    for (int o = 0; o < LANES; o += L) {
      FloatVector page = FloatVector.fromArray(F, scores, at + o);
      greatest = Math.max(greatest, page.reduceLanes(VectorOperators.MAX));
    }
    for (int o = 0; o < LANES; o += L) {
      FloatVector page = FloatVector.fromArray(F, scores, at + o);
      Vectors.exp(page.sub(greatest)).intoArray(scores, at + o);
    }
    float scale = Exp.exp(max[j] - greatest);
    max[j] = greatest;
    sum[j] = Math.fma(sum[j], scale, Kernels.tree(scores, at));
    return scale;
  }

  @Override
  public void accumulate(
      float[] weights,
      int weightsAt,
      int valid,
      float scale,
      MemorySegment values,
      long valuesAt,
      int headDim,
      float[] out,
      int outAt) {
    int d = 0;
    for (; d <= headDim - L; d += L) {
      FloatVector sum = FloatVector.fromArray(F, out, outAt + d).mul(scale);
      for (int t = 0; t < valid; t++) {
        FloatVector v = Vectors.floats(values, valuesAt + (t * headDim + d) * 4L);
        sum = v.fma(FloatVector.broadcast(F, weights[weightsAt + t]), sum);
      }
      sum.intoArray(out, outAt + d);
    }
    for (; d < headDim; d++) {
      float sum = out[outAt + d] * scale;
      for (int t = 0; t < valid; t++) {
        sum =
            Math.fma(
                ScalarKernels.floatAt(values, valuesAt, t * headDim + d),
                weights[weightsAt + t],
                sum);
      }
      out[outAt + d] = sum;
    }
  }

  @Override
  public void widenHalves(MemorySegment from, long fromAt, MemorySegment to, int n) {
    for (int i = 0; i < n; i += L) {
      Vectors.halves(from, fromAt + 2L * i).intoMemorySegment(to, 4L * i, ByteOrder.LITTLE_ENDIAN);
    }
  }

  @Override
  public void widenBfloats(MemorySegment from, long fromAt, MemorySegment to, int n) {
    for (int i = 0; i < n; i += L) {
      Vectors.bfloats(from, fromAt + 2L * i).intoMemorySegment(to, 4L * i, ByteOrder.LITTLE_ENDIAN);
    }
  }
}
