package dev.sojourn.engine.kernel;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A vector that escapes becomes an object, and a kernel a hundred times slower: this finds it. */
@Tag("allocation")
class KernelsAllocationTest {

  private final Kernels kernels = new VectorKernels();

  @ParameterizedTest
  @EnumSource
  void product_compiled_allocatesNothing(WeightType type) {
    int columns = 256;
    try (Arena arena = Arena.ofShared();
        ComputePool pool = new ComputePool(1)) {
      MemorySegment source = arena.allocate(32L * (columns / type.block()) * type.fileBytes());
      PackedMatrix matrix = PackedMatrix.pack(type, source, 32, columns, arena, pool);
      float[] x = new float[2 * Kernels.GROUP * columns];
      float[] out = new float[2 * Kernels.GROUP * 32];
      ProductScratch scratch = new ProductScratch();
      for (int tokens : new int[] {1, 2, 3, 4, 5, 6, 7, 8, 13}) {
        Allocation.assertCeases(
            type + " for " + tokens,
            () -> kernels.product(matrix, 0, 1, x, tokens, out, 32, scratch));
      }
    }
  }

  @Test
  void attentionAndElementwise_compiled_allocateNothing() {
    int headDim = 64;
    int panels = headDim / 16;
    float[] q = new float[8 * headDim];
    float[] span = new float[Kernels.SPAN * headDim];
    float[] scores = new float[12 * Kernels.SPAN];
    float[] max = new float[5];
    float[] sum = new float[5];
    float[] scale = new float[5];
    float[] sums = new float[16];
    float[] out = new float[12 * headDim];
    int[] first = {2, 3, 4, 5, 6};
    int[] end = {90, 90, 91, 91, 92};
    short[] shorts = new short[span.length];
    byte[] bytes = new byte[span.length];
    Allocation.assertCeases(
        "attention",
        () -> {
          kernels.scores(q, 0, 5, headDim, span, 0, 96, scores);
          kernels.weigh(scores, 0, 5, first, end, max, sum, scale, sums);
          kernels.accumulate(scores, 0, 5, first, end, span, panels, out);
        });
    Allocation.assertCeases(
        "widening",
        () -> {
          kernels.widenHalves(shorts, 0, span, 0, 512);
          kernels.widenBfloats(shorts, 0, span, 0, 512);
          kernels.widenColumns(bytes, 0, sums, 0, span, 0, 512);
          kernels.widenRows(bytes, 0, scores, 0, span, 0, 512);
        });
    Allocation.assertCeases(
        "the rest",
        () -> {
          kernels.squares(q, 0, q.length, sums);
          kernels.sum(q, 0, q.length, sums);
          kernels.exp(q, 0, 1, 2, out, 0, q.length);
        });
  }
}
