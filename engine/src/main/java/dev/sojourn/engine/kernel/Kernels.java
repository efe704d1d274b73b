package dev.sojourn.engine.kernel;

import com.sun.management.HotSpotDiagnosticMXBean;
import java.lang.management.ManagementFactory;
import java.util.Arrays;

/**
 * The arithmetic whose order is the law. Two implementations give the same bits for the same
 * arguments: plain Java, which is the definition, and vectors of 128, 256 or 512 bits. Everything
 * else of a forward pass is element by element and needs no implementation of its own.
 *
 * <p>What makes the bits equal: a product adds in order of k, one FMA each; a sum over a row is 16
 * running sums, whatever the vector's length, and then {@link #tree}; a page of KV holds 16 tokens,
 * whose scores are 16 lanes, and softmax goes in steps of {@link #SPAN} positions; {@code exp} is
 * {@link Exp}.
 *
 * <p>Attention reads keys dimension by dimension, so that lanes are tokens and a score needs no sum
 * across them, and values in panels of 16 dimensions, so that lanes are dimensions and the distance
 * from a token to the next is a constant, for which C2 makes better code.
 *
 * <p>Stateless and thread-safe; the arrays are the caller's.
 */
public sealed interface Kernels permits ScalarKernels, VectorKernels {

  /** Tokens of a KV page, and running sums of a reduction. */
  int LANES = 16;

  /** Positions of a step of softmax: eight pages, the first at a multiple of it. */
  int SPAN = 128;

  /** Queries that {@link #scores} takes side by side. */
  int QUERIES = 4;

  /** Tokens whose activations are interleaved for a product (see {@link #product}). */
  int GROUP = 12;

  /** Columns that are interleaved at a time: a group's, 12 KB of them, stay in L1. */
  int INTERLEAVED = 256;

  /** The most panels that one product takes. */
  int RUN = 8;

  /** The property that forces a width: 128, 256 or 512 bits, or 0 for plain Java. */
  String WIDTH_PROPERTY = "sojourn.vector.bits";

  /**
   * Refuses a machine without FMA instructions, on which each product would be a thousand times
   * slower.
   *
   * @throws UnsupportedOperationException if the machine has none
   */
  static void checkProcessor() {
    var vm = ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class);
    if (vm != null && vm.getVMOption("UseFMA").getValue().equals("false")) {
      throw new UnsupportedOperationException(
          "this CPU has no FMA instructions, or the JVM does not use them (-XX:+UseFMA); Sojourn's"
              + " engine needs FMA3 on x86 or NEON on ARM");
    }
  }

  /**
   * Returns the fastest implementation for this machine.
   *
   * @throws UnsupportedOperationException as {@link #checkProcessor} does
   */
  static Kernels best() {
    checkProcessor();
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
   * @param out has room for the whole of the last group; what is written there of tokens that are
   *     not means nothing
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
   * Returns the sum of {@code n} floats.
   *
   * @param sums scratch of {@link #LANES} floats
   */
  float sum(float[] x, int at, int n, float[] sums);

  /**
   * Returns the greatest of {@code n} floats; NaN if one is NaN. A plain loop: C2 makes vectors of
   * it itself. Of a vector that goes round the loop it has been seen, on a busy machine, to make an
   * object each time, for good.
   */
  static float greatest(float[] x, int at, int n) {
    float greatest = Float.NEGATIVE_INFINITY;
    for (int i = at; i < at + n; i++) {
      greatest = Math.max(greatest, x[i]);
    }
    return greatest;
  }

  /**
   * Sets {@code out[outAt + i]} to {@code exp((x[at + i] - minus) * factor)} for {@code n} floats;
   * {@code out} may be {@code x}.
   */
  void exp(float[] x, int at, float minus, float factor, float[] out, int outAt, int n);

  /**
   * Multiplies queries with keys of a span: {@code scores[128 j + t]} is the sum over d of query j
   * times d of token t, for {@code from <= j < to} and, as it may be, up to three more.
   *
   * @param keys page by page, and in a page dimension by dimension: {@code [t / 16][d][t % 16]}
   * @param q tiles of four queries: in a tile for each dimension its queries side by side
   * @param from a multiple of four
   * @param first the first of the tokens, a multiple of 16; {@code end} after the last, another
   */
  void scores(
      float[] q, int from, int to, int headDim, float[] keys, int first, int end, float[] scores);

  /**
   * Takes the scores {@code 128 j ..} of a span into the running softmax of queries {@code from <=
   * j < to}: replaces them by weights relative to the new maximum, and updates {@code max[j]} and
   * {@code sum[j]}.
   *
   * @param first the first of the span's tokens that the query sees; those before it, like those
   *     after, weigh 0, whatever their scores are
   * @param end after the last that it sees; more than {@code first}
   * @param scale what earlier results must be multiplied with, since the maximum moved
   * @param sums scratch of {@link #LANES} floats
   */
  void weigh(
      float[] scores,
      int from,
      int to,
      int[] first,
      int[] end,
      float[] max,
      float[] sum,
      float[] scale,
      float[] sums);

  /**
   * Adds a span's values to the results of queries: {@code out[16 panels j + d] += weights[128 j +
   * t] * value d of token t}, for {@code from <= j < to} over the tokens from {@code first[j]} to
   * before {@code end[j]}, one FMA each, in order.
   *
   * @param first does not fall from a query to the next, nor does {@code end}
   * @param values panels of 16 dimensions, token by token: {@code [d / 16][t][d % 16]}
   */
  void accumulate(
      float[] weights,
      int from,
      int to,
      int[] first,
      int[] end,
      float[] values,
      int panels,
      float[] out);

  /** Converts {@code n} halves, a multiple of 16, to floats. */
  void widenHalves(short[] from, int at, float[] to, int toAt, int n);

  /** Converts {@code n} upper halves of floats, a multiple of 16, to floats. */
  void widenBfloats(short[] from, int at, float[] to, int toAt, int n);

  /**
   * Converts {@code n} bytes, rows of 16, and multiplies each with its column's scale: {@code
   * to[toAt + i] = from[at + i] * scales[scalesAt + i % 16]}.
   */
  void widenColumns(byte[] from, int at, float[] scales, int scalesAt, float[] to, int toAt, int n);

  /**
   * Converts {@code n} bytes, rows of 16, and multiplies each with its row's scale: {@code to[toAt
   * + i] = from[at + i] * scales[scalesAt + i / 16]}.
   */
  void widenRows(byte[] from, int at, float[] scales, int scalesAt, float[] to, int toAt, int n);

  /** Weights of tokens that a query does not see are 0: what is in their place may be NaN. */
  static void hide(float[] scores, int at, int first, int end, int from, int to) {
    Arrays.fill(scores, at + from, at + first, Float.NEGATIVE_INFINITY);
    Arrays.fill(scores, at + end, at + to, Float.NEGATIVE_INFINITY);
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
    int end = Math.min(first + GROUP, tokens);
    for (int column = 0; column < columns; column += INTERLEAVED) {
      int n = Math.min(INTERLEAVED, columns - column);
      for (int t = first; t < end; t++) {
        int from = t * stride + column;
        int to = first * columns + column * GROUP + t - first;
        for (int k = 0; k < n; k++) {
          x[to + k * GROUP] = rows[from + k];
        }
      }
    }
  }
}
