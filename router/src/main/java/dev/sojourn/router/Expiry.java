package dev.sojourn.router;

import dev.sojourn.core.Clock;
import dev.sojourn.core.Fault;
import dev.sojourn.core.SessionControl;
import dev.sojourn.core.SessionId;
import dev.sojourn.router.affinity.AffinityStore;
import dev.sojourn.router.affinity.AffinityStore.Entry;
import dev.sojourn.router.affinity.Binding.Bound;
import dev.sojourn.router.affinity.Binding.Opening;
import dev.sojourn.router.affinity.Binding.Vacant;
import dev.sojourn.router.affinity.Terms;
import dev.sojourn.router.lifecycle.EngineLifecycle;
import java.time.Duration;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Executor;

/**
 * Ends sessions that have been idle for too long, lets them idle for longer, and remembers the last
 * of their names, so that a client can be told why its session is gone. Thread-safe; the store
 * decides who ends what.
 */
final class Expiry {

  private static final int AT_ONCE = 256;
  private static final int REMEMBERED = 4096;

  private final AffinityStore store;
  private final Clock clock;
  private final EngineLifecycle lifecycle;
  private final Counters counters;
  private final Executor calls;

  /** Names that expired and were not opened since, oldest first; guarded by itself. */
  private final Set<SessionId> names = new LinkedHashSet<>();

  /** Creates one that knows no name; {@code calls} runs calls of workers, which block. */
  Expiry(
      AffinityStore store,
      Clock clock,
      EngineLifecycle lifecycle,
      Counters counters,
      Executor calls) {
    this.store = store;
    this.clock = clock;
    this.lifecycle = lifecycle;
    this.counters = counters;
    this.calls = calls;
  }

  /** Ends all that is due. */
  void endDue() {
    List<Entry> due;
    do {
      due = store.expired(AT_ONCE);
      for (Entry entry : due) {
        if (entry.binding() instanceof Bound bound) {
          endIfDue(entry.id(), bound);
        }
      }
    } while (due.size() == AT_ONCE);
  }

  /** Ends a session if it is due; returns whether it was, whoever ended it. */
  boolean endIfDue(SessionId id, Bound seen) {
    if (!seen.expiredAt(clock.nanos())) {
      return false;
    }
    try (var _ = lifecycle.hold(seen.target(), seen.incarnation())) {
      store.claimExpired(id, seen.revision()).ifPresent(bound -> end(id, bound));
    }
    return true;
  }

  /** Lets a session idle for another time until its next turn; see {@link Router#extend}. */
  Optional<Bound> extend(SessionId id, Duration idle) {
    if (idle.compareTo(SessionControl.MIN_TIMEOUT) < 0
        || idle.compareTo(SessionControl.MAX_TIMEOUT) > 0) {
      throw new IllegalArgumentException(
          "an idle time is 1 to "
              + SessionControl.MAX_TIMEOUT.toSeconds()
              + " seconds, not "
              + idle.toSeconds());
    }
    // Each round that decides nothing has seen the binding change.
    while (true) {
      switch (store.peek(id)) {
        case Vacant _ -> {
          return Optional.empty();
        }
        case Opening _ ->
            throw new Fault.Conflict(
                    "session_opening",
                    "session " + id.name() + " is being opened; extend it when it is open",
                    Map.of())
                .asException();
        case Bound bound when bound.expiredAt(clock.nanos()) -> {
          return Optional.empty();
        }
        case Bound bound -> {
          Optional<Bound> extended = store.extend(id, bound.revision(), idle);
          if (extended.isPresent()) {
            if (bound.terms().kind() == Terms.Kind.ENGINE_BACKED) {
              lifecycle.extend(bound.target(), id, bound.incarnation(), idle);
            }
            return extended;
          }
        }
      }
    }
  }

  /**
   * Hears that a turn gave its lease back. A session that may idle for longer than by its terms was
   * extended meanwhile: its engine is told again, as it may have heard of that before it had the
   * turn, or not at all if the turn took the session elsewhere.
   */
  void turnEnded(SessionId id) {
    if (extended(id).isPresent()) {
      calls.execute(() ->
          extended(id)
              .ifPresent(
                  bound -> lifecycle.extend(bound.target(), id, bound.incarnation(), left(bound))));
    }
  }

  private Optional<Bound> extended(SessionId id) {
    return store.peek(id) instanceof Bound bound
            && bound.terms().kind() == Terms.Kind.ENGINE_BACKED
            && bound.leases().isEmpty()
            && left(bound).compareTo(bound.terms().timeout()) > 0
        ? Optional.of(bound)
        : Optional.empty();
  }

  private Duration left(Bound idle) {
    return Duration.ofNanos(idle.idleDeadlineNanos() - clock.nanos());
  }

  private void end(SessionId id, Bound bound) {
    remember(id);
    counters.expired.incrementAndGet();
    Terms terms = bound.terms();
    if (terms.kind() == Terms.Kind.ENGINE_BACKED) {
      var _ =
          lifecycle.close(
              bound.target(), id, bound.incarnation(), terms.onClose(), terms.timeout());
    }
  }

  private void remember(SessionId id) {
    synchronized (names) {
      names.remove(id);
      names.add(id);
      if (names.size() > REMEMBERED) {
        Iterator<SessionId> oldest = names.iterator();
        oldest.next();
        oldest.remove();
      }
    }
  }

  /** Hears that a name was opened. */
  void opened(SessionId id) {
    synchronized (names) {
      names.remove(id);
    }
  }

  /** Returns why there is no session of this name. */
  NoSession whyAbsent(SessionId id) {
    synchronized (names) {
      return names.contains(id) ? NoSession.EXPIRED : NoSession.UNKNOWN;
    }
  }
}
