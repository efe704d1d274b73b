package dev.sojourn.engine.model;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.sojourn.engine.weights.Checkpoint;
import dev.sojourn.engine.weights.CheckpointWriter;
import dev.sojourn.engine.weights.GgufFile;
import dev.sojourn.engine.weights.ModelFile;
import dev.sojourn.engine.weights.Progress;
import dev.sojourn.engine.weights.SyntheticModel;
import dev.sojourn.engine.weights.TensorType;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The same weights as a checkpoint and as a GGUF file. */
class CheckpointTest {

  private static final LoadOptions OPTIONS = new LoadOptions(2, OptionalInt.empty(), KvType.F32);

  @TempDir Path directory;

  @ParameterizedTest
  @CsvSource({
    "llama, F32, false",
    "llama, F16, true",
    "llama, BF16, false",
    "qwen2, BF16, true",
    "qwen2, F32, false",
    "qwen3, F16, false",
    "qwen3, BF16, true"
  })
  void logits_ofACheckpoint_areThoseOfTheSameGgufToTheLastBit(
      String architecture, TensorType type, boolean tied) throws IOException {
    TinyModel model = new TinyModel(architecture, type, 20, tied, false, "none");
    try (GgufFile gguf = GgufFile.open(model.write(directory))) {
      CheckpointWriter.write(gguf, directory.resolve("checkpoint"), 3);
    }
    try (Checkpoint checkpoint = Checkpoint.open(directory.resolve("checkpoint"))) {
      assertThat(logits(checkpoint)).isEqualTo(logits(GgufFile.open(model.path(directory))));
    }
  }

  /** Queries alone are 8 MB, in rows that a checkpoint has in another order. */
  @Test
  void load_ofACheckpointWithRowsInAnotherOrder_makesNoCopyOfThemOnTheHeap() throws IOException {
    Path model = directory.resolve("model.gguf");
    SyntheticModel.Spec spec =
        new SyntheticModel.Spec(
            SyntheticModel.Architecture.LLAMA, 1, 256, 32, 64, 1, 128, 300, TensorType.F32, 32);
    SyntheticModel.write(model, spec, 1, Progress.NONE);
    try (GgufFile gguf = GgufFile.open(model)) {
      CheckpointWriter.write(gguf, directory.resolve("checkpoint"), 1);
    }
    LoadOptions ofOneThread = new LoadOptions(1, OptionalInt.empty(), KvType.F32);
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    try (Checkpoint checkpoint = Checkpoint.open(directory.resolve("checkpoint"))) {
      long before = threads.getCurrentThreadAllocatedBytes();
      LoadedModel.load(checkpoint, ofOneThread, Progress.NONE).close();
      assertThat(threads.getCurrentThreadAllocatedBytes() - before)
          .isLessThan(checkpoint.tensor("blk.0.attn_q.weight", 256, 64 * 128).data().byteSize());
    }
  }

  private static float[] logits(ModelFile file) {
    try (file;
        LoadedModel loaded = LoadedModel.load(file, OPTIONS, Progress.NONE);
        ModelRunner runner = loaded.newRunner(4)) {
      return new Run(runner, 2, 0, 3).feed(Run.prompt(37, 5));
    }
  }
}
