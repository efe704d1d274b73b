package dev.sojourn.engine.kernel;

import com.sun.management.HotSpotDiagnosticMXBean;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;

/**
 * The arithmetic whose order is the law. Two implementations give the same bits for the same
 * arguments: plain Java, which is the definition, and vectors of 128, 256 or 512 bits. Everything
 * else of a forward pass is element by element and needs no implementation of its own.
 *
 * <p>What makes the bits equal: a product adds in order of k, one FMA each; a sum over a row is 16
 * running sums, whatever the vector's length, and then {@link #tree}; a page of KV holds 16 tokens,
 * whose scores are 16 lanes; {@code exp} is {@link Exp}.
 *
 * <p>Stateless and thread-safe; the arrays are the caller's.
 */
public sealed interface Kernels permits ScalarKernels, VectorKernels {

  /** Tokens of a KV page, and running sums of a reduction. */
  int LANES = 16;

  /** Tokens whose activations are interleaved for a product (see {@link #product}). */
  int GROUP = 12;

  /** The most panels that one product takes. */
  int RUN = 8;

  /** The property that forces a width: 128, 256 or 512 bits, or 0 for plain Java. */
  String WIDTH_PROPERTY = "sojourn.vector.bits";

  /**
   * Returns the fastest implementation for this machine.
   *
   * @throws UnsupportedOperationException if the machine has no FMA instructions, without which
   *     each product would be a thousand times slower
   */
  static Kernels best() {
    var vm = ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class);
    if (vm != null && vm.getVMOption("UseFMA").getValue().equals("false")) {
      throw new UnsupportedOperationException(
          "this CPU has no FMA instructions, or the JVM does not use them (-XX:+UseFMA); Sojourn's"
              + " engine needs FMA3 on x86 or NEON on ARM");
    }
    return Integer.getInteger(WIDTH_PROPERTY, -1) == 0 ? new ScalarKernels() : new VectorKernels();
  }

  /** Returns a short description for logs: the width in bits, or plain Java. */
  String description();

  /**
   * Multiplies a run of a matrix's panels with the activations of all tokens: {@code out[t * stride
   * + row] = sum of w[row][k] * x[t][k]} for the panels' rows, 32 each.
   *
   * @param panels at most {@link #RUN}
   * @param x with one token its activations; with more, groups of {@link #GROUP} tokens, and in a
   *     group for each column its tokens' activations side by side (see {@link #interleave}); the
   *     last group may be partly empty
   * @param stride floats from one token's results to the next's; at least the panels' rows
   */
  void product(
      PackedMatrix w,
      int firstPanel,
      int panels,
      float[] x,
      int tokens,
      float[] out,
      int stride,
      ProductScratch scratch);

  /**
   * Returns the sum of squares of {@code n} floats.
   *
   * @param sums scratch of {@link #LANES} floats
   */
  float squares(float[] x, int at, int n, float[] sums);

  /**
   * Sets {@code out[outAt + i]} to {@code exp((x[at + i] - minus) / divisor)} for {@code n} floats;
   * {@code out} may be {@code x}.
   */
  void exp(float[] x, int at, float minus, float divisor, float[] out, int outAt, int n);

  /**
   * Multiplies queries with the keys of a page: {@code scores[16 j + lane]} is the sum over d of
   * {@code q[at[j] + d] * k[16 d + lane]}, for {@code from <= j < to}.
   */
  void scores(
      float[] q,
      int[] at,
      int from,
      int to,
      int headDim,
      MemorySegment keys,
      long keysAt,
      float[] scores);

  /**
   * Adds a page's values to one query's result: {@code out[outAt + d] = out[outAt + d] * scale +
   * sum of weights[weightsAt + t] * v[t * headDim + d]} over the tokens from {@code first} to
   * before {@code end}, in order.
   */
  void accumulate(
      float[] weights,
      int weightsAt,
      int first,
      int end,
      float scale,
      MemorySegment values,
      long valuesAt,
      int headDim,
      float[] out,
      int outAt);

  /**
   * Converts {@code n} halves, a multiple of 16, to floats. Those that are not finite become
   * finite, see {@link Halves}.
   */
  void widenHalves(MemorySegment from, long fromAt, MemorySegment to, int n);

  /** Converts {@code n} upper halves of floats, a multiple of 16, to floats. */
  void widenBfloats(MemorySegment from, long fromAt, MemorySegment to, int n);

  /**
   * Takes one query's scores {@code 16 j ..} of a page into its running softmax: replaces them by
   * weights relative to the new maximum, and updates {@code max[j]} and {@code sum[j]}.
   *
   * @param first the first of the page's tokens that the query sees; the others weigh 0
   * @param end after the last that it sees; more than {@code first}
   * @return what earlier results must be multiplied with, since the maximum moved
   */
  default float weigh(float[] scores, int j, int first, int end, float[] max, float[] sum) {
    int at = j * LANES;
    float greatest = max[j];
    for (int lane = 0; lane < LANES; lane++) {
      if (lane < first || lane >= end) {
        scores[at + lane] = Float.NEGATIVE_INFINITY; // weighs 0; what was there may be NaN
      }
      greatest = Math.max(greatest, scores[at + lane]);
    }
    exp(scores, at, greatest, 1, scores, at, LANES);
    float scale = Exp.exp(max[j] - greatest);
    max[j] = greatest;
    sum[j] = Math.fma(sum[j], scale, tree(scores, at));
    return scale;
  }

  /** Sums 16 running sums in the one order that every width can do: halves onto halves. */
  static float tree(float[] s, int at) {
    float s0 = (s[at] + s[at + 8]) + (s[at + 4] + s[at + 12]);
    float s1 = (s[at + 1] + s[at + 9]) + (s[at + 5] + s[at + 13]);
    float s2 = (s[at + 2] + s[at + 10]) + (s[at + 6] + s[at + 14]);
    float s3 = (s[at + 3] + s[at + 11]) + (s[at + 7] + s[at + 15]);
    return (s0 + s2) + (s1 + s3);
  }

  /**
   * Lays out the activations of one group of tokens for {@link #product}.
   *
   * @param rows token-major activations, from one token to the next {@code stride}
   * @param group index of the group; its tokens beyond {@code tokens} are left as they are
   */
  static void interleave(float[] rows, int stride, int columns, int tokens, int group, float[] x) {
    if (tokens == 1) {
      System.arraycopy(rows, 0, x, 0, columns);
      return;
    }
    int first = group * GROUP;
    for (int t = first; t < Math.min(first + GROUP, tokens); t++) {
      int from = t * stride;
      int to = first * columns + t - first;
      for (int k = 0; k < columns; k++) {
        x[to + k * GROUP] = rows[from + k];
      }
    }
  }
}
