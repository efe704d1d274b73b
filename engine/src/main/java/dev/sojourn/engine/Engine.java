package dev.sojourn.engine;

import static java.util.Objects.requireNonNull;

import dev.sojourn.core.Clock;
import dev.sojourn.core.CloseResult;
import dev.sojourn.core.Fault;
import dev.sojourn.core.FaultException;
import dev.sojourn.core.Incarnation;
import dev.sojourn.core.KvEvent;
import dev.sojourn.core.Opened;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.SessionSettings;
import dev.sojourn.core.SessionTokens;
import dev.sojourn.core.SessionView;
import dev.sojourn.engine.model.ModelRunner;
import dev.sojourn.engine.schedule.Scheduler;
import dev.sojourn.text.TokenBytes;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * One rank: a model runner, its KV pages, and the sessions and turns on them. One platform thread
 * owns all of that; the methods here may be called by any thread and reach it through a queue, in
 * the order in which a thread calls them.
 *
 * <p>The thread parks while there is nothing to do. Sinks, subscribers and whatever depends on a
 * returned future are called by it and must not block; one that throws harms itself alone.
 *
 * <p>If the thread dies, of an {@link Error} in a step or a fault in its books, all turns fail, and
 * {@link #failure} says why; there is no way back. After that, as after {@link #close}, every call
 * is answered with {@link Fault.Unavailable}.
 */
public final class Engine implements AutoCloseable {

  private static final Logger LOG = System.getLogger(Engine.class.getName());
  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

  private final String name;
  private final ModelRunner runner;
  private final Scheduler scheduler;
  private final CompletableFuture<String> failure = new CompletableFuture<>();
  private final Thread thread;
  private final Mailbox mailbox;

  /**
   * Starts an engine.
   *
   * @param name of its thread
   * @param runner the model; closed with the engine
   * @param spelling what the model's tokens spell, to find stop strings
   */
  public Engine(
      String name, ModelRunner runner, TokenBytes spelling, EngineConfig config, Clock clock) {
    this.name = requireNonNull(name, "name");
    this.runner = runner;
    scheduler = new Scheduler(runner, spelling, config, clock, this::cpuNanos);
    thread = Thread.ofPlatform().name(name).daemon().unstarted(this::run);
    mailbox = new Mailbox(thread);
    thread.start();
  }

  /**
   * Opens a session, or confirms that this incarnation is open with equal settings. A newer
   * incarnation of a name takes its place at once; the older one ends with its turn.
   *
   * <p>A session that shares its parent's context starts with what that has committed, also while a
   * turn of the parent runs, and is its own from then on. A parent that it does not share with is a
   * neighbour, which may be missing.
   *
   * @return completes, or fails with a {@link FaultException}: {@code parent_not_found} if there is
   *     nothing to share, {@code stale_incarnation} if the parent has begun another life
   */
  public CompletableFuture<Opened> open(SessionSettings settings) {
    return ask(() -> scheduler.open(settings));
  }

  /**
   * Lets a session be idle for {@code idle}, which may be shorter than before, until its next turn:
   * from now on, or if a turn has it, from that one's end on. After the next turn its own timeout
   * counts again.
   *
   * @return whether there is such a life, and it is not closing
   */
  public CompletableFuture<Boolean> extend(SessionId id, Incarnation incarnation, Duration idle) {
    return ask(() -> scheduler.extend(id, incarnation, idle));
  }

  /** Returns what a session has committed; empty if there is no such life. */
  public CompletableFuture<Optional<SessionTokens>> tokens(SessionId id, Incarnation incarnation) {
    return ask(() -> scheduler.tokens(id, incarnation));
  }

  /** Queues a turn. Everything about it, refusal included, is told to the sink. */
  public void submit(TurnRequest request, TurnSink sink) {
    mailbox.give(() -> {
      if (mailbox.ended()) {
        sink.failed(unavailable());
      } else {
        scheduler.submit(request, sink);
      }
    });
  }

  /**
   * Ends a turn with {@link dev.sojourn.core.FinishReason#CANCELLED}, within one step, wherever it
   * is; nothing of it is committed. An unknown or ended request is no fault.
   */
  public void cancel(String requestId) {
    mailbox.give(() -> {
      if (!mailbox.ended()) {
        scheduler.cancel(requestId);
      }
    });
  }

  /** Closes an incarnation of a session; with a turn running, when that turn ends. */
  public CompletableFuture<CloseResult> close(SessionId id, Incarnation incarnation, OnClose how) {
    CompletableFuture<CloseResult> reply = new CompletableFuture<>();
    answer(
        reply,
        () -> {
          requireAlive();
          scheduler.close(id, incarnation, how, reply);
        });
    return reply;
  }

  /**
   * Returns the sessions that are open, as of one moment between steps; waits for it.
   *
   * @throws FaultException if the engine has ended
   */
  public List<SessionView> sessions() {
    try {
      return ask(scheduler::sessions).join();
    } catch (CompletionException e) {
      throw e.getCause() instanceof FaultException fault ? fault : e;
    }
  }

  /**
   * Returns what the engine holds and has done, as of its last step, or as of the last end of a
   * turn or a session that it told of, if that is later; published pages as of now. Costs next to
   * nothing.
   */
  public EngineStats stats() {
    return scheduler.published();
  }

  /**
   * Returns the kind of fault that the engine died of, and no more: whoever asks may see it. The
   * log has the rest. Empty while it lives, and if it was closed.
   */
  public Optional<String> failure() {
    return failure.isDone() ? Optional.of(failure.join()) : Optional.empty();
  }

  /**
   * Names somebody to be told what the engine died of: at once, or by the engine thread, before its
   * turns hear of it. So who tries such a turn again may know already that the rank is gone.
   */
  public void onFailure(Consumer<String> listener) {
    var _ = failure.thenAccept(listener);
  }

  /**
   * Subscribes to KV events: first those that lead from nothing to the present, then each as it
   * happens. Called by the engine thread, which must not be blocked.
   */
  public void subscribe(Consumer<KvEvent> subscriber) {
    mailbox.give(() -> {
      if (!mailbox.ended()) {
        scheduler.subscribe(subscriber);
      }
    });
  }

  /**
   * Checks the books: that every page, session and turn is held by somebody, once. Takes time in
   * proportion to the pool.
   *
   * @return completes, or fails with an {@link IllegalStateException} naming what is wrong
   */
  public CompletableFuture<Void> check() {
    return ask(() -> {
      scheduler.check();
      return null;
    });
  }

  /** Cancels what runs and waits, ends the thread and closes the runner. */
  @Override
  public void close() {
    mailbox.close();
    boolean interrupted = false;
    while (thread.isAlive() && !Thread.currentThread().equals(thread)) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        interrupted = true; // a runner must not be closed while the thread runs it
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private void run() {
    try {
      while (!mailbox.closing()) {
        mailbox.drain();
        if (!scheduler.step()) {
          mailbox.rest(scheduler.nanosToNextDeadline());
        }
      }
      mailbox.drain();
      scheduler.cancelAll();
    } catch (Throwable e) {
      LOG.log(Level.ERROR, "engine " + name + " died", e);
      failure.complete(e.getClass().getSimpleName());
      scheduler.abandon(unavailable());
    } finally {
      mailbox.end();
      runner.close();
    }
  }

  private <T extends @Nullable Object> CompletableFuture<T> ask(Supplier<T> question) {
    CompletableFuture<T> answer = new CompletableFuture<>();
    answer(
        answer,
        () -> {
          requireAlive();
          answer.complete(question.get());
        });
    return answer;
  }

  /** Lets the engine thread do what will complete an answer; if that fails, so does the answer. */
  private void answer(CompletableFuture<?> answer, Runnable command) {
    mailbox.give(() -> {
      try {
        command.run();
      } catch (RuntimeException e) {
        answer.completeExceptionally(e);
      } catch (Error e) {
        answer.completeExceptionally(e);
        throw e; // of this the thread dies
      }
    });
  }

  private void requireAlive() {
    if (mailbox.ended()) {
      throw unavailable().asException();
    }
  }

  private Fault unavailable() {
    return new Fault.Unavailable(
        "engine " + name + failure().map(cause -> " has died: " + cause).orElse(" has ended"));
  }

  private long cpuNanos() {
    return Thread.currentThread().equals(thread) && THREADS.isCurrentThreadCpuTimeSupported()
        ? THREADS.getCurrentThreadCpuTime()
        : 0;
  }
}
