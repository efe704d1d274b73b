package dev.sojourn.acceptance.sessions;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.core.SessionKind;
import dev.sojourn.core.SessionView;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.engine.EngineStats;
import dev.sojourn.engine.schedule.SteppedRank;
import dev.sojourn.router.Router;
import dev.sojourn.router.RouterStats;
import dev.sojourn.router.lifecycle.LifecycleStats;
import java.util.Collection;
import java.util.List;
import java.util.Map;

/**
 * The invariants of the design, by number. 6 is checked by {@link SteppedRank#step}, as it is about
 * a step, and 8 by whoever has the answer.
 */
final class NineInvariants {

  private NineInvariants() {}

  /** Checks all that hold after every operation. */
  static void check(
      Router router,
      SteppedWorkers workers,
      Map<SteppedWorkers.Life, Conversation> lives,
      SteppedTrees trees,
      Collection<Flight> flights) {
    SteppedWorkers.RANKS.forEach(rank -> workers.rank(rank).verify()); // 1, 2, 4 and 5
    SteppedWorkers.RANKS.forEach(rank -> third(rank, workers.rank(rank), lives, trees));
    fourth(flights);
    fifth(router, workers);
    ninth(router, flights);
  }

  /** Committed tokens change only by commit and rewind. */
  private static void third(
      WorkerRank at,
      SteppedRank rank,
      Map<SteppedWorkers.Life, Conversation> lives,
      SteppedTrees trees) {
    for (SessionView view : rank.scheduler().sessions()) {
      if (view.settings().kind() == SessionKind.REGULAR) {
        trees.check(at, view);
        continue;
      }
      Conversation life =
          lives.getOrDefault(
              new SteppedWorkers.Life(at, view.incarnation()),
              new Conversation(view.incarnation()));
      assertThat(view.committed()).as("3: committed of %s", view).isEqualTo(life.ids().size());
      assertThat(view.digest()).as("3: digest of %s", view).isEqualTo(life.digest());
      assertThat(view.resident()).as("3: resident").isBetween(0, view.committed());
    }
  }

  /**
   * At most one turn per session. Those of a tree run side by side, each on a branch of its own, as
   * the books of its rank say; but not beside one that opens or closes the session.
   */
  private static void fourth(Collection<Flight> flights) {
    List<Integer> names =
        flights.stream().filter(Flight::leased).map(flight -> flight.asked.name()).toList();
    for (Flight flight : flights) {
      if (flight.leased() && flight.alone) {
        assertThat(names).as("4: sessions with a turn").containsOnlyOnce(flight.asked.name());
      }
    }
  }

  /** The router's index holds what the ranks have published. */
  private static void fifth(Router router, SteppedWorkers workers) {
    for (RouterStats.RankStats known : router.stats().ranks()) {
      assertThat(known.residentBlocks())
          .as("5: blocks that the index has of %s", known.rank())
          .isEqualTo(workers.rank(known.rank()).resident().size());
    }
  }

  /** Nobody holds anything when all is over. */
  static void seventh(Router router, SteppedWorkers workers) {
    for (WorkerRank rank : SteppedWorkers.RANKS) {
      EngineStats stats = workers.rank(rank).stats();
      assertThat(stats.free() + stats.cached())
          .as("7: pages of %s", rank)
          .isEqualTo(stats.capacity());
      assertThat(stats.sessions() + stats.running() + stats.waiting())
          .as("7: held by %s", rank)
          .isZero();
    }
    RouterStats stats = router.stats();
    assertThat(stats.engineBacked() + stats.routerOnly() + stats.opening() + stats.waiting())
        .as("7: held by the router")
        .isZero();
    assertThat(stats.lifecycle().tombstones()).as("7: tombstones").isZero();
    assertThat(router.nextDeadlineNanos()).as("7: deadlines").isEmpty();
    for (RouterStats.RankStats rank : stats.ranks()) {
      assertThat(rank.sessions() + rank.requests()).as("7: booked on %s", rank).isZero();
      assertThat(rank.prefillTokens() + rank.decodeBlocks()).as("7: load of %s", rank).isZero();
    }
  }

  /** What the router took it gave back, or somebody still has it. */
  private static void ninth(Router router, Collection<Flight> flights) {
    RouterStats stats = router.stats();
    assertThat(stats.leasesTaken() - stats.leasesReturned())
        .as("9: leases")
        .isEqualTo(flights.stream().filter(Flight::leased).count());
    assertThat(stats.bookings() - stats.bookingsReleased())
        .as("9: bookings")
        .isEqualTo(flights.stream().filter(flight -> flight.booked).count());
    assertThat(router.check()).as("9: what the router itself finds wrong").isEmpty();
    LifecycleStats lifecycle = stats.lifecycle();
    assertThat(lifecycle.opens() + lifecycle.learnt() + lifecycle.reaped())
        .as("9: %s with %s bound", lifecycle, stats.engineBacked())
        .isEqualTo(
            lifecycle.acknowledged()
                + lifecycle.abandoned()
                + lifecycle.lost()
                + lifecycle.tombstones()
                + stats.engineBacked()
                + flights.stream().filter(Flight::owesClose).count());
  }
}
