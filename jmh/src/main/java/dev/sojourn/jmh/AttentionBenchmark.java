package dev.sojourn.jmh;

import dev.sojourn.core.BlockHasher;
import dev.sojourn.engine.model.KvType;
import dev.sojourn.engine.model.LoadOptions;
import dev.sojourn.engine.model.LoadedModel;
import dev.sojourn.engine.model.ModelRunner;
import dev.sojourn.engine.model.StepBatch;
import dev.sojourn.engine.weights.ModelFile;
import dev.sojourn.engine.weights.Progress;
import dev.sojourn.engine.weights.SyntheticModel;
import dev.sojourn.engine.weights.TensorType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalInt;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * A step of a model that is little else than attention: one layer, 16 heads of 128 that share 8 of
 * keys and values, and hardly any weights.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "--add-modules=jdk.incubator.vector")
public class AttentionBenchmark {

  /** All of them. */
  @Param public KvType kvType = KvType.F32;

  /** Tokens before the step's. */
  @Param({"128", "2048", "8192", "32000"})
  public int context;

  /** Of the step: one decodes, many are part of a prompt. */
  @Param({"1", "256"})
  public int tokens;

  @SuppressWarnings("NullAway.Init") // by load, before anything is measured
  private LoadedModel model;

  @SuppressWarnings("NullAway.Init")
  private ModelRunner runner;

  private StepBatch step = new StepBatch(1);
  private int[] table = {};

  /** Makes the model, and a context whose pages all hold the same. */
  @Setup
  public void load() throws IOException {
    int pages = Math.ceilDiv(context + tokens, BlockHasher.BLOCK);
    SyntheticModel.Spec spec =
        new SyntheticModel.Spec(
            SyntheticModel.Architecture.LLAMA, 1, 64, 32, 16, 8, 128, 300, TensorType.F32, 32_768);
    Path path = Files.createTempFile("sojourn-jmh-", ".gguf");
    SyntheticModel.write(path, spec, 1, Progress.NONE);
    try (ModelFile file = ModelFile.open(path)) {
      LoadOptions options = new LoadOptions(1, OptionalInt.empty(), kvType);
      model = LoadedModel.load(file, options, Progress.NONE);
    } finally {
      Files.delete(path);
    }
    runner = model.newRunner(pages);
    step = new StepBatch(spec.vocabulary());
    table = IntStream.range(0, pages).toArray();
    run(0, BlockHasher.BLOCK);
    for (int page = 1; page < pages; page++) {
      runner.copySlots(0, page, BlockHasher.BLOCK);
    }
  }

  /** Runs a step. */
  @Benchmark
  public void attention() {
    run(context, tokens);
  }

  private void run(int position, int count) {
    step.clear();
    step.addSlice(position, table, false);
    for (int i = 0; i < count; i++) {
      step.addToken(i % 256);
    }
    runner.run(step);
  }

  /** Frees the model. */
  @TearDown
  public void free() {
    runner.close();
    model.close();
  }
}
