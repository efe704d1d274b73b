package dev.sojourn.router;

import static java.lang.System.Logger.Level.DEBUG;
import static java.lang.System.Logger.Level.INFO;

import dev.sojourn.core.Clock;
import dev.sojourn.core.FaultException;
import dev.sojourn.core.Incarnation;
import dev.sojourn.core.SessionSettings;
import dev.sojourn.core.SessionView;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.router.affinity.AffinityStore;
import dev.sojourn.router.affinity.Binding;
import dev.sojourn.router.affinity.Binding.Bound;
import dev.sojourn.router.affinity.Binding.Opening;
import dev.sojourn.router.affinity.Binding.Vacant;
import dev.sojourn.router.affinity.Terms;
import dev.sojourn.router.lifecycle.EngineLifecycle;
import dev.sojourn.router.lifecycle.EngineSessions;
import dev.sojourn.router.load.Fleet;
import dev.sojourn.router.load.Rank;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Compares the sessions that workers hold with the bindings. A router that has just begun learns
 * back what is idle and bound to nobody: the one before it had it bound, in a memory that is gone.
 * Later such an engine session is an orphan, as is one whose name is bound to another life; found
 * so twice, and idle for longer than the grace, it is closed by incarnation. What this router is
 * about to bind or to close is left alone. Thread-safe; one look at a time.
 */
final class Inventory {

  private static final System.Logger LOG = System.getLogger(Inventory.class.getName());

  private final AffinityStore store;
  private final EngineSessions engines;
  private final Fleet fleet;
  private final EngineLifecycle lifecycle;
  private final Clock clock;
  private final RouterConfig config;
  private final long begun;
  private final AtomicBoolean looking = new AtomicBoolean();
  private volatile long nextLook;

  /** What the last look found that nobody binds; used by one look at a time. */
  private Set<Life> suspects = Set.of();

  /** One life of a session, where it is. */
  private record Life(WorkerRank at, Incarnation incarnation) {}

  Inventory(
      AffinityStore store,
      EngineSessions engines,
      Fleet fleet,
      EngineLifecycle lifecycle,
      Clock clock,
      RouterConfig config) {
    this.store = store;
    this.engines = engines;
    this.fleet = fleet;
    this.lifecycle = lifecycle;
    this.clock = clock;
    this.config = config;
    begun = clock.nanos();
    nextLook = begun;
  }

  /** Returns whether it is time to look. An empty fleet says nothing: discovery may be down. */
  boolean isDue() {
    return !looking.get() && nextLook - clock.nanos() <= 0 && !fleet.ranks().isEmpty();
  }

  /** Looks at all ranks; does nothing if somebody does so already. */
  void look() {
    if (!looking.compareAndSet(false, true)) {
      return;
    }
    try {
      long now = clock.nanos();
      nextLook = now + config.reconcileEvery().toNanos();
      boolean learns = config.learns() && now - begun < config.reconcileEvery().toNanos();
      Set<Life> found = new HashSet<>();
      for (Rank rank : fleet.ranks()) {
        List<SessionView> learnt = new ArrayList<>();
        for (SessionView session : sessions(rank.id()).orElse(List.of())) {
          judge(rank.id(), session, learns, found, learnt);
        }
        if (!learnt.isEmpty()) {
          confirm(rank.id(), learnt);
        }
      }
      suspects = found;
    } finally {
      looking.set(false);
    }
  }

  private Optional<List<SessionView>> sessions(WorkerRank rank) {
    try {
      return Optional.of(engines.sessions(rank));
    } catch (FaultException e) {
      LOG.log(DEBUG, () -> rank + " did not tell its sessions: " + e);
      return Optional.empty();
    }
  }

  private void judge(
      WorkerRank rank,
      SessionView session,
      boolean learns,
      Set<Life> found,
      List<SessionView> learnt) {
    Life life = new Life(rank, session.incarnation());
    // In hand is asked twice: what is opened leaves it once it is bound, and what is to be closed
    // enters it before it is bound no more.
    if (session.running()
        || session.closing()
        || lifecycle.isInHand(rank, session.incarnation())
        || stands(store.peek(session.id()), life)
        || lifecycle.isInHand(rank, session.incarnation())) {
      return;
    }
    if (learns && learn(rank, session)) {
      learnt.add(session);
      return;
    }
    boolean idle = session.idle().compareTo(config.engineGrace()) >= 0;
    if (idle && suspects.contains(life)) {
      LOG.log(INFO, () -> "closing session life " + life.incarnation() + ", which nobody binds");
      SessionSettings settings = session.settings();
      lifecycle.reap(
          rank, session.id(), life.incarnation(), settings.onExpiry(), timeout(settings));
    } else {
      found.add(life);
    }
  }

  private static boolean stands(Binding binding, Life life) {
    return switch (binding) {
      case Vacant _ -> false;
      case Opening opening -> opening.incarnation().equals(life.incarnation());
      case Bound bound ->
          bound.incarnation().equals(life.incarnation()) && bound.target().equals(life.at());
    };
  }

  /** Binds a session as it was, with what is left of its idle time; unless its name is taken. */
  private boolean learn(WorkerRank rank, SessionView session) {
    SessionSettings settings = session.settings();
    Terms terms =
        new Terms(
            Terms.Kind.ENGINE_BACKED,
            timeout(settings),
            settings.capacity(),
            settings.onExpiry(),
            settings.parent().map(parent -> parent.id()),
            settings.parent().filter(parent -> parent.shares()).isPresent(),
            settings.kind());
    boolean learnt =
        store.adopt(
            session.id(),
            session.incarnation(),
            terms,
            rank,
            atLeastASecond(session.remaining().minus(config.engineGrace())));
    if (learnt) {
      lifecycle.learnt();
    }
    return learnt;
  }

  /**
   * Takes back bindings to sessions that ended while they were learnt: the list that named them was
   * a moment old, and who ended them found no binding. A turn that has one sees for itself.
   */
  private void confirm(WorkerRank rank, List<SessionView> learnt) {
    Optional<List<SessionView>> now = sessions(rank);
    if (now.isEmpty()) {
      return;
    }
    Set<Incarnation> there = new HashSet<>();
    now.get().forEach(session -> there.add(session.incarnation()));
    for (SessionView session : learnt) {
      if (!there.contains(session.incarnation())
          && store.peek(session.id()) instanceof Bound bound
          && bound.incarnation().equals(session.incarnation())
          && store.removeIdle(session.id(), bound.revision())) {
        lifecycle.lost();
      }
    }
  }

  /** Returns the router's timeout of a session that an engine ends a grace later. */
  private Duration timeout(SessionSettings settings) {
    return atLeastASecond(settings.timeout().minus(config.engineGrace()));
  }

  private static Duration atLeastASecond(Duration time) {
    return time.toSeconds() < 1 ? Duration.ofSeconds(1) : time;
  }
}
