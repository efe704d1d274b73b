package dev.sojourn.engine.model;

import com.sun.management.ThreadMXBean;
import dev.sojourn.core.BlockHasher;
import dev.sojourn.core.Clock;
import dev.sojourn.engine.kernel.ComputePool;
import dev.sojourn.engine.kernel.Kernels;
import dev.sojourn.engine.weights.Progress;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.lang.foreign.Arena;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.Random;
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

  /** Rounds of the model's layers, for what the miniature leaves to compile, if it does. */
  private static final int LARGE_ROUNDS = 2;

  private static final int ROUNDS = SMALL_ROUNDS + LARGE_ROUNDS;

  /** How many more there may be, each after something was compiled. */
  private static final int PATIENCE = 20;

  /**
   * One; few tokens, few and many; whole groups of twelve with three and seven more. In every other
   * step they are turns, each with a product of the whole output: few in rounds of the model.
   */
  private static final int[] TOKENS = {1, 27, 3, 43, 7};

  /** Tokens of the beginning of a prompt, and how many turns decode beside it. */
  private static final int BEGINNING = 29;

  private static final int TURNS = 3;

  /**
   * How often the miniature runs each step: kernels are called seldom in one. Its first rounds run
   * long steps, of more tokens than {@link #FEW}, less often, as code is slow yet. The model, whose
   * output alone may take milliseconds to read, runs each once.
   */
  private static final int TIMES = 6;

  private static final int FEW = 8;

  /** More than attention takes at a time. */
  private static final int CONTEXT = 144;

  private static final String WHAT = "warming up";

  /** Bytes that a thread may allocate in two steps: it allocates none where all goes well. */
  private static final long MOST_GARBAGE = 16 * 1024;

  private static final Logger LOG = System.getLogger(WarmUp.class.getName());

  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  private final KvType kvType;
  private final Kernels kernels;
  private final CompileQueue queue;
  private final CompletableFuture<Void> miniature;
  private volatile boolean ended;

  /** Hears of the miniature's rounds once nobody else tells of anything. */
  private volatile Progress progress = Progress.NONE;

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
    Weights layers = model.oneLayerOfEachKind();
    boolean compiled = true;
    for (int i = 0; i < LARGE_ROUNDS || (compiled && i < LARGE_ROUNDS + PATIENCE); i++) {
      compiled = run(layers, pool, 1, 0);
      listener.at(WHAT, Math.min(SMALL_ROUNDS + i + 1, ROUNDS - 1), ROUNDS);
    }
    warnOfGarbage(layers, pool);
    System.gc(); // of the vectors in boxes that kernels left until they were compiled
    listener.at(WHAT, ROUNDS, ROUNDS);
  }

  /**
   * Says so if kernels make objects of their vectors although they are compiled: always on a JVM
   * that is told not to use C2, seldom where C2 had bad luck (decision 0021).
   */
  private void warnOfGarbage(Weights layers, ComputePool pool) {
    try (Round round = new Round(layers, pool, 1, 0)) {
      long bytes = round.garbage();
      if (bytes > MOST_GARBAGE) {
        LOG.log(
            Level.WARNING,
            "this JVM makes objects of vectors, {0} KB of them in two steps of a few layers: answers"
                + " will be slow. Start again; if it stays so, look for options that keep the JVM"
                + " from compiling with C2",
            bytes / 1024);
      }
    }
  }

  private void runMiniature(Weights outline) {
    Draws draws = new Draws();
    try (Arena memory = Arena.ofShared();
        ComputePool alone = new ComputePool(1)) {
      Weights small = Miniature.of(outline, memory);
      for (int i = 0; i < SMALL_ROUNDS && !ended; i++) {
        run(small, alone, TIMES, i);
        draws.run(); // with kernels that steps had compiled
        progress.at(WHAT, i + 1, ROUNDS);
      }
    }
  }

  /** Runs a round, and returns whether C2 had something to compile. */
  private boolean run(Weights weights, ComputePool pool, int times, int number) {
    try (Round round = new Round(weights, pool, times, number)) {
      return round.run();
    }
  }

  /** Ends the miniature after the present round, and waits for that, but not for C2. */
  @Override
  public void close() {
    ended = true;
    queue.stop();
    miniature.handle((_, failure) -> failure == null).join(); // finish tells of a failure
  }

  /**
   * Steps of some weights, over KV of their own. Each round makes all anew: a server's first steps
   * grow what they write on, so code that has not seen that would be compiled again.
   */
  private final class Round implements AutoCloseable {

    private final ForwardPass pass;
    private final StepBatch batch;
    private final int times;
    private final int number;
    private final int vocabulary;
    private final int context;
    private final int[] pages;
    private final KvCache kv;
    private final Random random;

    Round(Weights weights, ComputePool pool, int times, int number) {
      this.times = times;
      this.number = number;
      Hyperparameters h = weights.parameters();
      pass = new ForwardPass(weights, kernels, pool);
      vocabulary = weights.vocabulary();
      batch = new StepBatch(vocabulary);
      context = Math.min(CONTEXT, h.contextLength());
      pages = new int[Math.ceilDiv(context, BlockHasher.BLOCK)];
      Arrays.setAll(pages, page -> page);
      random = new Random(number);
      kv = new KvCache(kvType, weights.layers().size(), h.kvHeads(), h.headDim(), pages.length);
    }

    boolean run() {
      boolean compiled = false;
      for (int i = 0; i < TOKENS.length; i++) {
        batch.clear();
        if ((number + i) % 2 == 1) {
          // At the end of a context, whose other pages are zeros: attention has its shapes too.
          add(Math.max(0, context - TOKENS[i]), TOKENS[i], random.nextBoolean());
        } else {
          addTurns(TOKENS[i]);
        }
        compiled |= step();
      }
      addBeginning();
      return step() || compiled;
    }

    /** Returns the bytes that this thread allocates in a turn's step, and in one of many tokens. */
    long garbage() {
      batch.clear();
      addTurns(1);
      long garbage = garbageOfStep();
      addBeginning();
      return garbage + garbageOfStep();
    }

    /** Of a step whose buffers have grown. */
    private long garbageOfStep() {
      pass.run(batch, kv);
      long before = THREADS.getCurrentThreadAllocatedBytes();
      pass.run(batch, kv);
      return THREADS.getCurrentThreadAllocatedBytes() - before;
    }

    /** The beginning of a prompt beside turns that decode, as in most steps of a server. */
    private void addBeginning() {
      batch.clear();
      add(0, BEGINNING, random.nextBoolean());
      addTurns(TURNS);
    }

    private void addTurns(int turns) {
      for (int turn = 0; turn < turns; turn++) {
        add(random.nextInt(context), 1, true);
      }
    }

    private void add(int position, int most, boolean wantsLogits) {
      batch.addSlice(position, pages, wantsLogits);
      for (int i = position; i < Math.min(position + most, context); i++) {
        batch.addToken(random.nextInt(vocabulary));
      }
    }

    private boolean step() {
      int most = batch.tokens() <= FEW ? times : Math.min(times, 1 + number);
      for (int time = 0; time < most; time++) {
        pass.run(batch, kv);
      }
      return queue.drain();
    }

    @Override
    public void close() {
      kv.close();
    }
  }
}
