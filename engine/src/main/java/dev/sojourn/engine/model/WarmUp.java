package dev.sojourn.engine.model;

import dev.sojourn.core.BlockHasher;
import java.util.Arrays;

/**
 * Runs every shape of the arithmetic until it is compiled, so that the first request does not pay
 * for it. Decision 0054 says how often that is and how it was shown.
 */
final class WarmUp {

  /** Weights times rounds: two or three seconds of two cores. */
  private static final double WORK = 1.5e9;

  /** Enough rounds for the shapes of a large model to be found worth compiling, and of a small. */
  private static final int FEWEST = 2;

  private static final int ENOUGH = 600;

  /** How many more there may be, each after something was compiled. */
  private static final int PATIENCE = 20;

  /** Whole groups of twelve tokens with seven and three more; a few tokens, many and few; one. */
  private static final int[] TOKENS = {31, 27, 7, 3, 1};

  /** More than attention takes at a time. */
  private static final int CONTEXT = 272;

  private final ModelRunner runner;
  private final StepBatch batch;
  private final int context;
  private final int[] pages;

  /** Prepares it for a runner of at least {@link #pages} pages, whatever they hold. */
  WarmUp(ModelRunner runner) {
    this.runner = runner;
    batch = new StepBatch(runner.vocabularySize());
    context = Math.min(CONTEXT, runner.contextLength());
    pages = new int[pages(runner.contextLength())];
    Arrays.setAll(pages, page -> page);
  }

  /** Returns how many pages it needs for a model with contexts of this length. */
  static int pages(int contextLength) {
    return Math.ceilDiv(Math.min(CONTEXT, contextLength), BlockHasher.BLOCK);
  }

  /**
   * Does it.
   *
   * @param parameters of the model
   */
  void run(long parameters) {
    CompileQueue queue = new CompileQueue();
    int rounds = (int) Math.clamp(WORK / parameters, FEWEST, ENOUGH);
    for (int round = 0; round < rounds; round++) {
      round(round);
    }
    for (int more = 0; more < PATIENCE && queue.drain(); more++) {
      round(rounds + more);
    }
  }

  private void round(int round) {
    for (int tokens : TOKENS) {
      // At the end of a context, whose other pages are zeros: attention has its shapes too.
      int length = Math.min(tokens, context);
      batch.clear();
      add(context - length, length, round, true);
      runner.run(batch);
    }
    // The beginning of a prompt beside a turn that decodes, as in most steps of a server.
    batch.clear();
    add(0, Math.min(TOKENS[0], context), round, false);
    add(context - 1, 1, round, true);
    runner.run(batch);
  }

  private void add(int position, int length, int round, boolean wantsLogits) {
    batch.addSlice(position, pages, wantsLogits);
    for (int i = 0; i < length; i++) {
      batch.addToken((round + i) % runner.vocabularySize());
    }
  }
}
