package dev.sojourn.engine.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.sojourn.engine.weights.GgufFile;
import dev.sojourn.engine.weights.Progress;
import dev.sojourn.engine.weights.TensorType;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.OptionalInt;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class ForwardPassTest {

  private static final int LENGTH = 37; // two pages and a bit

  @TempDir Path directory;

  static Stream<TinyModel> models() {
    Stream<TinyModel> everyPair =
        Stream.of("llama", "qwen2", "qwen3", "qwen3moe", "gemma3", "phi3")
            .flatMap(architecture ->
                Arrays.stream(TensorType.values())
                    .filter(TensorType::supported)
                    .map(type -> TinyModel.of(architecture, type)));
    return Stream.concat(
        everyPair,
        Stream.of(
            new TinyModel("llama", TensorType.F32, 32, false, false, "none"),
            new TinyModel("llama", TensorType.F32, 20, true, true, "none"),
            new TinyModel("llama", TensorType.F16, 32, true, false, "linear"),
            new TinyModel("gemma3", TensorType.F32, 48, true, false, "linear"),
            new TinyModel("qwen3", TensorType.F32, 6, true, false, "none"),
            new TinyModel("qwen2", TensorType.BF16, 48, false, false, "linear")));
  }

  @ParameterizedTest
  @MethodSource("models")
  void run_ofAnyModel_comesCloseToTheReferenceInDouble(TinyModel model) {
    assertCloseToReference(model, KvType.F32, LoadOptions.defaults().kvType());
  }

  @ParameterizedTest
  @EnumSource
  void run_withAnyKvType_comesCloseToTheReferenceInDouble(KvType kvType) {
    assertCloseToReference(TinyModel.of("qwen3", TensorType.F32), kvType);
  }

  private static double tolerance(KvType kvType) {
    return switch (kvType) {
      case F32 -> 1e-4;
      case F16 -> 2e-2;
      case Q8_0 -> 1e-1;
      case BF16 -> 2e-1;
    };
  }

  private void assertCloseToReference(TinyModel model, KvType... kvTypes) {
    int[] ids = Run.prompt(LENGTH, 5);
    try (GgufFile file = GgufFile.open(model.write(directory))) {
      double[] expected = new ReferenceModel(file, model).logits(ids);
      for (KvType kvType : kvTypes) {
        LoadOptions options = new LoadOptions(2, OptionalInt.empty(), kvType);
        try (LoadedModel loaded = model.load(directory, options, Progress.NONE);
            ModelRunner runner = loaded.newRunner(4)) {
          float[] actual = new Run(runner, 2, 0, 3).feed(ids);
          assertThat(actual).hasSize(TinyModel.VOCABULARY);
          for (int id = 0; id < actual.length; id++) {
            assertThat((double) actual[id])
                .as("KV %s, logit %d", kvType, id)
                .isCloseTo(expected[id], within(tolerance(kvType)));
          }
        }
      }
    }
  }

  @Test
  void run_ofWhatIsNotTheModels_isRefusedWithTheBounds() {
    try (LoadedModel loaded = TinyModel.of("llama", TensorType.F32).load(directory, 1, KvType.F32);
        ModelRunner runner = loaded.newRunner(2)) {
      assertThatThrownBy(() -> new Run(runner, 0).feed(TinyModel.VOCABULARY))
          .isInstanceOf(IndexOutOfBoundsException.class)
          .hasMessageContaining("77");
      assertThatThrownBy(() -> new Run(runner, 2).feed(1))
          .isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> new Run(runner, 0).from(TinyModel.CONTEXT).feed(1))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("a context has 320");
      assertThatThrownBy(() -> runner.copySlots(0, 2, 1))
          .isInstanceOf(IndexOutOfBoundsException.class);
    }
  }
}
