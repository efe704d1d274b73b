package dev.sojourn.router;

import dev.sojourn.core.Incarnation;
import dev.sojourn.core.Parent;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.router.affinity.Binding.Bound;
import dev.sojourn.router.affinity.Binding.Opening;
import dev.sojourn.router.affinity.Lease;
import dev.sojourn.router.affinity.Terms;
import java.util.Optional;

/** How a turn stands to its session. */
sealed interface Standing {

  /** It runs without one, for this reason. */
  record Without(NoSession why) implements Standing {}

  /** It opens one, as there was none for this reason; the parent is as of then, if it is bound. */
  record Opens(Opening opening, Lease lease, NoSession why, Optional<Bound> parent)
      implements Standing {

    /** Returns whether it starts with the context of its parent. */
    boolean forks() {
      return opening.terms().forks();
    }

    /** Returns the parent's life, if it has one. */
    Optional<Parent> parentLife() {
      return parent.map(bound ->
          new Parent(opening.terms().parent().orElseThrow(), bound.incarnation(), forks()));
    }
  }

  /** It holds a lease on one; pinned to another rank it runs without it all the same. */
  record Holds(Bound bound, Lease lease, NoSession why) implements Standing {}

  /** It only looks at one. */
  record Looks(Bound bound) implements Standing {}

  /** Returns the session's life at the beginning of the turn. */
  default Optional<Incarnation> incarnation() {
    return switch (this) {
      case Without _ -> Optional.empty();
      case Opens opens -> Optional.of(opens.opening().incarnation());
      case Holds holds ->
          Optional.of(holds.bound().incarnation()).filter(_ -> holds.why() == NoSession.NONE);
      case Looks looks -> Optional.of(looks.bound().incarnation());
    };
  }

  /** Returns where the session lives, if it lives. */
  default Optional<Bound> binding() {
    return switch (this) {
      case Without _, Opens _ -> Optional.empty();
      case Holds holds -> Optional.of(holds.bound());
      case Looks looks -> Optional.of(looks.bound());
    };
  }

  /** Returns where the parent's context is that the session starts with, if that is not here. */
  default Optional<WorkerRank> parentElsewhere(WorkerRank here) {
    return heldParent().map(Bound::target).filter(at -> !at.equals(here));
  }

  /** Returns the parent whose context the session starts with, if an engine session has that. */
  default Optional<Bound> heldParent() {
    return this instanceof Opens opens && opens.forks()
        ? opens.parent().filter(bound -> bound.terms().kind() == Terms.Kind.ENGINE_BACKED)
        : Optional.empty();
  }

  /** Returns what the session was opened with. */
  default Terms terms() {
    return switch (this) {
      case Opens opens -> opens.opening().terms();
      case Holds holds -> holds.bound().terms();
      case Looks looks -> looks.bound().terms();
      case Without _ -> throw new IllegalStateException("this turn has no session");
    };
  }

  /** Returns why there is no session, or why it is new. */
  default NoSession reason() {
    return switch (this) {
      case Without without -> without.why();
      case Opens opens -> opens.why();
      case Holds holds -> holds.why();
      case Looks _ -> NoSession.NONE;
    };
  }
}
