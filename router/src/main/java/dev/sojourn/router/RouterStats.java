package dev.sojourn.router;

import dev.sojourn.core.WorkerRank;
import dev.sojourn.router.affinity.Terms;
import dev.sojourn.router.lifecycle.EngineLifecycle;
import dev.sojourn.router.lifecycle.LifecycleStats;
import dev.sojourn.router.load.Fleet;
import java.util.List;

/**
 * What a router holds and has done. Its parts are read one after the other, so they agree with each
 * other only when nothing happens.
 *
 * @param engineBacked sessions bound with an engine session
 * @param routerOnly sessions bound by affinity alone
 * @param opening sessions being opened
 * @param unbound engine sessions that turns have opened and that no binding stands for yet
 * @param waiting turns that wait for their session
 * @param leasesTaken leases taken since the start
 * @param leasesReturned of them, leases given back
 * @param bookings loads booked since the start
 * @param bookingsReleased of them, loads released
 * @param expired bindings that ended by idling
 * @param completed turns that ended with an answer
 * @param refused turns that were refused for what they asked
 * @param failed turns that failed for another reason
 * @param aborted turns whose client went away
 * @param hits turns that went to their session's rank
 * @param moved sessions that left an overloaded or draining rank
 * @param broken sessions whose rank was gone
 * @param homeOverloaded turns that went to their session's rank though that was overloaded, as an
 *     engine session does not leave it for that
 * @param lifecycle engine sessions opened and closed
 * @param ranks the ranks
 */
public record RouterStats(
    int engineBacked,
    int routerOnly,
    int opening,
    int unbound,
    int waiting,
    long leasesTaken,
    long leasesReturned,
    long bookings,
    long bookingsReleased,
    long expired,
    long completed,
    long refused,
    long failed,
    long aborted,
    long hits,
    long moved,
    long broken,
    long homeOverloaded,
    LifecycleStats lifecycle,
    List<RankStats> ranks) {

  public RouterStats {
    ranks = List.copyOf(ranks);
  }

  static RouterStats of(
      Placements placements,
      Counters counters,
      TurnOrder order,
      EngineLifecycle lifecycle,
      Fleet fleet) {
    return new RouterStats(
        placements.of(Terms.Kind.ENGINE_BACKED),
        placements.of(Terms.Kind.ROUTER_ONLY),
        placements.opening(),
        counters.unbound.get(),
        order.waiting(),
        counters.leasesTaken.get(),
        counters.leasesReturned.get(),
        counters.bookings.get(),
        counters.bookingsReleased.get(),
        counters.expired.get(),
        counters.completed.get(),
        counters.refused.get(),
        counters.failed.get(),
        counters.aborted.get(),
        counters.hits.get(),
        counters.moved.get(),
        counters.broken.get(),
        counters.homeOverloaded.get(),
        lifecycle.stats(),
        fleet.ranks().stream()
            .map(rank ->
                new RankStats(
                    rank.id(),
                    rank.draining(),
                    placements.on(rank.id()),
                    rank.requests(),
                    rank.prefillTokens(),
                    rank.decodeBlocks(),
                    rank.feed().resident()))
            .toList());
  }

  /**
   * What the router knows of a rank.
   *
   * @param rank which
   * @param draining whether it takes no new sessions
   * @param sessions sessions bound to it
   * @param requests turns booked on it
   * @param prefillTokens prompt tokens of them still to be computed
   * @param decodeBlocks blocks that they hold
   * @param residentBlocks published blocks that are resident there
   */
  public record RankStats(
      WorkerRank rank,
      boolean draining,
      int sessions,
      int requests,
      long prefillTokens,
      long decodeBlocks,
      int residentBlocks) {}
}
