package dev.sojourn.engine.model;

import dev.sojourn.core.BlockHasher;
import dev.sojourn.core.Clock;
import dev.sojourn.engine.kernel.ComputePool;
import dev.sojourn.engine.kernel.Kernels;
import dev.sojourn.engine.sample.Sampler;
import dev.sojourn.engine.sample.SamplingParameters;
import dev.sojourn.engine.weights.Progress;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/**
 * Runs every shape of the arithmetic until it is compiled, so that the first request does not pay
 * for it: first of the model's {@link Miniature}, where it does not matter how slow code is that is
 * not compiled yet; then of one layer of each kind. Decision 0054 says when it is done and how that
 * was shown, decision 0059 why in miniature.
 *
 * <p>The miniature needs no weights, so it runs on a thread of its own from {@link #begin} on,
 * while they are loaded (decision 0056). Otherwise used by one thread, which closes it.
 */
final class WarmUp implements AutoCloseable {

  /** Rounds of the miniature, such that C2 is asked for each kernel. */
  private static final int SMALL_ROUNDS = 40;

  /** Weights times rounds of layers: less than a second of two cores. */
  private static final double WORK = 2e8;

  /** Enough rounds for what the miniature leaves to compile of a large model, and of a small. */
  private static final int FEWEST = 2;

  private static final int MOST = 600;

  /** How many more there may be, each after something was compiled. */
  private static final int PATIENCE = 20;

  /** One; few tokens, few and many; whole groups of twelve with three and seven more. */
  private static final int[] TOKENS = {1, 3, 7, 27, 31};

  /**
   * How often the miniature runs each of them: of few tokens a step calls kernels less often. A
   * large model, whose output alone takes milliseconds to read, runs each once.
   */
  private static final int[] TIMES = {6, 6, 6, 1, 1};

  private static final int[] ONCE = {1, 1, 1, 1, 1};

  /** More than attention takes at a time. */
  private static final int CONTEXT = 272;

  /** Tokens that are drawn from, a block and some, and how often in a round of the miniature. */
  private static final int DRAWN = 530;

  private static final int DRAWS = 20;
  private static final SamplingParameters DRAW = new SamplingParameters(1, 0, 0.9f, 0, 0, 0);

  private static final String WHAT = "warming up";

  private final KvType kvType;
  private final Kernels kernels;
  private final CompileQueue queue;
  private final CompletableFuture<Void> miniature;
  private volatile boolean ended;

  /** Hears of the miniature's rounds once nobody else tells of anything. */
  private volatile Progress progress = Progress.NONE;

  /** How many rounds there will be, as far as {@link #progress} is told. */
  private volatile int all = SMALL_ROUNDS;

  private WarmUp(Weights outline, KvType kvType, Kernels kernels, CompileQueue queue) {
    this.kvType = kvType;
    this.kernels = kernels;
    this.queue = queue;
    this.miniature =
        CompletableFuture.runAsync(
            () -> runMiniature(outline),
            task -> Thread.ofPlatform().name("sojourn-warm-up").daemon().start(task));
  }

  /**
   * Starts with the miniature.
   *
   * @param outline of the model's weights: their forms matter, not their numbers
   */
  static WarmUp begin(Weights outline, KvType kvType, Kernels kernels) {
    return new WarmUp(outline, kvType, kernels, new CompileQueue(Clock.system()));
  }

  /** Waits for the miniature, runs the model's layers, and tells how many rounds are done. */
  void finish(Weights model, ComputePool pool, Progress listener) {
    Weights layers = model.oneLayerOfEachKind();
    int rounds = (int) Math.clamp(WORK / layers.count(), FEWEST, MOST);
    all = SMALL_ROUNDS + rounds;
    progress = listener;
    try {
      miniature.join();
    } catch (CompletionException e) {
      switch (e.getCause()) {
        case Error error -> throw error;
        case RuntimeException exception -> throw exception;
        case null, default -> throw e;
      }
    }
    try (Rounds large = new Rounds(layers, pool, rounds < MOST ? ONCE : TIMES)) {
      boolean compiled = true;
      for (int round = 0; round < rounds || (compiled && round < rounds + PATIENCE); round++) {
        compiled = large.run(round);
        listener.at(WHAT, Math.min(SMALL_ROUNDS + round + 1, all - 1), all);
      }
    }
    System.gc(); // of the vectors in boxes that kernels left until they were compiled
    listener.at(WHAT, all, all);
  }

  private void runMiniature(Weights outline) {
    float[] logits = new float[DRAWN];
    for (int id = 0; id < DRAWN; id++) {
      logits[id] = id % 29;
    }
    Sampler sampler = new Sampler(DRAWN);
    try (Arena memory = Arena.ofShared();
        ComputePool alone = new ComputePool(1);
        Rounds small = new Rounds(Miniature.of(outline, memory), alone, TIMES)) {
      for (int round = 0; round < SMALL_ROUNDS && !ended; round++) {
        for (int draw = 0; draw < DRAWS; draw++) {
          sampler.sample(logits, DRAW, (long) round * DRAWS + draw);
        }
        small.run(round);
        progress.at(WHAT, round + 1, all);
      }
    }
  }

  /** Ends the miniature after the present round, and waits for that, but not for C2. */
  @Override
  public void close() {
    ended = true;
    queue.stop();
    miniature.handle((_, failure) -> failure == null).join(); // finish tells of a failure
  }

  /** Rounds of some weights, over KV of their own. */
  private final class Rounds implements AutoCloseable {

    private final ForwardPass pass;
    private final StepBatch batch;
    private final int vocabulary;
    private final int context;
    private final int[] pages;
    private final int[] times;
    private final KvCache kv;

    Rounds(Weights weights, ComputePool pool, int[] times) {
      this.times = times;
      Hyperparameters h = weights.parameters();
      pass = new ForwardPass(weights, kernels, pool);
      vocabulary = weights.vocabulary();
      batch = new StepBatch(vocabulary);
      context = Math.min(CONTEXT, h.contextLength());
      pages = new int[Math.ceilDiv(context, BlockHasher.BLOCK)];
      Arrays.setAll(pages, page -> page);
      kv = new KvCache(kvType, weights.layers().size(), h.kvHeads(), h.headDim(), pages.length);
    }

    /** Runs one, and returns whether C2 had something to compile. */
    boolean run(int round) {
      boolean compiled = false;
      for (int i = 0; i < TOKENS.length; i++) {
        // At the end of a context, whose other pages are zeros: attention has its shapes too.
        int length = Math.min(TOKENS[i], context);
        batch.clear();
        add(context - length, length, round, true);
        for (int time = 0; time < times[i]; time++) {
          pass.run(batch, kv);
        }
        compiled |= queue.drain();
      }
      // The beginning of a prompt beside a turn that decodes, as in most steps of a server.
      batch.clear();
      add(0, Math.min(31, context), round, false);
      add(context - 1, 1, round, true);
      pass.run(batch, kv);
      return queue.drain() || compiled;
    }

    private void add(int position, int length, int round, boolean wantsLogits) {
      batch.addSlice(position, pages, wantsLogits);
      for (int i = 0; i < length; i++) {
        batch.addToken((round + i) % vocabulary);
      }
    }

    @Override
    public void close() {
      kv.close();
    }
  }
}
