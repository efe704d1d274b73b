package dev.sojourn.engine.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sojourn.engine.kernel.ComputePool;
import dev.sojourn.engine.kernel.Kernels;
import dev.sojourn.engine.kernel.PackedMatrix;
import dev.sojourn.engine.kernel.ProductScratch;
import dev.sojourn.engine.kernel.WeightType;
import dev.sojourn.engine.weights.GgufFile;
import dev.sojourn.engine.weights.GgufWriter;
import dev.sojourn.engine.weights.ModelFileException;
import dev.sojourn.engine.weights.Progress;
import dev.sojourn.engine.weights.TensorType;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TensorsTest {

  @TempDir Path directory;

  @Test
  void split_ofATensorWithABias_givesEachPartItsOwn() {
    Path path = directory.resolve("m.gguf");
    new GgufWriter()
        .tensor("m.weight", TensorType.F32, (row, into) -> Arrays.fill(into, (float) row), 4, 5)
        .tensor("m.bias", TensorType.F32, (_, into) -> setBias(into), 5)
        .write(path, Progress.NONE);
    try (GgufFile file = GgufFile.open(path);
        Arena arena = Arena.ofShared();
        ComputePool pool = new ComputePool(1)) {
      Tensors tensors =
          new Tensors(
              file,
              0,
              (tensor, firstRow, rows, columns) ->
                  PackedMatrix.pack(
                      WeightType.of(tensor.type()),
                      tensor.data().asSlice(firstRow * 16, rows * 16L),
                      rows,
                      columns,
                      arena,
                      pool),
              Progress.NONE);
      Linear[] parts = tensors.split("m", 4, 2, 3);
      // Four ones times a row of its number, and the bias.
      assertThat(product(parts[0])).startsWith(0.5f, 5.5f, 0);
      assertThat(product(parts[1])).startsWith(10.5f, 15.5f, 20.5f, 0);
    }
  }

  @ParameterizedTest
  @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY})
  void norm_ofANumberThatIsNotFinite_namesItsTensor(float number) {
    assertThatThrownBy(() -> take(number, tensors -> tensors.norm("m", 3)))
        .isInstanceOf(ModelFileException.class)
        .hasMessageContaining("\"m.weight\" to have finite numbers")
        .hasMessageContaining(String.valueOf(number));
  }

  @Test
  void rows_ofATensorThatIsMissing_areRefusedWithoutAShape() {
    assertThatThrownBy(() -> take(1, tensors -> tensors.rows("absent.weight")))
        .isInstanceOf(ModelFileException.class)
        .hasMessageEndingWith("expected tensor \"absent.weight\", found no such tensor");
  }

  @ParameterizedTest
  @ValueSource(floats = {0, -0f, -1, Float.NaN, Float.POSITIVE_INFINITY})
  void frequencyFactors_withOneThatCannotDivide_areRefused(float number) {
    assertThatThrownBy(() -> take(number, tensors -> tensors.frequencyFactors("m.weight", 3)))
        .isInstanceOf(ModelFileException.class)
        .hasMessageContaining("\"m.weight\" to have ")
        .hasMessageContaining(String.valueOf(number));
  }

  /** Takes something of a file with a vector of three numbers, the second of which is this. */
  private void take(float number, Consumer<Tensors> taking) {
    Path path = directory.resolve("v.gguf");
    float[] numbers = {1, number, 1};
    new GgufWriter()
        .tensor("m.weight", TensorType.F32, (_, row) -> System.arraycopy(numbers, 0, row, 0, 3), 3)
        .write(path, Progress.NONE);
    try (GgufFile file = GgufFile.open(path)) {
      Tensors.Matrices none =
          (tensor, _, _, _) -> {
            throw new AssertionError(tensor.name());
          };
      taking.accept(new Tensors(file, 0, none, Progress.NONE));
    }
  }

  private static void setBias(float[] into) {
    for (int i = 0; i < into.length; i++) {
      into[i] = i + 0.5f;
    }
  }

  private static float[] product(Linear linear) {
    float[] input = new float[4 * Kernels.GROUP];
    Kernels.interleave(new float[] {1, 1, 1, 1}, 4, 4, 1, 0, input);
    float[] out = new float[PackedMatrix.PANEL];
    linear.multiply(Kernels.best(), 0, 1, input, 1, out, new ProductScratch());
    return out;
  }
}
