package dev.sojourn.engine;

import static java.util.Objects.requireNonNull;

import dev.sojourn.core.Clock;
import dev.sojourn.core.CloseResult;
import dev.sojourn.core.Fault;
import dev.sojourn.core.Incarnation;
import dev.sojourn.core.KvEvent;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.SessionSettings;
import dev.sojourn.core.SessionView;
import dev.sojourn.engine.model.ModelRunner;
import dev.sojourn.text.TokenBytes;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/**
 * One rank: a model runner, its KV pages, and the sessions and turns on them. One platform thread
 * owns all of that; the methods here may be called by any thread and reach it through a queue.
 */
public final class Engine implements AutoCloseable {

  /**
   * Starts an engine.
   *
   * @param name of its thread
   * @param runner the model; closed with the engine
   * @param spelling what the model's tokens spell, to find stop strings
   */
  public Engine(
      String name, ModelRunner runner, TokenBytes spelling, EngineConfig config, Clock clock) {
    requireNonNull(name);
  }

  /**
   * Opens a session, or confirms that this incarnation is open with equal settings. A newer
   * incarnation of a name takes its place at once; the older one ends with its turn.
   *
   * @return completes, or fails with a {@link dev.sojourn.core.FaultException}
   */
  public CompletableFuture<Void> open(SessionSettings settings) {
    return CompletableFuture.failedFuture(unavailable().asException());
  }

  /** Queues a turn. Everything about it, refusal included, is told to the sink. */
  public void submit(TurnRequest request, TurnSink sink) {
    sink.failed(unavailable());
  }

  /**
   * Ends a turn with {@link dev.sojourn.core.FinishReason#CANCELLED}, within one step, wherever it
   * is; nothing of it is committed. An unknown or ended request is no fault.
   */
  public void cancel(String requestId) {
    requireNonNull(requestId);
  }

  /** Closes an incarnation of a session; with a turn running, when that turn ends. */
  public CompletableFuture<CloseResult> close(SessionId id, Incarnation incarnation, OnClose how) {
    return CompletableFuture.failedFuture(unavailable().asException());
  }

  /** Returns the sessions that are open, as of one moment between steps; waits for it. */
  public List<SessionView> sessions() {
    return List.of();
  }

  /** Returns what the engine holds and has done, as of its last step. Costs nothing. */
  public EngineStats stats() {
    return new EngineStats(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  }

  /**
   * Subscribes to KV events: first those that lead from nothing to the present, then each as it
   * happens. Called by the engine thread, which must not be blocked.
   */
  public void subscribe(Consumer<KvEvent> subscriber) {
    subscriber.accept(new KvEvent.Cleared());
  }

  /** Cancels what runs and waits, ends the thread and closes the runner. */
  @Override
  public void close() {}

  private static Fault unavailable() {
    return new Fault.Unavailable("the scheduler is not there yet");
  }
}
