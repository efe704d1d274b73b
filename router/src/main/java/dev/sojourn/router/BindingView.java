package dev.sojourn.router;

import dev.sojourn.core.Incarnation;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.router.affinity.AffinityStore.Entry;
import dev.sojourn.router.affinity.Binding.Bound;
import dev.sojourn.router.affinity.Binding.Opening;
import dev.sojourn.router.affinity.Binding.Vacant;
import dev.sojourn.router.affinity.Lease;
import dev.sojourn.router.affinity.Terms;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * A session's binding at one moment.
 *
 * @param id which session
 * @param incarnation which life of it
 * @param terms what it was opened with
 * @param target where it lives; empty while it is being opened
 * @param running request ids of the turns that hold a lease
 * @param remaining idle time left; empty while a turn runs
 */
public record BindingView(
    SessionId id,
    Incarnation incarnation,
    Terms terms,
    Optional<WorkerRank> target,
    List<String> running,
    Optional<Duration> remaining) {

  /** Returns what a name stands for; empty if nothing, or if that is over. */
  static Optional<BindingView> of(Entry entry, long nowNanos) {
    return switch (entry.binding()) {
      case Vacant _ -> Optional.empty();
      case Opening opening ->
          Optional.of(
              new BindingView(
                  entry.id(),
                  opening.incarnation(),
                  opening.terms(),
                  Optional.empty(),
                  List.of(opening.opener().requestId()),
                  Optional.empty()));
      case Bound bound -> {
        long left = bound.idleDeadlineNanos() - nowNanos;
        yield bound.expiredAt(nowNanos)
            ? Optional.empty()
            : Optional.of(
                new BindingView(
                    entry.id(),
                    bound.incarnation(),
                    bound.terms(),
                    Optional.of(bound.target()),
                    bound.leases().stream().map(Lease::requestId).sorted().toList(),
                    bound.leases().isEmpty()
                        ? Optional.of(Duration.ofNanos(left))
                        : Optional.empty()));
      }
    };
  }
}
