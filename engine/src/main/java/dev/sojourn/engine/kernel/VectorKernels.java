package dev.sojourn.engine.kernel;

import static dev.sojourn.engine.kernel.Vectors.B;
import static dev.sojourn.engine.kernel.Vectors.F;
import static dev.sojourn.engine.kernel.Vectors.I;
import static dev.sojourn.engine.kernel.Vectors.L;
import static dev.sojourn.engine.kernel.Vectors.S;
import static jdk.incubator.vector.VectorOperators.B2F;
import static jdk.incubator.vector.VectorOperators.GT;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LT;
import static jdk.incubator.vector.VectorOperators.S2I;

import jdk.incubator.vector.ByteVector;
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

  @Override
  public float sum(float[] x, int at, int n, float[] sums) {
    int whole = n - n % LANES;
    for (int o = 0; o < LANES; o += L) {
      FloatVector sum = FloatVector.zero(F);
      for (int i = o; i < whole; i += LANES) {
        sum = sum.add(FloatVector.fromArray(F, x, at + i));
      }
      sum.intoArray(sums, o);
    }
    for (int i = whole; i < n; i++) {
      sums[i - whole] += x[at + i];
    }
    return Kernels.tree(sums, 0);
  }

  /** {@link Exp#exp}, lane by lane. */
  @Override
  public void exp(float[] x, int at, float minus, float factor, float[] out, int outAt, int n) {
    FloatVector log2e = FloatVector.broadcast(F, Exp.LOG2_E);
    FloatVector rounder = FloatVector.broadcast(F, Exp.ROUNDER);
    FloatVector high = FloatVector.broadcast(F, Exp.MINUS_LN2_HIGH);
    FloatVector low = FloatVector.broadcast(F, Exp.MINUS_LN2_LOW);
    int i = 0;
    for (; i <= n - L; i += L) {
      FloatVector v = FloatVector.fromArray(F, x, at + i).sub(minus).mul(factor);
      FloatVector a = v.blend(Exp.HIGHEST, v.compare(GT, Exp.HIGHEST)); // less work than min
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
      out[outAt + i] = Exp.exp((x[at + i] - minus) * factor);
    }
  }

  @Override
  public void scores(
      float[] q, int from, int to, int headDim, float[] keys, int first, int end, float[] scores) {
    VectorAttention.scores(q, from, to, headDim, keys, first, end, scores);
  }

  /**
   * Step by step for all queries, as the steps of one wait for each other. Vectors without a token
   * that the query sees would add 0 to its sum.
   */
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
      int start = first[j] - first[j] % LANES;
      int stop = Math.ceilDiv(end[j], LANES) * LANES;
      Kernels.hide(scores, j * SPAN, first[j], end[j], start, stop);
      float greatest = VectorAttention.greatest(scores, j * SPAN + start, stop - start, max[j]);
      scale[j] = max[j] - greatest;
      max[j] = greatest;
    }
    exp(scale, from, 0, 1, scale, from, to - from);
    for (int j = from; j < to; j++) {
      int start = first[j] - first[j] % LANES;
      int n = Math.ceilDiv(end[j], LANES) * LANES - start;
      exp(scores, j * SPAN + start, max[j], 1, scores, j * SPAN + start, n);
      sum[j] = Math.fma(sum[j], scale[j], sum(scores, j * SPAN + start, n, sums));
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
    VectorAttention.accumulate(weights, from, to, first, end, values, panels, out);
  }

  /** A plain loop: C2 makes the conversion instruction of it, which vectors cannot say. */
  @Override
  public void widenHalves(short[] from, int at, float[] to, int toAt, int n) {
    for (int i = 0; i < n; i++) {
      to[toAt + i] = Float.float16ToFloat(from[at + i]);
    }
  }

  @Override
  public void widenBfloats(short[] from, int at, float[] to, int toAt, int n) {
    for (int i = 0; i < n; i += L) {
      ((IntVector) ShortVector.fromArray(S, from, at + i).convertShape(S2I, I, 0))
          .lanewise(LSHL, 16)
          .reinterpretAsFloats()
          .intoArray(to, toAt + i);
    }
  }

  @Override
  public void widenColumns(
      byte[] from, int at, float[] scales, int scalesAt, float[] to, int toAt, int n) {
    for (int o = 0; o < LANES; o += L) {
      FloatVector scale = FloatVector.fromArray(F, scales, scalesAt + o);
      int part = Vectors.part(o);
      int bytes = at + o - part * L;
      for (int i = 0; i < n; i += LANES) {
        ((FloatVector) ByteVector.fromArray(B, from, bytes + i).convertShape(B2F, F, part))
            .mul(scale)
            .intoArray(to, toAt + o + i);
      }
    }
  }

  @Override
  public void widenRows(
      byte[] from, int at, float[] scales, int scalesAt, float[] to, int toAt, int n) {
    for (int o = 0; o < LANES; o += L) {
      int part = Vectors.part(o);
      int bytes = at + o - part * L;
      for (int i = 0; i < n; i += LANES) {
        ((FloatVector) ByteVector.fromArray(B, from, bytes + i).convertShape(B2F, F, part))
            .mul(scales[scalesAt + i / LANES])
            .intoArray(to, toAt + o + i);
      }
    }
  }
}
