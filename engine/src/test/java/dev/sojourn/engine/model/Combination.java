package dev.sojourn.engine.model;

import dev.sojourn.core.Tokens;
import dev.sojourn.engine.EvictionPolicy;
import dev.sojourn.engine.kv.Context;
import dev.sojourn.engine.kv.PagePool;
import dev.sojourn.engine.weights.Progress;
import dev.sojourn.engine.weights.TensorType;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.Random;

/**
 * A model with contexts to run through it. {@link #expected} says what logits they have, fed token
 * by token, alone, on one thread; {@link #compare} runs them as a server might: in batches and
 * chunks of any size, on some threads, over pages that others left, cached or evicted.
 *
 * @param sequences contexts, some of which begin alike
 */
record Combination(TinyModel model, KvType kvType, List<int[]> sequences) {

  private static final List<String> ARCHITECTURES =
      List.of("llama", "qwen2", "qwen3", "qwen3moe", "gemma3", "phi3");

  /** Enough for the longest context alone, too few for several: they evict each other's pages. */
  private static final int PAGES = 24;

  /** More than a step of softmax, so that some contexts have two. */
  private static final int LONGEST = 150;

  private static final int RUNS = 6;
  private static final int AT_ONCE = 4;

  /** Generates combinations, in which each weight type and each architecture comes up in turn. */
  static List<Combination> generate(long seed, int count) {
    Random random = new Random(seed);
    List<TensorType> types =
        Arrays.stream(TensorType.values()).filter(TensorType::supported).toList();
    List<KvType> kvTypes = List.of(KvType.values());
    List<Combination> combinations = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      TensorType type = types.get(i % types.size());
      String architecture = ARCHITECTURES.get(i % ARCHITECTURES.size());
      int headDim = type.blockElements() == 1 && random.nextBoolean() ? 20 : 32; // with a tail
      TinyModel model =
          new TinyModel(
              architecture,
              type,
              TinyModel.headDim(type, headDim),
              random.nextBoolean(),
              false,
              "none");
      KvType kvType = kvTypes.get(random.nextInt(kvTypes.size()));
      combinations.add(new Combination(model, kvType, sequences(random)));
    }
    return combinations;
  }

  private static List<int[]> sequences(Random random) {
    int[] first = Run.prompt(40 + random.nextInt(LONGEST - 40), random.nextLong());
    int[] alike = Run.prompt(40 + random.nextInt(LONGEST - 40), random.nextLong());
    int shared = random.nextInt(Math.min(first.length, alike.length));
    System.arraycopy(first, 0, alike, 0, shared);
    return List.of(first, alike, Run.prompt(20 + random.nextInt(40), random.nextLong()));
  }

  /** Writes the model, and returns a hash of the logits after each token of each sequence. */
  int[][] expected(Path directory) {
    try (LoadedModel loaded = model.load(directory, 1, kvType);
        ModelRunner runner = loaded.newRunner(PAGES)) {
      return sequences.stream().map(ids -> oneByOne(runner, ids)).toArray(int[][]::new);
    }
  }

  private static int[] oneByOne(ModelRunner runner, int[] ids) {
    Run run = new Run(runner, Run.pages(ids.length, 0));
    return Arrays.stream(ids).map(id -> Arrays.hashCode(run.feed(id))).toArray();
  }

  /** A sequence on its way. */
  private static final class Going {
    final int sequence;
    final Context context;
    int slice;
    int todo;

    Going(int sequence, PagePool pool) {
      this.sequence = sequence;
      context = new Context(pool, 1, null);
      context.begin();
    }
  }

  /**
   * Runs the sequences at random through the model that {@link #expected} wrote.
   *
   * @return how many logits were compared
   * @throws AssertionError if some differ
   */
  int compare(Path directory, int[][] expected, Random random) {
    int threads = 1 + random.nextInt(3);
    LoadOptions options = new LoadOptions(threads, OptionalInt.empty(), kvType);
    int compared = 0;
    try (LoadedModel loaded = model.load(directory, options, Progress.NONE);
        ModelRunner runner = loaded.newRunner(PAGES)) {
      PagePool pool = new PagePool(runner, 0, EvictionPolicy.LRU);
      StepBatch batch = new StepBatch(runner.vocabularySize());
      List<Going> going = new ArrayList<>();
      for (int begun = 0; begun < RUNS || !going.isEmpty(); ) {
        while (begun < RUNS
            && going.size() < AT_ONCE
            && (going.isEmpty() || random.nextBoolean())) {
          going.add(new Going(random.nextInt(sequences.size()), pool));
          begun++;
        }
        batch.clear();
        going.removeIf(one -> !joins(one, batch, random));
        runner.run(batch);
        for (Going one : going) {
          one.context.advance(one.todo);
          int length = one.context.length();
          if (Arrays.hashCode(batch.logits(one.slice)) != expected[one.sequence][length - 1]) {
            throw new AssertionError(
                "%s with %d threads: other logits after token %d of sequence %d, %d of a batch of %d"
                    .formatted(this, threads, length, one.sequence, one.todo, batch.tokens()));
          }
          compared++;
        }
        going.removeIf(this::endsIfWhole);
      }
    }
    return compared;
  }

  /** Adds its next chunk to a step; a sequence for which there is no page leaves. */
  private boolean joins(Going one, StepBatch batch, Random random) {
    int[] ids = sequences.get(one.sequence);
    int done = one.context.length();
    int chunk = 1 + (random.nextInt(3) == 0 ? random.nextInt(ids.length) : random.nextInt(4));
    int to = Math.min(ids.length, done + chunk);
    one.context.append(Tokens.of(Arrays.copyOfRange(ids, done, to)));
    if (done == 0) {
      one.context.match();
    }
    if (!one.context.reserve(to)) {
      one.context.end(0, 0, 0);
      return false;
    }
    one.todo = to - one.context.computed();
    one.slice = one.context.addTo(batch, one.todo);
    return true;
  }

  private boolean endsIfWhole(Going one) {
    boolean whole = one.context.length() == sequences.get(one.sequence).length;
    if (whole) {
      one.context.end(0, 0, 0);
    }
    return whole;
  }

  @Override
  public String toString() {
    return model + " with KV in " + kvType;
  }
}
