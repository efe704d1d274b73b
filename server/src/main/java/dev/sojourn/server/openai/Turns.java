package dev.sojourn.server.openai;

import dev.sojourn.core.FaultException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletionService;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorCompletionService;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.IntFunction;
import java.util.function.Supplier;

/**
 * Runs the turns of one request: all at once, each on a thread of its own. When one fails or the
 * caller is interrupted, the others are cancelled; none is left behind when {@link #run} returns.
 */
final class Turns {

  private final TurnRunner runner;

  Turns(TurnRunner runner) {
    this.runner = runner;
  }

  /** Tells where a turn would go; changes nothing. */
  TurnRunner.Placement place(TurnSpec spec) throws InterruptedException {
    return runner.place(spec);
  }

  /**
   * Runs turns to their ends; results are in the order of the specs.
   *
   * @param places gives each a place when its session's earlier turns are over
   */
  List<TurnResult> run(
      List<TurnSpec> specs,
      IntFunction<? extends TurnListener> listeners,
      Supplier<Admission.Place> places)
      throws InterruptedException {
    if (specs.size() == 1) {
      return List.of(runner.run(specs.getFirst(), listeners.apply(0), places));
    }
    TurnResult[] results = new TurnResult[specs.size()];
    List<Future<Void>> started = new ArrayList<>();
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      CompletionService<Void> ended = new ExecutorCompletionService<>(threads);
      try {
        for (int i = 0; i < results.length; i++) {
          int at = i;
          TurnListener listener = listeners.apply(i);
          started.add(
              ended.submit(() -> {
                results[at] = runner.run(specs.get(at), listener, places);
                return null;
              }));
        }
        for (int i = 0; i < results.length; i++) {
          ended.take().get();
        }
      } catch (ExecutionException e) {
        throw faultOf(e);
      } finally {
        started.forEach(future -> future.cancel(true));
      }
    }
    return List.of(results);
  }

  private static RuntimeException faultOf(ExecutionException e) {
    return switch (e.getCause()) {
      case FaultException fault -> fault;
      case RuntimeException other -> other;
      case null, default -> new IllegalStateException("a turn failed", e);
    };
  }
}
