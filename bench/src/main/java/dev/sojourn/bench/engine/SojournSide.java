package dev.sojourn.bench.engine;

import dev.sojourn.core.BlockHasher;
import dev.sojourn.core.Clock;
import dev.sojourn.engine.EngineConfig;
import dev.sojourn.engine.model.KvType;
import dev.sojourn.engine.model.LoadOptions;
import dev.sojourn.engine.model.LoadedModel;
import dev.sojourn.engine.model.ModelRunner;
import dev.sojourn.engine.model.StepBatch;
import dev.sojourn.engine.weights.ModelFile;
import dev.sojourn.engine.weights.Progress;
import java.io.IOException;
import java.nio.file.Path;
import java.util.OptionalInt;
import java.util.stream.IntStream;

/**
 * Our own engine as a side: the model's runner, without scheduling. A context that is decoded from
 * has the first page's KV in all its pages, which takes as long to read as any other.
 */
final class SojournSide implements Answers {

  /** A prompt is computed in the steps that an engine makes of it. */
  private static final int CHUNK = EngineConfig.defaults().prefillChunk();

  private final Clock clock = Clock.system();
  private final LoadedModel model;
  private final LoadOptions options;

  private SojournSide(LoadedModel model, LoadOptions options) {
    this.model = model;
    this.options = options;
  }

  /** Answers for the model that the first argument names, with these threads and KV. */
  public static void main(String[] args) throws IOException {
    Answers.run(() ->
        open(
            Path.of(args[0]),
            new LoadOptions(
                Integer.parseInt(args[1]), OptionalInt.empty(), KvType.valueOf(args[2]))));
    System.exit(0); // the compute pool's threads would keep it
  }

  private static SojournSide open(Path path, LoadOptions options) {
    try (ModelFile file = ModelFile.open(path)) {
      return new SojournSide(LoadedModel.load(file, options, Progress.NONE), options);
    }
  }

  @Override
  public String setup() {
    return "KV " + options.kvType();
  }

  @Override
  public void warmUp() {
    model.warmUp(Progress.NONE);
  }

  @Override
  public double prefill(int tokens) {
    int pages = Math.ceilDiv(tokens, BlockHasher.BLOCK);
    int[] table = pages(0, pages);
    StepBatch step = new StepBatch(vocabulary());
    try (ModelRunner runner = model.newRunner(pages)) {
      long start = clock.nanos();
      for (int from = 0; from < tokens; from += CHUNK) {
        int to = Math.min(tokens, from + CHUNK);
        step.clear();
        step.addSlice(from, table, to == tokens);
        for (int i = from; i < to; i++) {
          step.addToken(token(i));
        }
        runner.run(step);
      }
      best(step.logits(0));
      return (clock.nanos() - start) / 1e6;
    }
  }

  @Override
  public double decode(int batch, int context, int steps) {
    int each = Math.ceilDiv(context + 1 + steps, BlockHasher.BLOCK);
    StepBatch step = new StepBatch(vocabulary());
    int[][] tables = new int[batch][];
    int[] next = new int[batch];
    try (ModelRunner runner = model.newRunner(batch * each)) {
      fill(runner, step, batch * each);
      for (int i = 0; i < batch; i++) {
        tables[i] = pages(i * each, (i + 1) * each);
        next[i] = token(i);
      }
      long start = 0;
      for (int i = 0; i <= steps; i++) {
        if (i == 1) {
          start = clock.nanos();
        }
        step.clear();
        for (int j = 0; j < batch; j++) {
          step.addSlice(context + i, tables[j], true);
          step.addToken(next[j]);
        }
        runner.run(step);
        for (int j = 0; j < batch; j++) {
          next[j] = best(step.logits(j));
        }
      }
      return (clock.nanos() - start) / 1e6;
    }
  }

  private void fill(ModelRunner runner, StepBatch step, int pages) {
    step.addSlice(0, new int[] {0}, false);
    for (int i = 0; i < BlockHasher.BLOCK; i++) {
      step.addToken(token(i));
    }
    runner.run(step);
    for (int page = 1; page < pages; page++) {
      runner.copySlots(0, page, BlockHasher.BLOCK);
    }
  }

  private int vocabulary() {
    return model.shape().vocabularySize();
  }

  private int token(int index) {
    return (index * 7919 + 300) % vocabulary();
  }

  private static int[] pages(int from, int to) {
    return IntStream.range(from, to).toArray();
  }

  private static int best(float[] logits) {
    int best = 0;
    for (int i = 1; i < logits.length; i++) {
      if (logits[i] > logits[best]) {
        best = i;
      }
    }
    return best;
  }
}
