package dev.sojourn.engine.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.engine.kernel.ComputePool;
import dev.sojourn.engine.kernel.Kernels;
import dev.sojourn.engine.weights.GgufFile;
import dev.sojourn.engine.weights.Progress;
import dev.sojourn.engine.weights.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class MiniatureTest {

  @TempDir Path directory;

  static Stream<Arguments> models() {
    return Stream.of("llama", "qwen2", "qwen3", "qwen3moe", "gemma3", "phi3")
        .flatMap(architecture ->
            Stream.of(TensorType.F32, TensorType.F16, TensorType.Q8_0, TensorType.Q4_K)
                .map(type -> Arguments.of(architecture, type)));
  }

  @ParameterizedTest
  @MethodSource("models")
  void of_aModel_runsItsTypesAndPartsWithUnlikeTokens(String architecture, TensorType type) {
    try (Arena arena = Arena.ofShared();
        ComputePool pool = new ComputePool(2)) {
      Weights model = weights(TinyModel.of(architecture, type), arena, pool);
      Weights small = Miniature.of(model, arena);
      assertThat(small.layers())
          .extracting(Layer::kind)
          .doesNotHaveDuplicates()
          .containsExactlyInAnyOrderElementsOf(
              model.layers().stream().map(Layer::kind).distinct().toList());
      assertThat(weights(small)).isLessThanOrEqualTo(weights(model));
      assertThat(logits(small, pool)).doesNotContain(Float.NaN).doesNotHaveDuplicates();
    }
  }

  @Test
  void kind_ofLayersThatDifferInOneMatrix_differs() {
    try (Arena arena = Arena.ofShared();
        ComputePool pool = new ComputePool(1)) {
      Layer layer = weights(TinyModel.of("llama", TensorType.Q8_0), arena, pool).layers().get(0);
      Layer other =
          weights(TinyModel.of("llama", TensorType.Q4_0), arena, pool).layers().getFirst();
      Layer mixed =
          new Layer(
              layer.attentionNorm(),
              layer.projections(),
              layer.queryNorm(),
              layer.keyNorm(),
              other.output(),
              layer.attentionPostNorm(),
              layer.feedForwardNorm(),
              layer.feedForward(),
              layer.feedForwardPostNorm(),
              0,
              0);
      assertThat(mixed.kind()).isNotEqualTo(layer.kind());
      assertThat(layer.withPositions(0, 9).kind()).isNotEqualTo(layer.kind());
      assertThat(layer.withPositions(0, 9).kind()).isEqualTo(layer.withPositions(0, 7).kind());
    }
  }

  private Weights weights(TinyModel model, Arena arena, ComputePool pool) {
    try (GgufFile file = GgufFile.open(model.write(directory))) {
      WeightLoader loader = new WeightLoader(file, OptionalInt.empty());
      MemorySegment image = arena.allocate(loader.bytes(), 64);
      return loader.pack(image, pool, new ArrayList<>(), Progress.NONE).weights();
    }
  }

  private static float[] logits(Weights weights, ComputePool pool) {
    Hyperparameters h = weights.parameters();
    StepBatch batch = new StepBatch(weights.vocabulary());
    batch.addSlice(0, new int[] {0, 1}, true);
    for (int id : List.of(3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2)) {
      batch.addToken(id);
    }
    try (KvCache kv =
        new KvCache(KvType.F16, weights.layers().size(), h.kvHeads(), h.headDim(), 2)) {
      new ForwardPass(weights, Kernels.best(), pool).run(batch, kv);
    }
    return batch.logits(0);
  }

  private static long weights(Weights model) {
    return model.output().weights().weights()
        + model.layers().stream()
            .flatMap(layer -> layer.linears().stream())
            .mapToLong(linear -> linear.weights().weights())
            .sum();
  }
}
