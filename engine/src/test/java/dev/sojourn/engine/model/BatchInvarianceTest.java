package dev.sojourn.engine.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.engine.weights.TensorType;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A token's logits are the same bits however it was computed: the comparisons are exact, with one
 * token fed at a time on one thread as the measure.
 */
class BatchInvarianceTest {

  private static final KvType SERVED = LoadOptions.defaults().kvType();
  private static final int LENGTH = 61;
  private static final int[] IDS = Run.prompt(LENGTH, 7);

  @TempDir Path directory;

  static Stream<TinyModel> models() {
    return Stream.of(
        TinyModel.of("llama", TensorType.Q8_0),
        TinyModel.of("qwen2", TensorType.Q4_0),
        TinyModel.of("qwen3", TensorType.BF16),
        TinyModel.of("qwen3moe", TensorType.Q8_0),
        TinyModel.of("gemma3", TensorType.F16),
        TinyModel.of("phi3", TensorType.Q4_0),
        TinyModel.of("llama", TensorType.Q4_K),
        TinyModel.of("qwen3", TensorType.Q5_1),
        new TinyModel("qwen3", TensorType.F32, 20, false, false, "none"));
  }

  /** Logits after each of the first tokens, fed one by one. */
  private static float[][] oneByOne(ModelRunner runner, int... ids) {
    Run run = new Run(runner, Run.pages(ids.length, 0));
    return Arrays.stream(ids).mapToObj(run::feed).toArray(float[][]::new);
  }

  private float[][] measure(TinyModel model, int... ids) {
    return measure(model, SERVED, ids);
  }

  private float[][] measure(TinyModel model, KvType kvType, int... ids) {
    try (LoadedModel loaded = model.load(directory, 1, kvType);
        ModelRunner runner = loaded.newRunner(20)) {
      return oneByOne(runner, ids);
    }
  }

  private static int[] part(int from, int to) {
    return Arrays.copyOfRange(IDS, from, to);
  }

  @ParameterizedTest
  @MethodSource("models")
  void run_inAnyChunks_givesTheSameLogits(TinyModel model) {
    float[][] expected = measure(model, IDS);
    long seed = 3;
    Random random = new Random(seed);
    try (LoadedModel loaded = model.load(directory, 2, SERVED);
        ModelRunner runner = loaded.newRunner(20)) {
      for (int round = 0; round < 25; round++) {
        Run run = new Run(runner, Run.pages(LENGTH, 0));
        int most = 1 + random.nextInt(LENGTH);
        for (int from = 0; from < LENGTH; ) {
          int to = Math.min(LENGTH, from + 1 + random.nextInt(most));
          assertThat(run.feed(part(from, to)))
              .as("seed %d round %d: tokens %d to %d", seed, round, from, to)
              .isEqualTo(expected[to - 1]);
          from = to;
        }
      }
    }
  }

  /** Some 300 tokens: three spans of softmax. */
  @ParameterizedTest
  @EnumSource
  void run_ofALongContextInChunksWithAnyKvType_givesTheSameLogits(KvType kvType) {
    TinyModel model = new TinyModel("qwen3", TensorType.F32, 20, true, false, "none");
    int[] ids = Run.prompt(TinyModel.CONTEXT - 7, 11);
    float[][] expected = measure(model, kvType, ids);
    try (LoadedModel loaded = model.load(directory, 3, kvType);
        ModelRunner runner = loaded.newRunner(20)) {
      for (int chunk : new int[] {5, 37, 128, 300, ids.length}) {
        Run run = new Run(runner, Run.pages(ids.length, 0));
        for (int from = 0; from < ids.length; from += chunk) {
          int to = Math.min(ids.length, from + chunk);
          assertThat(run.feed(Arrays.copyOfRange(ids, from, to)))
              .as("chunks of %d: tokens %d to %d", chunk, from, to)
              .isEqualTo(expected[to - 1]);
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4})
  void run_onAnyNumberOfThreads_givesTheSameLogits(int threads) {
    TinyModel model = TinyModel.of("qwen3", TensorType.Q8_0);
    float[][] expected = measure(model, IDS);
    try (LoadedModel loaded = model.load(directory, threads, SERVED);
        ModelRunner runner = loaded.newRunner(20)) {
      assertThat(new Run(runner, Run.pages(LENGTH, 0)).feed(IDS)).isEqualTo(expected[LENGTH - 1]);
      assertThat(oneByOne(runner, IDS)).isDeepEqualTo(expected);
    }
  }

  @ParameterizedTest
  @MethodSource("models")
  void run_mixedWithOthersInAnyBatchAndPages_givesTheSameLogits(TinyModel model) {
    int contexts = 5;
    int[][] ids = new int[contexts][];
    float[][][] expected = new float[contexts][][];
    for (int i = 0; i < contexts; i++) {
      ids[i] = Run.prompt(20 + 9 * i, i);
      expected[i] = measure(model, ids[i]);
    }
    long seed = 4;
    Random random = new Random(seed);
    try (LoadedModel loaded = model.load(directory, 2, SERVED);
        ModelRunner runner = loaded.newRunner(20)) {
      for (int round = 0; round < 8; round++) {
        List<Integer> free = new ArrayList<>();
        for (int page = 0; page < 20; page++) {
          free.add(page); // recycled: full of the last round's KV
        }
        Collections.shuffle(free, random);
        Run[] runs = new Run[contexts];
        int[] done = new int[contexts];
        for (int i = 0; i < contexts; i++) {
          int[] pages = Run.pages(ids[i].length, 0);
          Arrays.setAll(pages, at -> free.removeLast());
          runs[i] = new Run(runner, pages);
        }
        StepBatch batch = new StepBatch(runner.vocabularySize());
        for (boolean more = true; more; ) {
          batch.clear();
          int[] slices = new int[contexts];
          for (int i = 0; i < contexts; i++) {
            int left = ids[i].length - done[i];
            int length = Math.min(left, random.nextInt(3) == 0 ? random.nextInt(25) : 1);
            slices[i] = -1;
            if (length > 0) {
              int[] part = Arrays.copyOfRange(ids[i], done[i], done[i] + length);
              slices[i] = runs[i].add(batch, true, part);
              done[i] += length;
            }
          }
          runner.run(batch);
          more = false;
          for (int i = 0; i < contexts; i++) {
            if (slices[i] >= 0) {
              assertThat(batch.logits(slices[i]))
                  .as("seed %d round %d: context %d at %d", seed, round, i, done[i])
                  .isEqualTo(expected[i][done[i] - 1]);
            }
            more |= done[i] < ids[i].length;
          }
        }
      }
    }
  }

  @Test
  void run_slicesThatReadPagesOfAnEarlierSlice_areComputedAsIfOneAfterTheOther() {
    TinyModel model = TinyModel.of("llama", TensorType.F16);
    float[][] expected = measure(model, IDS);
    try (LoadedModel loaded = model.load(directory, 3, SERVED);
        ModelRunner runner = loaded.newRunner(20)) {
      StepBatch batch = new StepBatch(runner.vocabularySize());
      int[] shared = {5, 6, 7};
      Run first = new Run(runner, shared);
      int one = first.add(batch, true, part(0, 32));
      int two = new Run(runner, 5, 6, 9, 10).from(32).add(batch, true, part(32, 50));
      int three = new Run(runner, 5, 11, 12).from(16).add(batch, true, part(16, 40));
      int four = first.add(batch, true, part(32, 33));
      runner.run(batch);
      assertThat(batch.logits(one)).isEqualTo(expected[31]);
      assertThat(batch.logits(two)).isEqualTo(expected[49]);
      assertThat(batch.logits(three)).isEqualTo(expected[39]);
      assertThat(batch.logits(four)).isEqualTo(expected[32]);
    }
  }

  @Test
  void run_ofAStepLongerThanTheRowsAtATime_givesTheSameLogits() {
    TinyModel model = TinyModel.of("qwen2", TensorType.F32);
    int[] ids = Run.prompt(TinyModel.CONTEXT, 1);
    try (LoadedModel loaded = model.load(directory, 2, SERVED);
        ModelRunner runner = loaded.newRunner(40)) {
      float[] expected = new Run(runner, Run.pages(ids.length, 0)).feed(ids);
      StepBatch batch = new StepBatch(runner.vocabularySize());
      new Run(runner, Run.pages(ids.length, 0)).add(batch, false, ids);
      int second = new Run(runner, Run.pages(ids.length, 20)).add(batch, true, ids);
      runner.run(batch);
      assertThat(batch.tokens()).isGreaterThan(Rows.MOST);
      assertThat(batch.logits(second)).isEqualTo(expected);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 7, 15})
  void copySlots_ofAPartlyFilledPage_carriesTheContextOver(int slots) {
    TinyModel model = TinyModel.of("qwen3", TensorType.F32);
    for (KvType kvType : KvType.values()) {
      float[][] expected = measure(model, kvType, IDS);
      try (LoadedModel loaded = model.load(directory, 2, kvType);
          ModelRunner runner = loaded.newRunner(8)) {
        int length = 16 + slots;
        // Poison: another context's KV where the copy's page goes on.
        new Run(runner, 3, 2).feed(Run.prompt(32, 99));
        new Run(runner, 0, 1).feed(part(0, length));
        runner.copySlots(1, 2, slots);
        Run copy = new Run(runner, 0, 2, 4, 5).from(length);
        Run original = new Run(runner, 0, 1, 6, 7).from(length);
        float[] ofCopy = copy.feed(part(length, length + 20));
        assertThat(ofCopy).isEqualTo(original.feed(part(length, length + 20)));
        assertThat(ofCopy).isEqualTo(expected[length + 19]);
      }
    }
  }

  @Test
  void run_onRecycledPagesFullOfNaN_neverSeesThem() {
    TinyModel model = new TinyModel("qwen3", TensorType.F32, 20, false, false, "none");
    for (KvType kvType : KvType.values()) {
      float[][] expected = measure(model, kvType, IDS);
      try (LoadedModel loaded = model.load(directory, 2, kvType);
          CpuRunner runner = (CpuRunner) loaded.newRunner(4)) {
        runner.kv().data().fill((byte) 0xff); // a NaN in halves and floats
        float[][] actual = oneByOne(runner, IDS);
        assertThat(actual).isDeepEqualTo(expected);
        for (float logit : actual[LENGTH - 1]) {
          assertThat(logit).isFinite();
        }
      }
    }
  }

  @Test
  void newRunner_ofTwoRanks_sharesWeightsAndNoPages() throws InterruptedException {
    TinyModel model = TinyModel.of("llama", TensorType.Q4_0);
    float[][] expected = measure(model, IDS);
    try (LoadedModel loaded = model.load(directory, 2, SERVED);
        ModelRunner one = loaded.newRunner(4);
        ModelRunner two = loaded.newRunner(4)) {
      float[][][] actual = new float[2][][];
      Thread other = new Thread(() -> actual[1] = oneByOne(two, IDS));
      other.start();
      actual[0] = oneByOne(one, IDS);
      other.join();
      assertThat(actual[0]).isDeepEqualTo(expected);
      assertThat(actual[1]).isDeepEqualTo(expected);
    }
  }
}
