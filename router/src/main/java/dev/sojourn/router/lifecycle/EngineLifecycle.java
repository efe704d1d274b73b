package dev.sojourn.router.lifecycle;

import static java.lang.System.Logger.Level.DEBUG;
import static java.lang.System.Logger.Level.WARNING;

import dev.sojourn.core.Clock;
import dev.sojourn.core.CloseResult;
import dev.sojourn.core.Fault;
import dev.sojourn.core.FaultException;
import dev.sojourn.core.Incarnation;
import dev.sojourn.core.Opened;
import dev.sojourn.core.Parent;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.SessionSettings;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.router.affinity.Terms;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.PriorityQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;

/**
 * Opens and closes engine sessions, so that each open is followed by exactly one end.
 *
 * <p>An {@link #open} that returns leaves its caller with one duty, to call {@link #close} once;
 * one that throws leaves no duty. A close is sent; while it is not answered it is a tombstone, sent
 * again after growing pauses until it is answered, its worker is gone, or its time is over, when
 * the engine's own timeout has ended the session. Thread-safe. Calls to workers are made outside
 * any lock.
 */
public final class EngineLifecycle {

  private static final System.Logger LOG = System.getLogger(EngineLifecycle.class.getName());

  /**
   * How long an unanswered close is repeated at most. A session may be open for a year; a worker
   * that does not answer for an hour is found by whoever compares its sessions with the bindings.
   */
  private static final Duration LONGEST = Duration.ofHours(1);

  private final EngineSessions engines;
  private final Clock clock;
  private final Executor executor;
  private final Function<WorkerRank, Presence> presence;
  private final Timing timing;

  private final AtomicLong opens = new AtomicLong();
  private final AtomicLong learnt = new AtomicLong();
  private final AtomicLong reaped = new AtomicLong();
  private final AtomicLong refused = new AtomicLong();
  private final AtomicLong acknowledged = new AtomicLong();
  private final AtomicLong abandoned = new AtomicLong();
  private final AtomicLong lost = new AtomicLong();
  private final AtomicLong retries = new AtomicLong();
  private final AtomicLong tombstones = new AtomicLong();

  /** What is opened and not bound yet, or is to be closed. */
  private final InHand inHand = new InHand();

  /** Tombstones that wait for their next attempt; guarded by itself. */
  private final PriorityQueue<Tombstone> waiting =
      new PriorityQueue<>(Comparator.comparingLong(Tombstone::order));

  /**
   * How long things take.
   *
   * @param grace how much longer than the router an engine waits before it ends an idle session
   * @param retryFirst the pause before a close is first sent again; doubles
   * @param retryLast the longest pause
   */
  public record Timing(Duration grace, Duration retryFirst, Duration retryLast) {}

  /**
   * Creates a lifecycle without sessions.
   *
   * @param executor runs closes, which block
   * @param presence says whether a rank is there
   */
  public EngineLifecycle(
      EngineSessions engines,
      Clock clock,
      Executor executor,
      Function<WorkerRank, Presence> presence,
      Timing timing) {
    this.engines = engines;
    this.clock = clock;
    this.executor = executor;
    this.presence = presence;
    this.timing = timing;
    origin = clock.nanos();
  }

  /** Attempts are ordered by time since here, which unlike the clock's own reading never wraps. */
  private final long origin;

  /** A close that has not been answered; used by one thread at a time. */
  private final class Tombstone {

    final WorkerRank target;
    final SessionId id;
    final Incarnation incarnation;
    final OnClose how;
    final long endNanos;
    final CompletableFuture<CloseAnswer> first = new CompletableFuture<>();
    long retryNanos;
    long pauseNanos;

    Tombstone(
        WorkerRank target, SessionId id, Incarnation incarnation, OnClose how, Duration timeout) {
      this.target = target;
      this.id = id;
      this.incarnation = incarnation;
      this.how = how;
      Duration trying = timeout.compareTo(LONGEST) < 0 ? timeout : LONGEST;
      endNanos = clock.nanos() + trying.plus(timing.grace()).toNanos();
      pauseNanos = timing.retryFirst().toNanos();
    }

    long order() {
      return retryNanos - origin;
    }
  }

  /**
   * Opens an engine session. If the outcome is not known it is closed again, as it may exist. Where
   * the parent is not there any more, it is opened without.
   *
   * @param parent the session that it belongs to or forks, as the target knows it
   * @throws FaultException the worker's
   */
  public Opened open(
      WorkerRank target,
      SessionId id,
      Incarnation incarnation,
      Terms terms,
      Optional<Parent> parent) {
    SessionSettings settings =
        new SessionSettings(
            id,
            incarnation,
            terms.timeout().plus(timing.grace()),
            terms.capacity(),
            terms.onClose(),
            parent,
            terms.shape());
    inHand.take(target, incarnation);
    try {
      Opened opened = engines.open(target, settings);
      opens.incrementAndGet();
      return opened;
    } catch (FaultException e) {
      if (!isRefusal(e.fault())) {
        undoUncertain(target, id, incarnation, terms);
        throw e;
      }
      refused.incrementAndGet();
      inHand.letGo(target, incarnation);
      if (parent.isPresent() && parentIsGone(e.fault())) {
        return open(target, id, incarnation, terms, Optional.empty());
      }
      throw e;
    } catch (RuntimeException | Error e) {
      undoUncertain(target, id, incarnation, terms);
      throw e;
    }
  }

  /** Whether the parent ended, or began another life, since the router looked. */
  private static boolean parentIsGone(Fault fault) {
    return (fault instanceof Fault.NotFound missing && missing.code().equals("parent_not_found"))
        || (fault instanceof Fault.Conflict conflict
            && conflict.code().equals("stale_incarnation"));
  }

  private void undoUncertain(
      WorkerRank target, SessionId id, Incarnation incarnation, Terms terms) {
    opens.incrementAndGet();
    var _ = close(target, id, incarnation, OnClose.FREE, terms.timeout());
    settled(target, incarnation);
  }

  /** Whether the worker looked at the request and said no; otherwise it may have said yes. */
  private static boolean isRefusal(Fault fault) {
    return switch (fault) {
      case Fault.InvalidRequest _,
          Fault.PromptTooLong _,
          Fault.Unauthenticated _,
          Fault.Forbidden _,
          Fault.NotFound _,
          Fault.Conflict _,
          Fault.TooLarge _,
          Fault.Overloaded _ ->
          true;
      case Fault.Cancelled _, Fault.Unavailable _, Fault.Internal _ -> false;
    };
  }

  /** Hears that a binding or a close stands for what was opened. */
  public void settled(WorkerRank target, Incarnation incarnation) {
    inHand.letGo(target, incarnation);
  }

  /** An engine session in hand, until it is let go of once. */
  public interface Hold extends AutoCloseable {
    @Override
    void close();
  }

  /**
   * Takes an engine session in hand whose binding is about to end: what comes between that end and
   * the session's close does not see an orphan.
   */
  public Hold hold(WorkerRank target, Incarnation incarnation) {
    inHand.take(target, incarnation);
    return () -> inHand.letGo(target, incarnation);
  }

  /** Returns whether an engine session is about to be bound or to be closed. */
  public boolean isInHand(WorkerRank target, Incarnation incarnation) {
    return inHand.contains(target, incarnation);
  }

  /** Counts an engine session that was open before this router, and is bound by it now. */
  public void learnt() {
    learnt.incrementAndGet();
  }

  /** Closes an engine session that nobody binds, as {@link #close} does what was opened. */
  public void reap(
      WorkerRank target, SessionId id, Incarnation incarnation, OnClose how, Duration timeout) {
    reaped.incrementAndGet();
    var _ = close(target, id, incarnation, how, timeout);
  }

  /**
   * Closes what was opened.
   *
   * @param timeout the session's idle time, which says how long to try
   * @return what was known when the first attempt had ended
   */
  public CompletableFuture<CloseAnswer> close(
      WorkerRank target, SessionId id, Incarnation incarnation, OnClose how, Duration timeout) {
    Tombstone tombstone = new Tombstone(target, id, incarnation, how, timeout);
    tombstones.incrementAndGet();
    inHand.take(target, incarnation);
    executor.execute(() -> attempt(tombstone));
    return tombstone.first;
  }

  /**
   * Lets an engine session be idle for longer than {@code idle}, by the grace. Where that cannot be
   * told, the engine's timeout may end it before the router's: its next turn opens it anew.
   */
  public void extend(WorkerRank target, SessionId id, Incarnation incarnation, Duration idle) {
    try {
      if (engines.extend(target, id, incarnation, idle.plus(timing.grace()))) {
        return;
      }
      LOG.log(DEBUG, () -> target + " does not know session life " + incarnation);
    } catch (FaultException e) {
      LOG.log(DEBUG, () -> "no answer to the extension of " + incarnation + ": " + e);
    }
  }

  /** Notes that a worker has lost a session, which needs no close any more. */
  public void lost() {
    lost.incrementAndGet();
  }

  /** Sends again what is due, and ends what is over or was with a worker that is gone. */
  public void retryDue() {
    long now = clock.nanos();
    List<Tombstone> due = new ArrayList<>();
    synchronized (waiting) {
      for (Tombstone next = waiting.peek();
          next != null && next.retryNanos - now <= 0;
          next = waiting.peek()) {
        due.add(waiting.remove());
      }
    }
    for (Tombstone tombstone : due) {
      if (tombstone.endNanos - now <= 0) {
        abandon(tombstone);
      } else {
        retries.incrementAndGet();
        executor.execute(() -> attempt(tombstone));
      }
    }
  }

  /** Ends the tombstones of ranks that are gone; call it when ranks have left. */
  public void ranksLeft() {
    List<Tombstone> gone = new ArrayList<>();
    synchronized (waiting) {
      waiting.removeIf(
          tombstone -> presence.apply(tombstone.target) == Presence.GONE && gone.add(tombstone));
    }
    gone.forEach(this::lose);
  }

  /** Returns when {@link #retryDue} has something to do. */
  public OptionalLong nextRetryNanos() {
    synchronized (waiting) {
      Tombstone next = waiting.peek();
      return next == null ? OptionalLong.empty() : OptionalLong.of(next.retryNanos);
    }
  }

  /** Returns what was done. */
  public LifecycleStats stats() {
    return new LifecycleStats(
        opens.get(),
        learnt.get(),
        reaped.get(),
        refused.get(),
        acknowledged.get(),
        abandoned.get(),
        lost.get(),
        retries.get(),
        Math.toIntExact(tombstones.get()));
  }

  private void attempt(Tombstone tombstone) {
    switch (presence.apply(tombstone.target)) {
      case GONE -> lose(tombstone);
      case ABSENT -> unanswered(tombstone);
      case LIVE -> send(tombstone);
    }
  }

  private void send(Tombstone tombstone) {
    CloseResult result;
    try {
      result = engines.close(tombstone.target, tombstone.id, tombstone.incarnation, tombstone.how);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      unanswered(tombstone);
      return;
    } catch (RuntimeException e) {
      LOG.log(DEBUG, () -> "no answer to the close of " + tombstone.incarnation + ": " + e);
      unanswered(tombstone);
      return;
    } catch (Error e) {
      unanswered(tombstone);
      throw e;
    }
    end(tombstone, acknowledged, new CloseAnswer(Optional.of(result), false));
  }

  private void unanswered(Tombstone tombstone) {
    if (presence.apply(tombstone.target) == Presence.GONE) {
      lose(tombstone);
      return;
    }
    long now = clock.nanos();
    long left = Math.max(tombstone.endNanos - now, 0);
    tombstone.retryNanos = now + Math.min(tombstone.pauseNanos, left);
    tombstone.pauseNanos = Math.min(2 * tombstone.pauseNanos, timing.retryLast().toNanos());
    tombstone.first.complete(CloseAnswer.PENDING);
    synchronized (waiting) {
      waiting.add(tombstone);
    }
  }

  private void lose(Tombstone tombstone) {
    end(tombstone, lost, CloseAnswer.LOST);
  }

  private void abandon(Tombstone tombstone) {
    LOG.log(
        WARNING,
        () ->
            tombstone.target
                + " did not answer the close of session life "
                + tombstone.incarnation
                + "; it ends by its own timeout");
    end(tombstone, abandoned, CloseAnswer.PENDING);
  }

  private void end(Tombstone tombstone, AtomicLong how, CloseAnswer answer) {
    inHand.letGo(tombstone.target, tombstone.incarnation);
    how.incrementAndGet();
    tombstones.decrementAndGet();
    tombstone.first.complete(answer);
  }
}
