package dev.sojourn.engine.model;

import dev.sojourn.engine.kernel.Allocation;
import dev.sojourn.engine.weights.TensorType;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Steps allocate nothing, on whichever thread: no garbage, no pause. */
@Tag("allocation")
class ForwardPassAllocationTest {

  @TempDir Path directory;

  @ParameterizedTest
  @CsvSource({
    "qwen3moe, Q8_0, F32",
    "gemma3, Q8_0, F16",
    "qwen3moe, Q4_K, BF16",
    "gemma3, Q4_K, Q8_0",
  })
  void run_onceCompiled_allocatesNothingOnAnyThread(
      String architecture, TensorType weights, KvType kv) {
    TinyModel model = TinyModel.of(architecture, weights);
    try (LoadedModel loaded = model.load(directory, 2, kv);
        ModelRunner runner = loaded.newRunner(8)) {
      StepBatch batch = new StepBatch(runner.vocabularySize());
      int[] prompt = Run.prompt(37, 1);
      int[] one = {1};
      Run prefill = new Run(runner, 0, 1, 2);
      Run decode = new Run(runner, 3);
      Allocation.assertCeases(
          "a step of %s in %s with KV in %s".formatted(architecture, weights, kv),
          10,
          () -> {
            batch.clear();
            prefill.from(0).add(batch, true, prompt);
            decode.from(0).add(batch, true, one);
            runner.run(batch);
            batch.clear();
            decode.from(1).add(batch, true, one);
            runner.run(batch);
          });
    }
  }
}
