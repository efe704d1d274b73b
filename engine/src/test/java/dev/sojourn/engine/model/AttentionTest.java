package dev.sojourn.engine.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.sojourn.engine.kernel.ComputePool;
import dev.sojourn.engine.kernel.Kernels;
import java.util.Arrays;
import java.util.Random;
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
        for (int head = 0; head < KV_HEADS; head++) {
          int at = t * stride + head * headDim;
          kv.write(batch.page(0, t), LAYER, head, t % Kernels.LANES, k, at, v, at);
        }
      }
      attention.run(batch, kv, LAYER, window, q, out, queryStride);
    }
    for (int t = 0; t < LENGTH; t++) {
      for (int head = 0; head < KV_HEADS * group; head++) {
        int kvAt = head / group * headDim;
        int at = t * queryStride + head * headDim;
        double[] expected = new double[headDim];
        double sum = 0;
        for (int s = window == 0 ? 0 : Math.max(0, t - window + 1); s <= t; s++) {
          double score = 0;
          for (int d = 0; d < headDim; d++) {
            score += q[at + d] * k[s * stride + kvAt + d];
          }
          double weight = Math.exp(score);
          sum += weight;
          for (int d = 0; d < headDim; d++) {
            expected[d] += weight * v[s * stride + kvAt + d];
          }
        }
        for (int d = 0; d < headDim; d++) {
          assertThat((double) out[at + d])
              .as("position %d, head %d, dimension %d", t, head, d)
              .isCloseTo(expected[d] / sum, within(1e-4));
        }
      }
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
