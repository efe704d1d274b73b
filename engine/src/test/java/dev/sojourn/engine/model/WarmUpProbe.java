package dev.sojourn.engine.model;

import dev.sojourn.engine.sample.Sampler;
import dev.sojourn.engine.sample.SamplingParameters;
import dev.sojourn.engine.weights.GgufFile;
import dev.sojourn.engine.weights.Progress;
import dev.sojourn.engine.weights.TensorType;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalInt;
import java.util.Random;

/** Warms up a model and then serves it; started by {@link WarmUpTest}, which watches the JVM. */
final class WarmUpProbe {

  /** Printed when the model is warm. */
  static final String WARM = "=== warm";

  /** Printed when all steps are done. */
  static final String DONE = "=== done";

  private static final int CONTEXTS = 8;
  private static final int LARGER_VOCABULARY = 1_300;

  /** Greedily, from all, from the likeliest, and from the likeliest of few. */
  private static final List<SamplingParameters> WAYS =
      List.of(
          new SamplingParameters(0, 0, 1, 0, 1, 0),
          new SamplingParameters(1, 0, 1, 0, 1, 0),
          new SamplingParameters(0.8f, 0, 0.95f, 0, 1, 0),
          new SamplingParameters(1, 20, 0.8f, 0.1f, 1, 0));

  private WarmUpProbe() {}

  /**
   * The arguments: a directory for the model's file, an architecture, its type, the KV's, steps.
   */
  public static void main(String... arguments) {
    TinyModel model = TinyModel.of(arguments[1], TensorType.valueOf(arguments[2]));
    KvType kvType = KvType.valueOf(arguments[3]);
    LoadOptions options = new LoadOptions(2, OptionalInt.empty(), kvType);
    try (GgufFile file = GgufFile.open(model.write(Path.of(arguments[0])));
        LoadedModel loaded = LoadedModel.loadWarm(file, options, Progress.NONE);
        ModelRunner runner = loaded.newRunner(CONTEXTS * TinyModel.CONTEXT / 16)) {
      System.out.println(WARM);
      serve(runner, Integer.parseInt(arguments[4]));
      System.out.println(DONE);
    }
  }

  /** Runs what a server runs: chunks of prompts beside sequences that decode, and draws tokens. */
  private static void serve(ModelRunner runner, int steps) {
    Sampler sampler = new Sampler(runner.vocabularySize());
    Random random = new Random(3);
    Sampler larger = new Sampler(LARGER_VOCABULARY);
    float[] logits = new float[LARGER_VOCABULARY];
    StepBatch batch = new StepBatch(runner.vocabularySize());
    int[] length = new int[CONTEXTS];
    for (int step = 0; step < steps; step++) {
      batch.clear();
      for (int i = 0; i < CONTEXTS; i++) {
        if (random.nextInt(1 + i) == 0) {
          int more = length[i] < 160 ? 1 + random.nextInt(64) : 1;
          int[] pages = Run.pages(TinyModel.CONTEXT, i * TinyModel.CONTEXT / 16);
          batch.addSlice(length[i], pages, more == 1);
          for (int token = 0; token < more; token++) {
            batch.addToken(random.nextInt(TinyModel.VOCABULARY));
          }
          length[i] = length[i] + more < 300 ? length[i] + more : 0;
        }
      }
      runner.run(batch);
      for (int slice = 0; slice < batch.slices(); slice++) {
        if (batch.wantsLogits(slice)) {
          draw(sampler, batch.logits(slice), step);
        }
      }
      for (int id = 0; id < logits.length; id++) {
        logits[id] = (float) Math.rint(random.nextGaussian() * 64) * (1 + step % 4) / 64;
      }
      draw(larger, logits, step);
    }
  }

  private static void draw(Sampler sampler, float[] logits, int step) {
    for (SamplingParameters way : WAYS) {
      sampler.sample(logits, way, step);
    }
    sampler.top(3, sampler.logSumExp());
    sampler.top(0, sampler.logSumExp());
  }
}
