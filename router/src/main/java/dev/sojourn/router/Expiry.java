package dev.sojourn.router;

import dev.sojourn.core.Clock;
import dev.sojourn.core.SessionId;
import dev.sojourn.router.affinity.AffinityStore;
import dev.sojourn.router.affinity.AffinityStore.Entry;
import dev.sojourn.router.affinity.Binding.Bound;
import dev.sojourn.router.affinity.Terms;
import dev.sojourn.router.lifecycle.EngineLifecycle;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * Ends sessions that have been idle for too long, and remembers the last of their names, so that a
 * client can be told why its session is gone. Thread-safe; the store decides who ends what.
 */
final class Expiry {

  private static final int AT_ONCE = 256;
  private static final int REMEMBERED = 4096;

  private final AffinityStore store;
  private final Clock clock;
  private final EngineLifecycle lifecycle;
  private final Counters counters;

  /** Names that expired and were not opened since, oldest first; guarded by itself. */
  private final Set<SessionId> names = new LinkedHashSet<>();

  Expiry(AffinityStore store, Clock clock, EngineLifecycle lifecycle, Counters counters) {
    this.store = store;
    this.clock = clock;
    this.lifecycle = lifecycle;
    this.counters = counters;
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
    store.claimExpired(id, seen.revision()).ifPresent(bound -> end(id, bound));
    return true;
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
