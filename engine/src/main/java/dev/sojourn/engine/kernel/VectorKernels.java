package dev.sojourn.engine.kernel;

import static dev.sojourn.engine.kernel.Vectors.F;
import static dev.sojourn.engine.kernel.Vectors.I;
import static dev.sojourn.engine.kernel.Vectors.L;
import static dev.sojourn.engine.kernel.Vectors.S;
import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LT;
import static jdk.incubator.vector.VectorOperators.S2I;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;

/** {@link Kernels} with vectors. Tails shorter than a vector are done as plain Java does them. */
final class VectorKernels implements Kernels {

  @Override
  public String description() {
    return F.vectorBitSize() + "-bit vectors";
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
    if (tokens == 1) {
      OneToken.multiply(w, firstPanel, panels, x, out, scratch);
    } else if (FewTokens.takes(w.type(), tokens)) {
      FewTokens.multiply(w, firstPanel, panels, x, tokens, out, stride, scratch);
    } else {
      ManyTokens.multiply(w, firstPanel, panels, x, tokens, out, stride, scratch);
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

  /** {@link Exp#exp}, lane by lane. */
  @Override
  public void exp(float[] x, int at, float minus, float divisor, float[] out, int outAt, int n) {
    FloatVector log2e = FloatVector.broadcast(F, Exp.LOG2_E);
    FloatVector rounder = FloatVector.broadcast(F, Exp.ROUNDER);
    FloatVector high = FloatVector.broadcast(F, Exp.MINUS_LN2_HIGH);
    FloatVector low = FloatVector.broadcast(F, Exp.MINUS_LN2_LOW);
    int i = 0;
    for (; i <= n - L; i += L) {
      FloatVector v = FloatVector.fromArray(F, x, at + i).sub(minus).div(divisor);
      FloatVector a = v.min(Exp.HIGHEST);
      FloatVector rounded = a.fma(log2e, rounder);
      FloatVector whole = rounded.sub(Exp.ROUNDER);
      FloatVector r = whole.fma(low, whole.fma(high, a));
      FloatVector p = r.fma(FloatVector.broadcast(F, Exp.P5), FloatVector.broadcast(F, Exp.P4));
      p = r.fma(p, FloatVector.broadcast(F, Exp.P3));
      p = r.fma(p, FloatVector.broadcast(F, Exp.P2));
      p = r.fma(p, FloatVector.broadcast(F, Exp.P1));
      p = r.fma(p, FloatVector.broadcast(F, Exp.P0));
      p = r.mul(r).fma(p, r).add(1);
      FloatVector power =
          rounded.reinterpretAsInts().lanewise(LSHL, 23).add(0x3f800000).reinterpretAsFloats();
      p.mul(power).blend(0, v.compare(LT, Exp.LOWEST)).intoArray(out, outAt + i);
    }
    for (; i < n; i++) {
      out[outAt + i] = Exp.exp((x[at + i] - minus) / divisor);
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
          FloatVector k =
              FloatVector.fromMemorySegment(F, keys, keysAt + (d * LANES + o) * 4L, LITTLE_ENDIAN);
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
    int d = 0;
    for (; d <= headDim - L; d += L) {
      FloatVector sum = FloatVector.fromArray(F, out, outAt + d).mul(scale);
      for (int t = first; t < end; t++) {
        FloatVector v =
            FloatVector.fromMemorySegment(
                F, values, valuesAt + (t * headDim + d) * 4L, LITTLE_ENDIAN);
        sum = v.fma(FloatVector.broadcast(F, weights[weightsAt + t]), sum);
      }
      sum.intoArray(out, outAt + d);
    }
    for (; d < headDim; d++) {
      float sum = out[outAt + d] * scale;
      for (int t = first; t < end; t++) {
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
    widen(from, fromAt, Halves.SHIFT, Halves.BITS, Halves.PLAIN.factor(), to, n);
  }

  @Override
  public void widenBfloats(MemorySegment from, long fromAt, MemorySegment to, int n) {
    widen(from, fromAt, 16, -1, 1, to, n);
  }

  private static void widen(
      MemorySegment from, long at, int shift, int bits, float factor, MemorySegment to, int n) {
    for (int i = 0; i < n; i += L) {
      ((IntVector)
              ShortVector.fromMemorySegment(S, from, at + 2L * i, LITTLE_ENDIAN)
                  .convertShape(S2I, I, 0))
          .lanewise(LSHL, shift)
          .and(bits)
          .reinterpretAsFloats()
          .mul(factor)
          .intoMemorySegment(to, 4L * i, LITTLE_ENDIAN);
    }
  }
}
