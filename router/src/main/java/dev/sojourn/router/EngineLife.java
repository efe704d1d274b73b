package dev.sojourn.router;

import dev.sojourn.core.Incarnation;
import dev.sojourn.core.Opened;
import dev.sojourn.core.Parent;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.router.Selection.Affinity;
import dev.sojourn.router.affinity.Binding.Bound;
import dev.sojourn.router.affinity.Terms;
import dev.sojourn.router.lifecycle.CloseAnswer;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * The engine session that one turn runs in: which life it is, whether it has to be opened first,
 * and what becomes of it. A life that was opened is owed to somebody at any moment: to the turn,
 * until a binding stands for it. Used by one thread at a time.
 */
final class EngineLife {

  private final Router router;
  private final TurnIntent intent;
  private final Standing standing;

  /** The life that has to be opened before the dispatch. */
  private @Nullable Incarnation toOpen;

  /** The life that this turn opened and that no binding stands for yet. */
  private @Nullable Owed owed;

  /** Whether the session's worker does not know it any more, so that there is nothing to close. */
  private boolean lost;

  private record Owed(WorkerRank at, Incarnation life) {}

  EngineLife(Router router, TurnIntent intent, Standing standing) {
    this.router = router;
    this.intent = intent;
    this.standing = standing;
  }

  /** Decides in which life the turn runs where it was placed like this, if in any. */
  Optional<Incarnation> placed(Affinity affinity) {
    return switch (standing) {
      case Standing.Without _ -> Optional.empty();
      case Standing.Looks looks -> looks.incarnation().filter(_ -> affinity == Affinity.HIT);
      case Standing.Opens _, Standing.Holds _ when !isEngineBacked() -> Optional.empty();
      case Standing.Opens opens ->
          affinity == Affinity.NEW ? begins(opens.opening().incarnation()) : Optional.empty();
      case Standing.Holds holds ->
          switch (affinity) {
            case HIT -> holds.incarnation();
            // A session that ends with this turn is not worth a new life.
            case MOVED, BROKEN -> intent.closes() ? Optional.empty() : begins(router.mint());
            case NEW, NONE -> Optional.empty();
          };
    };
  }

  private Optional<Incarnation> begins(Incarnation life) {
    toOpen = life;
    return Optional.of(life);
  }

  private boolean isEngineBacked() {
    return standing.terms().kind() == Terms.Kind.ENGINE_BACKED;
  }

  /** Returns whether there is a life to open. */
  boolean opens() {
    return toOpen != null;
  }

  /** Opens it, if there is one; a fork starts with its parent's context where that is. */
  Optional<Opened> open(WorkerRank target) {
    Incarnation begins = toOpen;
    if (begins == null) {
      return Optional.empty();
    }
    Opened opened =
        router.lifecycle().open(target, session(), begins, standing.terms(), parentAt(target));
    owed = new Owed(target, begins);
    router.counters().unbound.incrementAndGet();
    toOpen = null;
    return Optional.of(opened);
  }

  /** Returns the parent of a session that begins, if its engine session is on the same rank. */
  private Optional<Parent> parentAt(WorkerRank target) {
    if (!(standing instanceof Standing.Opens opens)) {
      return Optional.empty();
    }
    boolean there =
        opens
            .parent()
            .filter(bound -> bound.terms().kind() == Terms.Kind.ENGINE_BACKED)
            .filter(bound -> bound.target().equals(target))
            .isPresent();
    return there ? opens.parentLife() : Optional.empty();
  }

  /** Gives up what was to be opened, or was, at a rank that cannot be reached. */
  void abandon() {
    toOpen = null;
    closeUnbound();
  }

  /** Hears that the session's worker does not know it. */
  void lost() {
    lost = true;
  }

  /** Binds the session to the rank that accepted the turn, if it was placed there to stay. */
  void accepted(Selection at) {
    switch (standing) {
      case Standing.Without _, Standing.Looks _ -> {}
      case Standing.Opens opens -> {
        if (at.affinity() == Affinity.NEW) {
          router
              .store()
              .commit(session(), opens.opening().revision(), at.target())
              .ifPresent(_ -> settled());
        }
      }
      case Standing.Holds holds -> {
        boolean leaves = at.affinity() == Affinity.MOVED || at.affinity() == Affinity.BROKEN;
        if (leaves && !intent.closes()) {
          move(holds.bound(), at);
        }
      }
    }
  }

  /**
   * Rebinds, unless somebody else did so first; then the life that was opened here is an orphan.
   */
  private void move(Bound from, Selection to) {
    Incarnation life = to.incarnation().orElse(from.incarnation());
    try (var _ = router.lifecycle().hold(from.target(), from.incarnation())) {
      if (router.store().repin(session(), from.revision(), to.target(), life).isEmpty()) {
        return;
      }
      settled();
      if (lost) {
        router.lifecycle().lost();
      } else if (isEngineBacked()) {
        var _ = close(from.target(), from.incarnation(), OnClose.FREE);
      }
    }
  }

  /** Notes that a binding or a close stands for what the turn opened, if it opened anything. */
  private void settled() {
    if (owed != null) {
      router.lifecycle().settled(owed.at(), owed.life());
      owed = null;
      router.counters().unbound.decrementAndGet();
    }
  }

  /** Closes what the turn opened and nobody else will close. */
  void closeUnbound() {
    if (owed != null) {
      var _ = close(owed.at(), owed.life(), OnClose.FREE);
      settled();
    }
  }

  CompletableFuture<CloseAnswer> close(WorkerRank target, Incarnation life, OnClose how) {
    return router.lifecycle().close(target, session(), life, how, standing.terms().timeout());
  }

  private SessionId session() {
    return intent.control().orElseThrow().session();
  }
}
