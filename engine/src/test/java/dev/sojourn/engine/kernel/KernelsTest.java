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
import java.util.Random;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The vectors against plain Java, bit for bit. The width is that of this JVM; {@code
 * EveryWidthTest} runs other widths.
 */
class KernelsTest {

  private static final long SEED = 20261121;

  private final Random random = new Random(SEED);
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
        // A tenth is denormal: too small for a half's exponent.
        case F16, Q8_0, Q4_0 ->
            target.set(
                ValueLayout.JAVA_SHORT_UNALIGNED,
                0,
                Float.floatToFloat16(random.nextInt(10) == 0 ? value * 1e-6f : value));
      }
    }
    return source;
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
        int columns = type.block() == 1 ? shape[1] * shape[1] * 3 : shape[1] * 32;
        MemorySegment source = randomWeights(type, rows, columns, arena);
        PackedMatrix matrix = PackedMatrix.pack(type, source, rows, columns, arena, pool);
        assertRowsAsInTheFile(matrix, type, source);
        int stride = matrix.paddedRows() + 5;
        for (int tokens : tokenCounts) {
          int room = Math.ceilDiv(tokens, Kernels.GROUP) * Kernels.GROUP;
          float[] x = floats(room * columns);
          float[] expected = new float[room * stride];
          float[] actual = new float[room * stride];
          ProductScratch scratch = new ProductScratch();
          for (int panel = 0; panel < matrix.panels(); panel += Kernels.RUN) {
            int run = Math.min(Kernels.RUN, matrix.panels() - panel);
            oracle.product(matrix, panel, run, x, tokens, expected, stride, scratch);
            vectors.product(matrix, panel, run, x, tokens, actual, stride, scratch);
          }
          String what = type + " " + rows + "x" + columns + ", " + tokens + " tokens";
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
      float[] many = new float[tokens * 32];
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
  void attentionOverPages_withPoisonBehindTheLastToken_equalsTheOracleAndNeverSeesIt() {
    for (int headDim : new int[] {1, 4, 8, 12, 16, 20, 64, 80, 128}) {
      for (int valid = 1; valid <= Kernels.LANES; valid++) {
        for (int queries : new int[] {1, 2, 3, 4, 5, 9}) {
          float[] actual = attend(vectors, headDim, valid, queries);
          float[] expected = attend(oracle, headDim, valid, queries);
          String what = headDim + " wide, " + valid + " tokens, " + queries + " queries";
          assertSameBits(actual, expected, what);
          for (float value : actual) {
            assertThat(value).as(what).isFinite();
          }
        }
      }
    }
  }

  /** Three pages, the last with {@code valid} tokens and NaN behind them. */
  private static float[] attend(Kernels kernels, int headDim, int valid, int queries) {
    Random random = new Random(SEED + headDim);
    int pages = 3;
    int pageFloats = 2 * Kernels.LANES * headDim;
    float[] kv = new float[pages * pageFloats];
    for (int page = 0; page < pages; page++) {
      int tokens = page == pages - 1 ? valid : Kernels.LANES;
      for (int t = 0; t < Kernels.LANES; t++) {
        for (int d = 0; d < headDim; d++) {
          float key = t < tokens ? (float) random.nextGaussian() : Float.NaN;
          float value = t < tokens ? (float) random.nextGaussian() : Float.NaN;
          kv[page * pageFloats + d * Kernels.LANES + t] = key;
          kv[page * pageFloats + pageFloats / 2 + t * headDim + d] = value;
        }
      }
    }
    int[] at = new int[queries];
    float[] q = new float[queries * headDim + 1];
    for (int i = 0; i < q.length; i++) {
      q[i] = (float) random.nextGaussian();
    }
    Arrays.setAll(at, j -> j * headDim + 1);
    float[] scores = new float[queries * Kernels.LANES];
    float[] max = new float[queries];
    Arrays.fill(max, Float.NEGATIVE_INFINITY);
    float[] sum = new float[queries];
    float[] out = new float[q.length];
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = arena.allocateFrom(ValueLayout.JAVA_FLOAT, kv);
      for (int page = 0; page < pages; page++) {
        long keys = 4L * page * pageFloats;
        long values = keys + 2L * pageFloats;
        int tokens = page == pages - 1 ? valid : Kernels.LANES;
        kernels.scores(q, at, 0, queries, headDim, memory, keys, scores);
        int first = page == 0 ? valid - 1 : 0; // a window begins where it will
        for (int j = 0; j < queries; j++) {
          float scale = kernels.weigh(scores, j, first, tokens, max, sum);
          kernels.accumulate(
              scores, j * Kernels.LANES, first, tokens, scale, memory, values, headDim, out, at[j]);
        }
      }
    }
    float[] all = Arrays.copyOf(out, out.length + queries);
    System.arraycopy(sum, 0, all, out.length, queries);
    return all;
  }

  /** A page may hold halves that are no numbers, from a model whose keys are beyond their range. */
  @Test
  void widen_ofEveryHalf_equalsTheOracle() {
    try (Arena arena = Arena.ofConfined()) {
      int n = 1 << 16;
      MemorySegment halves = arena.allocate(2L * n, 64);
      for (int i = 0; i < n; i++) {
        halves.setAtIndex(ValueLayout.JAVA_SHORT, i, (short) i);
      }
      MemorySegment actual = arena.allocate(4L * n, 64);
      MemorySegment expected = arena.allocate(4L * n, 64);
      vectors.widenHalves(halves, 0, actual, n);
      oracle.widenHalves(halves, 0, expected, n);
      assertThat(actual.mismatch(expected)).isEqualTo(-1);
      for (int i = 0; i < n; i++) {
        if ((i & 0x7c00) != 0x7c00) {
          assertThat(expected.getAtIndex(ValueLayout.JAVA_FLOAT, i))
              .isEqualTo(Float.float16ToFloat((short) i));
        }
      }
      for (int i = 0; i < n; i++) {
        boolean signals = (i & 0x7fc0) == 0x7f80 && (i & 0x3f) != 0; // never stored
        halves.setAtIndex(ValueLayout.JAVA_SHORT, i, (short) (signals ? 0 : i));
      }
      vectors.widenBfloats(halves, 0, actual, n);
      oracle.widenBfloats(halves, 0, expected, n);
      assertThat(actual.mismatch(expected)).isEqualTo(-1);
    }
  }
}
