package dev.sojourn.engine.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sojourn.engine.weights.ModelTensor;
import dev.sojourn.engine.weights.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The vectors against plain Java, bit for bit. The width is that of this JVM; {@code
 * EveryWidthTest} has {@link KernelsProbe} run with the others.
 */
class KernelsTest {

  private static final long SEED = 20261121;

  /** A third of the time went into numbers of {@code Random}, which locks and takes logarithms. */
  private final SplittableRandom random = new SplittableRandom(SEED);

  private final Kernels oracle = new ScalarKernels();
  private final Kernels vectors = new VectorKernels();

  private float[] floats(int n) {
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  /** Compares bits, so that zeros of different sign and NaNs count. */
  private static void assertSameBits(float[] actual, float[] expected, String what) {
    assertThat(Arrays.mismatch(bits(actual), bits(expected)))
        .as("%s, seed %d: first different index", what, SEED)
        .isEqualTo(-1);
  }

  private static int[] bits(float[] values) {
    int[] bits = new int[values.length];
    Arrays.setAll(bits, i -> Float.floatToRawIntBits(values[i]));
    return bits;
  }

  private MemorySegment randomWeights(WeightType type, int rows, int columns, Arena arena) {
    int blocks = rows * columns / type.block();
    MemorySegment source = arena.allocate((long) blocks * type.fileBytes());
    byte[] noise = new byte[type.fileBytes()];
    for (int block = 0; block < blocks; block++) {
      random.nextBytes(noise);
      MemorySegment target = source.asSlice((long) block * type.fileBytes(), type.fileBytes());
      target.copyFrom(MemorySegment.ofArray(noise));
      float value = (float) random.nextGaussian();
      switch (type) {
        case F32 -> target.set(ValueLayout.JAVA_FLOAT_UNALIGNED, 0, value);
        case BF16 ->
            target.set(
                ValueLayout.JAVA_SHORT_UNALIGNED, 0, (short) (Float.floatToIntBits(value) >> 16));
        case F16, Q8_0, Q4_0, Q5_0 -> setHalf(target, 0);
        case Q4_1, Q5_1, Q4_K, Q5_K -> {
          setHalf(target, 0);
          setHalf(target, 2);
        }
        case Q6_K -> setHalf(target, 208);
      }
    }
    return source;
  }

  /** A tenth is denormal: too small for a half's exponent. */
  private void setHalf(MemorySegment block, long at) {
    float value = (float) random.nextGaussian();
    block.set(
        ValueLayout.JAVA_SHORT_UNALIGNED,
        at,
        Float.floatToFloat16(random.nextInt(10) == 0 ? value * 1e-6f : value));
  }

  @ParameterizedTest
  @EnumSource
  void product_ofAnyShapeAndNumberOfTokens_equalsTheOracle(WeightType type) {
    // More panels than a run, and more columns than one token's scales are kept of, come last.
    int[][] shapes = {{1, 1}, {31, 2}, {32, 3}, {33, 8}, {70, 9}, {300, 11}, {40, 66}};
    int[] tokenCounts = {1, 2, 3, 4, 5, 7, 8, 9, 12, 13, 16, 17, 21, 25};
    try (Arena arena = Arena.ofShared();
        ComputePool pool = new ComputePool(2)) {
      for (int[] shape : shapes) {
        int rows = shape[0];
        // Of plain types one tile and a bit, too; of blocks 1 to 11 of them, a tile being 8.
        int columns =
            type.block() == 1
                ? shape[1] * shape[1] * 3
                : Math.ceilDiv(shape[1] * 32, type.block()) * type.block();
        MemorySegment source = randomWeights(type, rows, columns, arena);
        PackedMatrix matrix = PackedMatrix.pack(type, source, rows, columns, arena, pool);
        assertRowsAsInTheFile(matrix, type, source);
        int stride = matrix.paddedRows() + 5;
        for (int tokens : tokenCounts) {
          int room = Math.ceilDiv(tokens, Kernels.GROUP) * Kernels.GROUP;
          float[] x = floats(room * columns);
          float[] expected = new float[room * stride];
          float[] actual = new float[room * stride];
          Arrays.fill(actual, Float.NaN);
          ProductScratch scratch = new ProductScratch();
          int lastRun = (matrix.panels() - 1) / Kernels.RUN * Kernels.RUN;
          for (int panel = lastRun; panel >= 0; panel -= Kernels.RUN) { // none spoils its next
            int run = Math.min(Kernels.RUN, matrix.panels() - panel);
            oracle.product(matrix, panel, run, x, tokens, expected, stride, scratch);
            vectors.product(matrix, panel, run, x, tokens, actual, stride, scratch);
          }
          String what = type + " " + rows + "x" + columns + ", " + tokens + " tokens";
          for (int t = 0; t < room; t++) {
            assertThat(Arrays.copyOfRange(actual, (t + 1) * stride - 5, (t + 1) * stride))
                .as(what + ": behind the rows of token " + t)
                .containsOnly(Float.NaN);
          }
          for (int t = 0; t < tokens; t++) {
            assertSameBits(
                Arrays.copyOfRange(actual, t * stride, t * stride + rows),
                Arrays.copyOfRange(expected, t * stride, t * stride + rows),
                what + ", token " + t);
          }
        }
      }
    }
  }

  private static void assertRowsAsInTheFile(
      PackedMatrix matrix, WeightType type, MemorySegment source) {
    List<Long> dimensions = List.of((long) matrix.columns(), (long) matrix.rows());
    TensorType fileType = TensorType.valueOf(type.name());
    float[] expected = new ModelTensor("w", fileType, dimensions, 0, source).toFloats();
    float[] actual = new float[expected.length];
    for (int row = 0; row < matrix.rows(); row++) {
      matrix.row(row, actual, row * matrix.columns());
    }
    assertSameBits(actual, expected, type + " weights");
  }

  @Test
  void pack_ofWhatDoesNotFit_saysWhat() {
    try (Arena arena = Arena.ofShared();
        ComputePool pool = new ComputePool(2)) {
      MemorySegment source = arena.allocate(34 * 4);
      assertThatThrownBy(() -> PackedMatrix.pack(WeightType.Q8_0, source, 4, 33, arena, pool))
          .hasMessageContaining("4 rows of 33");
      assertThatThrownBy(() -> PackedMatrix.pack(WeightType.Q8_0, source, 3, 32, arena, pool))
          .hasMessageContaining("102 bytes, not 136");
      source.set(ValueLayout.JAVA_SHORT, 34, (short) 0x7c00);
      assertThatThrownBy(() -> PackedMatrix.pack(WeightType.Q8_0, source, 4, 32, arena, pool))
          .hasMessageContaining("not finite");
    }
  }

  @ParameterizedTest
  @CsvSource({
    "Q8_0, 0",
    "Q4_0, 0",
    "Q5_0, 0",
    "Q4_1, 0",
    "Q4_1, 2",
    "Q5_1, 0",
    "Q5_1, 2",
    "Q4_K, 0",
    "Q4_K, 2",
    "Q5_K, 0",
    "Q5_K, 2",
    "Q6_K, 208",
  })
  void pack_ofAScaleOrMinimumThatIsNotFinite_isRefused(WeightType type, long at) {
    try (Arena arena = Arena.ofShared();
        ComputePool pool = new ComputePool(1)) {
      MemorySegment source = arena.allocate(type.fileBytes());
      source.set(ValueLayout.JAVA_SHORT_UNALIGNED, at, (short) 0xfc00);
      assertThatThrownBy(() -> PackedMatrix.pack(type, source, 1, type.block(), arena, pool))
          .isInstanceOf(ArithmeticException.class)
          .hasMessageContaining("not finite");
    }
  }

  @Test
  void product_ofOneTokenAndOfMany_isTheSame() {
    try (Arena arena = Arena.ofShared();
        ComputePool pool = new ComputePool(1)) {
      int columns = 320;
      MemorySegment source = randomWeights(WeightType.Q8_0, 32, columns, arena);
      PackedMatrix matrix = PackedMatrix.pack(WeightType.Q8_0, source, 32, columns, arena, pool);
      ProductScratch scratch = new ProductScratch();
      // More than are summed up at a time.
      int tokens = ProductScratch.TOKENS + 5;
      int groups = Math.ceilDiv(tokens, Kernels.GROUP);
      float[] rows = floats(tokens * columns);
      float[] x = new float[groups * Kernels.GROUP * columns];
      for (int group = 0; group < groups; group++) {
        Kernels.interleave(rows, columns, columns, tokens, group, x);
      }
      float[] many = new float[groups * Kernels.GROUP * 32];
      vectors.product(matrix, 0, 1, x, tokens, many, 32, scratch);
      for (int t = 0; t < tokens; t++) {
        float[] alone = new float[32];
        float[] row = Arrays.copyOfRange(rows, t * columns, (t + 1) * columns);
        vectors.product(matrix, 0, 1, row, 1, alone, 32, scratch);
        assertSameBits(Arrays.copyOfRange(many, t * 32, (t + 1) * 32), alone, "token " + t);
      }
    }
  }

  @Test
  void squares_ofAnyLength_equalsTheOracleAndASumInDouble() {
    for (int n = 0; n < 200; n++) {
      float[] x = floats(n + 3);
      float[] scratch = floats(Kernels.LANES);
      float actual = vectors.squares(x, 3, n, scratch);
      assertThat(actual).as("n = %d", n).isEqualTo(oracle.squares(x, 3, n, scratch));
      double exact = 0;
      for (int i = 3; i < n + 3; i++) {
        exact += (double) x[i] * x[i];
      }
      assertThat((double) actual).isCloseTo(exact, Percentage.withPercentage(1e-4));
    }
  }

  @Test
  void sum_ofAnyLength_equalsTheOracle() {
    for (int n = 0; n < 70; n++) {
      float[] x = floats(n + 3);
      float[] sums = new float[Kernels.LANES];
      float[] actual = {vectors.sum(x, 3, n, sums)};
      float[] expected = {oracle.sum(x, 3, n, sums)};
      assertSameBits(actual, expected, "n = " + n);
    }
  }

  @Test
  void greatest_isFoundWhereverItIs_andIsNaNWhereOneIs() {
    for (int n = 1; n < 70; n++) {
      float[] x = floats(n + 4);
      x[2] = Float.POSITIVE_INFINITY;
      x[3 + n] = Float.NaN;
      for (int i = 3; i < n + 3; i++) {
        float was = x[i];
        x[i] = 1e30f;
        assertThat(Kernels.greatest(x, 3, n)).as("%d of %d", i, n).isEqualTo(1e30f);
        x[i] = Float.NaN;
        assertThat(Kernels.greatest(x, 3, n)).as("%d of %d is NaN", i, n).isNaN();
        x[i] = was;
      }
    }
    assertThat(Kernels.greatest(new float[1], 0, 0)).isEqualTo(Float.NEGATIVE_INFINITY);
  }

  @Test
  void exp_ofAnyLengthAndSpecialValues_equalsTheOracle() {
    float[] special = {
      0,
      -0f,
      Float.NEGATIVE_INFINITY,
      Exp.LOWEST,
      Math.nextDown(Exp.LOWEST),
      -1e30f,
      Exp.HIGHEST,
      1e30f,
      Float.POSITIVE_INFINITY,
      Float.NaN,
      Float.MIN_VALUE,
      -103.9f,
      0.3465736f
    };
    for (int n = 0; n < 70; n++) {
      float[] x = floats(n);
      for (int i = 0; i < n; i++) {
        x[i] = i % 3 == 0 ? special[random.nextInt(special.length)] : x[i] * 30;
      }
      float[] actual = new float[n];
      float[] expected = new float[n];
      vectors.exp(x, 0, 0, 1, actual, 0, n);
      oracle.exp(x, 0, 0, 1, expected, 0, n);
      assertSameBits(actual, expected, "n = " + n);
      vectors.exp(x, 1, 1.7f, -0.3f, actual, 1, n - 1);
      oracle.exp(x, 1, 1.7f, -0.3f, expected, 1, n - 1);
      assertSameBits(actual, expected, "scaled, n = " + n);
    }
  }

  @Test
  void attentionOverSpans_withPoisonOutsideWhatIsSeen_equalsTheOracleAndNeverSeesIt() {
    for (int headDim : new int[] {1, 4, 12, 16, 20, 64, 80, 96, 128, 256}) {
      for (int queries : new int[] {1, 2, 3, 4, 5, 9}) {
        for (int round = 0; round < 12; round++) {
          int end = 1 + random.nextInt(Kernels.SPAN);
          int first = random.nextInt(end);
          int grow = random.nextInt(3); // how much further each query sees
          String what =
              "%d wide, tokens %d to %d, %d queries %d apart"
                  .formatted(headDim, first, end, queries, grow);
          float[] actual = attend(vectors, headDim, first, end, queries, grow);
          float[] expected = attend(oracle, headDim, first, end, queries, grow);
          assertSameBits(actual, expected, what);
          for (float value : actual) {
            assertThat(value).as(what).isFinite();
          }
        }
      }
    }
  }

  /** Two spans: one that all queries see as a whole, and one with NaN around what they see. */
  private static float[] attend(
      Kernels kernels, int headDim, int firstSeen, int endSeen, int queries, int grow) {
    SplittableRandom random = new SplittableRandom(SEED + headDim);
    int panels = Math.ceilDiv(headDim, Kernels.LANES);
    int dims = panels * Kernels.LANES;
    int room = queries + Kernels.QUERIES;
    float[] q = new float[Math.ceilDiv(queries, Kernels.QUERIES) * Kernels.QUERIES * headDim];
    for (int i = 0; i < q.length; i++) {
      q[i] = (float) random.nextGaussian();
    }
    float[] scores = new float[room * Kernels.SPAN];
    float[] max = new float[queries];
    Arrays.fill(max, Float.NEGATIVE_INFINITY);
    float[] sum = new float[queries];
    float[] scale = new float[queries];
    float[] out = new float[room * dims];
    int[] first = new int[queries];
    int[] end = new int[queries];
    for (int span = 0; span < 2; span++) {
      int lastEnd = Kernels.SPAN;
      for (int j = 0; j < queries; j++) {
        first[j] = span == 0 ? 0 : Math.min(firstSeen + j * grow, Kernels.SPAN - 1);
        end[j] = span == 0 ? lastEnd : Math.min(endSeen + j * grow, lastEnd);
      }
      float[] keys = new float[Kernels.SPAN * headDim];
      float[] values = new float[Kernels.SPAN * dims];
      for (int t = 0; t < Kernels.SPAN; t++) {
        boolean seen = t >= first[0] && t < end[queries - 1];
        for (int d = 0; d < headDim; d++) {
          int key = (t / 16 * headDim + d) * 16 + t % 16;
          int value = (d / 16 * Kernels.SPAN + t) * 16 + d % 16;
          keys[key] = seen ? (float) random.nextGaussian() : Float.NaN;
          values[value] = seen ? (float) random.nextGaussian() : Float.NaN;
        }
      }
      int from = first[0] - first[0] % Kernels.LANES;
      int to = Math.ceilDiv(end[queries - 1], Kernels.LANES) * Kernels.LANES;
      kernels.scores(q, 0, queries, headDim, keys, from, to, scores);
      kernels.weigh(scores, 0, queries, first, end, max, sum, scale, new float[Kernels.LANES]);
      for (int i = 0; i < queries * dims; i++) {
        out[i] *= scale[i / dims];
      }
      kernels.accumulate(scores, 0, queries, first, end, values, panels, out);
    }
    float[] all = Arrays.copyOf(out, queries * dims + queries);
    System.arraycopy(sum, 0, all, queries * dims, queries);
    return all;
  }

  @Test
  void widen_ofEveryShort_equalsTheOracle() {
    int n = 1 << 16;
    short[] shorts = new short[n];
    for (int i = 0; i < n; i++) {
      shorts[i] = (short) i;
    }
    float[] actual = new float[n];
    float[] expected = new float[n];
    vectors.widenHalves(shorts, 0, actual, 0, n);
    oracle.widenHalves(shorts, 0, expected, 0, n);
    assertSameBits(actual, expected, "halves");
    vectors.widenBfloats(shorts, 16, actual, 32, n - 32);
    oracle.widenBfloats(shorts, 16, expected, 32, n - 32);
    assertSameBits(actual, expected, "upper halves");
  }

  @Test
  void widen_ofBytesWithScales_equalsTheOracle() {
    byte[] bytes = new byte[16 * 33];
    random.nextBytes(bytes);
    float[] scales = floats(40);
    scales[7] = Float.NaN;
    float[] actual = new float[bytes.length];
    float[] expected = new float[bytes.length];
    vectors.widenColumns(bytes, 16, scales, 3, actual, 16, 16 * 31);
    oracle.widenColumns(bytes, 16, scales, 3, expected, 16, 16 * 31);
    assertSameBits(actual, expected, "columns");
    vectors.widenRows(bytes, 16, scales, 3, actual, 16, 16 * 31);
    oracle.widenRows(bytes, 16, scales, 3, expected, 16, 16 * 31);
    assertSameBits(actual, expected, "rows");
  }
}
