package dev.sojourn.engine.kernel;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A vector that escapes becomes an object, and a kernel a hundred times slower: this finds it. */
class KernelsAllocationTest {

  private final Kernels kernels = new VectorKernels();

  @ParameterizedTest
  @EnumSource
  void product_compiled_allocatesNothing(WeightType type) {
    int columns = 64;
    try (Arena arena = Arena.ofShared();
        ComputePool pool = new ComputePool(1)) {
      MemorySegment source = arena.allocate(32L * (columns / type.block()) * type.fileBytes());
      PackedMatrix matrix = PackedMatrix.pack(type, source, 32, columns, arena, pool);
      float[] x = new float[2 * Kernels.GROUP * columns];
      float[] out = new float[16 * 32];
      ProductScratch scratch = new ProductScratch();
      for (int tokens : new int[] {1, 8, 13}) {
        Allocation.assertCeases(
            type + " for " + tokens,
            () -> kernels.product(matrix, 0, 1, x, tokens, out, 32, scratch));
      }
    }
  }

  @Test
  void attentionAndElementwise_compiled_allocateNothing() {
    int headDim = 64;
    try (Arena arena = Arena.ofShared()) {
      MemorySegment page = arena.allocate(2L * 16 * headDim * 4, 64);
      MemorySegment wide = arena.allocate(2L * 16 * headDim * 4, 64);
      float[] q = new float[5 * headDim];
      int[] at = {0, headDim, 2 * headDim, 3 * headDim, 4 * headDim};
      float[] scores = new float[5 * 16];
      float[] max = new float[5];
      float[] sum = new float[5];
      float[] out = new float[5 * headDim];
      Allocation.assertCeases(
          "attention",
          () -> {
            kernels.scores(q, at, 0, 5, headDim, page, 0, scores);
            float scale = kernels.weigh(scores, 3, 2, 11, max, sum);
            kernels.accumulate(scores, 48, 2, 11, scale, page, 4L * 16 * headDim, headDim, out, 0);
          });
      Allocation.assertCeases(
          "widening",
          () -> {
            kernels.widenHalves(page, 0, wide, 32 * headDim);
            kernels.widenBfloats(page, 0, wide, 32 * headDim);
          });
      Allocation.assertCeases(
          "the rest",
          () -> {
            kernels.squares(q, 0, q.length, scores);
            kernels.exp(q, 0, 1, 2, out, 0, q.length);
          });
    }
  }
}
