package dev.sojourn.engine.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.sojourn.engine.kernel.ComputePool;
import dev.sojourn.engine.kernel.Kernels;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Attention over pages in shuffled order, against the formula in double. */
class AttentionTest {

  private static final int LENGTH = 300;
  private static final int KV_HEADS = 2;
  private static final int LAYER = 1;

  @ParameterizedTest
  @CsvSource({
    "1,  64, 0", "2, 128, 0", "3,  80, 0", "8,  20, 0", "1,   6, 0", "2, 256, 0", "1, 64, 1",
    "2,  96, 2", "3,  16, 5", "1,  64, 16", "4, 64, 17", "2, 32, 40", "1, 80, 64", "2, 64, 149",
    "1,  64, 1000", "2, 32, 2147483647", "4, 16, 1073741824"
  })
  void run_ofAnyWindow_comesCloseToTheFormula(int group, int headDim, int window) {
    Random random = new Random(20261121);
    int[] table = new int[Math.ceilDiv(LENGTH, Kernels.LANES)];
    Arrays.setAll(table, i -> table.length - i);
    int queryStride = KV_HEADS * group * headDim;
    int stride = KV_HEADS * headDim;
    float[] q = gaussian(random, LENGTH * queryStride, 0.4f);
    float[] k = gaussian(random, LENGTH * stride, 1);
    float[] v = gaussian(random, LENGTH * stride, 1);
    float[] out = gaussian(random, q.length, Float.NaN);
    try (KvCache kv = new KvCache(KvType.F32, 2, KV_HEADS, headDim, table.length + 1);
        ComputePool pool = new ComputePool(2)) {
      Rows rows = new Rows(Attention.rowsOfBlock(group));
      Attention attention = new Attention(Kernels.best(), pool, rows, KV_HEADS, group, headDim);
      StepBatch batch = new StepBatch(1);
      batch.addSlice(0, table, false);
      for (int t = 0; t < LENGTH; t++) {
        rows.add(0, t, 0);
      }
      write(batch, LENGTH, headDim, k, v, kv);
      attention.run(batch, kv, LAYER, window, q, out, queryStride);
    }
    double[] expected = formula(0, group, headDim, window, q, k, v);
    assertClose(out, expected, 0, 1e-4, "all");
  }

  /**
   * Each query finds most of its weight at a few keys far apart, so that one that is passed over,
   * or meets another's value, moves the result by much more than the tolerance. One of them stands
   * just before the window.
   */
  @Test
  void run_ofTheLastQueriesOfALongContext_comesCloseToTheFormula() {
    int length = 255 * Kernels.SPAN + 3;
    int window = 70 * Kernels.SPAN + 3;
    int group = 2;
    int headDim = 40;
    int most = 7; // queries: from one span into the next
    int heads = KV_HEADS * group;
    int queryStride = heads * headDim;
    int stride = KV_HEADS * headDim;
    Random random = new Random(20261122);
    int[] table = shuffled(random, Math.ceilDiv(length, Kernels.LANES));
    float[] q = gaussian(random, most * queryStride, 0.2f);
    float[] k = gaussian(random, length * stride, 0.5f);
    float[] v = gaussian(random, length * stride, 1);
    for (int query = 0; query < most * heads; query++) {
      int t = length - most + query / heads;
      int apart = 129 * query;
      for (int s : new int[] {query, 9_000 + apart, t - window, t - window + 1, 28_000 + apart}) {
        int keyAt = s * stride + query % heads / group * headDim;
        addScore(14, q, query * headDim, k, keyAt, headDim);
      }
    }
    StepBatch batch = new StepBatch(1);
    batch.addSlice(0, table, false);
    int first = length - most;
    double[] ofAll = formula(first, group, headDim, 0, q, k, v);
    double[] ofWindow = formula(first, group, headDim, window, q, k, v);
    for (KvType type : KvType.values()) {
      try (KvCache kv = new KvCache(type, 2, KV_HEADS, headDim, table.length);
          ComputePool pool = new ComputePool(2)) {
        write(batch, length, headDim, k, v, kv);
        for (int from : new int[] {most - 1, 0}) {
          Rows rows = new Rows(Attention.rowsOfBlock(group));
          for (int query = from; query < most; query++) {
            rows.add(0, first + query, 0);
          }
          int at = from * queryStride;
          float[] last = Arrays.copyOfRange(q, at, q.length);
          float[] out = gaussian(random, last.length, Float.NaN);
          Attention attention = new Attention(Kernels.best(), pool, rows, KV_HEADS, group, headDim);
          attention.run(batch, kv, LAYER, 0, last, out, queryStride);
          String what = "%s, %d queries".formatted(type, rows.count());
          assertClose(out, ofAll, at, tolerance(type), what);
          attention.run(batch, kv, LAYER, window, last, out, queryStride);
          assertClose(out, ofWindow, at, tolerance(type), what + ", window");
        }
      }
    }
  }

  /** Returns about three times what was measured; most of it is the rounding of keys. */
  private static double tolerance(KvType type) {
    return switch (type) {
      case F32 -> 2.5e-5;
      case F16 -> 0.006;
      case BF16 -> 0.04;
      case Q8_0 -> 0.1;
    };
  }

  private static int[] shuffled(Random random, int n) {
    List<Integer> numbers = new ArrayList<>(IntStream.range(0, n).boxed().toList());
    Collections.shuffle(numbers, random);
    return numbers.stream().mapToInt(i -> i).toArray();
  }

  /** Turns a key towards a query, by so much that their score grows by {@code more}. */
  private static void addScore(
      float more, float[] q, int queryAt, float[] k, int keyAt, int headDim) {
    float square = 0;
    for (int d = 0; d < headDim; d++) {
      square += q[queryAt + d] * q[queryAt + d];
    }
    for (int d = 0; d < headDim; d++) {
      k[keyAt + d] += more / square * q[queryAt + d];
    }
  }

  private static void write(
      StepBatch batch, int length, int headDim, float[] k, float[] v, KvCache kv) {
    for (int t = 0; t < length; t++) {
      for (int head = 0; head < KV_HEADS; head++) {
        int at = (t * KV_HEADS + head) * headDim;
        kv.write(batch.page(0, t), LAYER, head, t % Kernels.LANES, k, at, v, at);
      }
    }
  }

  /** Returns the results of queries that stand one after another from a position on. */
  private static double[] formula(
      int firstPosition, int group, int headDim, int window, float[] q, float[] k, float[] v) {
    int stride = KV_HEADS * headDim;
    double[] expected = new double[q.length];
    for (int at = 0; at < q.length; at += headDim) {
      int t = firstPosition + at / (stride * group);
      int kvAt = at / headDim % (KV_HEADS * group) / group * headDim;
      double sum = 0;
      for (int s = window == 0 ? 0 : Math.max(0, t - window + 1); s <= t; s++) {
        double score = 0;
        for (int d = 0; d < headDim; d++) {
          score += (double) q[at + d] * k[s * stride + kvAt + d];
        }
        double weight = Math.exp(score);
        sum += weight;
        for (int d = 0; d < headDim; d++) {
          expected[at + d] += weight * v[s * stride + kvAt + d];
        }
      }
      for (int d = 0; d < headDim; d++) {
        expected[at + d] /= sum;
      }
    }
    return expected;
  }

  private static void assertClose(
      float[] out, double[] expected, int from, double tolerance, String what) {
    for (int i = 0; i < out.length; i++) {
      assertThat((double) out[i])
          .as("%s: number %d", what, i)
          .isCloseTo(expected[from + i], within(tolerance));
    }
  }

  private static float[] gaussian(Random random, int n, float scale) {
    float[] numbers = new float[n];
    for (int i = 0; i < n; i++) {
      numbers[i] = (float) random.nextGaussian() * scale;
    }
    return numbers;
  }
}
