package dev.sojourn.engine.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sojourn.engine.kernel.ComputePool;
import dev.sojourn.engine.kernel.Kernels;
import dev.sojourn.engine.kernel.PackedMatrix;
import dev.sojourn.engine.kernel.WeightType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ProductsTest {

  /** More panels than a unit has, the last one not whole. */
  private static final int ROWS = 9 * PackedMatrix.PANEL - 3;

  @ParameterizedTest
  @ValueSource(ints = {1, 2})
  void run_afterAJobThatFailed_computesWhatWasAddedSince(int threads) {
    try (Arena arena = Arena.ofShared();
        ComputePool pool = new ComputePool(threads)) {
      Linear linear = ofRowNumbers(arena, pool);
      Scratch[] scratch = new Scratch[threads];
      Arrays.setAll(scratch, _ -> new Scratch());
      Products products = new Products(Kernels.best(), scratch);
      float[] input = {2};
      // Nothing else makes a unit throw: there is no room for what it computes.
      products.add(linear, new float[0]);
      assertThatThrownBy(() -> products.run(pool, input, 1))
          .isInstanceOf(IndexOutOfBoundsException.class);

      float[][] outs = new float[3][linear.weights().paddedRows()];
      for (float[] out : outs) {
        products.add(linear, out);
      }
      products.run(pool, input, 1);

      for (float[] out : outs) {
        for (int row = 0; row < ROWS; row++) {
          assertThat(out[row]).isEqualTo(2 * row);
        }
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "32, 2, 1, 8",
    "31, 2, 1, 4",
    "32, 3, 12, 4",
    "32, 16, 12, 4",
    "32, 16, 13, 1",
    "32, 8, 256, 2",
    "32, 2, 256, 8",
    "4748, 128, 256, 8",
    "8, 1, 1, 4"
  })
  void panelsOfAUnit_ofAJob_areHalvedForThreadsWithFewerThanTwoUnits(
      int panels, int threads, int tokens, int expected) {
    assertThat(Products.panelsOfAUnit(panels, threads, tokens)).isEqualTo(expected);
  }

  /** A column: each row's weight is its number. */
  private static Linear ofRowNumbers(Arena arena, ComputePool pool) {
    MemorySegment source = arena.allocate(4L * ROWS);
    for (int row = 0; row < ROWS; row++) {
      source.setAtIndex(ValueLayout.JAVA_FLOAT, row, row);
    }
    return new Linear(
        PackedMatrix.pack(WeightType.F32, source, ROWS, 1, arena, pool), new float[0]);
  }
}
