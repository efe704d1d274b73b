package dev.sojourn.router;

import dev.sojourn.core.Clock;
import dev.sojourn.core.FaultException;
import dev.sojourn.router.affinity.Binding.Bound;
import dev.sojourn.router.affinity.Binding.Opening;
import dev.sojourn.router.affinity.Binding.Vacant;
import dev.sojourn.router.affinity.OwnerEpoch;
import dev.sojourn.router.affinity.Terms;
import dev.sojourn.router.lifecycle.EngineSessions;
import dev.sojourn.router.lifecycle.LifecycleStats;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;

/**
 * What a router counted, beside what is in its store and on its ranks. Turns go on meanwhile, so
 * the numbers, which are read one after the other, need not agree at one look; whatever is wrong is
 * wrong in the same way at every look. Between two looks others get to do what they are at.
 */
final class Books {

  /** After the first look; the others double it. A thread may be without a core for as long. */
  private static final Duration FIRST_PAUSE = Duration.ofMillis(1);

  private static final Duration LAST_PAUSE = Duration.ofMillis(128);

  private final Router router;
  private final OwnerEpoch owner;
  private final EngineSessions engines;
  private final Clock clock;

  Books(Router router, OwnerEpoch owner, EngineSessions engines, Clock clock) {
    this.router = router;
    this.owner = owner;
    this.engines = engines;
    this.clock = clock;
  }

  /** What a scan of the store counts. */
  private static final class Scan {
    int engineBacked;
    int routerOnly;
    int opening;
    long leases;
  }

  /** Returns what is wrong. */
  List<String> check() {
    List<String> wrong = look();
    for (Duration pause = FIRST_PAUSE;
        !wrong.isEmpty() && pause.compareTo(LAST_PAUSE) <= 0;
        pause = pause.multipliedBy(2)) {
      clock.pause(pause);
      wrong.retainAll(look());
    }
    return wrong;
  }

  private List<String> look() {
    RouterStats stats = router.stats();
    Scan scan = scan();
    List<String> wrong = new ArrayList<>();
    compare(wrong, "leases held", stats.leasesTaken() - stats.leasesReturned(), scan.leases);
    compare(wrong, "sessions with an engine session", stats.engineBacked(), scan.engineBacked);
    compare(wrong, "sessions bound by affinity alone", stats.routerOnly(), scan.routerOnly);
    compare(wrong, "sessions being opened", stats.opening(), scan.opening);
    LifecycleStats engines = stats.lifecycle();
    compare(
        wrong,
        "engine sessions that were opened and did not end",
        engines.opens()
            + engines.learnt()
            + engines.reaped()
            - engines.acknowledged()
            - engines.abandoned()
            - engines.lost(),
        engines.tombstones() + scan.engineBacked + stats.unbound());
    checkLoad(wrong, stats);
    stats.ranks().forEach(rank -> checkBlocks(wrong, rank));
    return wrong;
  }

  private Scan scan() {
    Scan scan = new Scan();
    router
        .store()
        .scan(entry -> {
          switch (entry.binding()) {
            case Vacant _ -> {}
            case Opening opening -> {
              scan.opening++;
              scan.leases += opening.opener().owner().equals(owner) ? 1 : 0;
            }
            case Bound bound -> {
              if (bound.terms().kind() == Terms.Kind.ENGINE_BACKED) {
                scan.engineBacked++;
              } else {
                scan.routerOnly++;
              }
              scan.leases +=
                  bound.leases().stream().filter(lease -> lease.owner().equals(owner)).count();
            }
          }
        });
    return scan;
  }

  /** Turns may be booked on ranks that have left, so of bookings only the sum has a bound. */
  private static void checkLoad(List<String> wrong, RouterStats stats) {
    long requests = 0;
    for (RouterStats.RankStats rank : stats.ranks()) {
      requests += rank.requests();
      boolean negative = rank.requests() < 0 || rank.prefillTokens() < 0 || rank.decodeBlocks() < 0;
      boolean left =
          rank.requests() == 0 && (rank.prefillTokens() != 0 || rank.decodeBlocks() != 0);
      if (negative || left) {
        wrong.add(
            "rank %s is booked for %d turns, %d tokens, %d blocks"
                .formatted(
                    rank.rank(), rank.requests(), rank.prefillTokens(), rank.decodeBlocks()));
      }
    }
    long booked = stats.bookings() - stats.bookingsReleased();
    if (requests > booked) {
      wrong.add("ranks are booked for %d turns, of %d".formatted(requests, booked));
    }
  }

  /**
   * Of a rank that stores or frees a page meanwhile, one may be seen and not the other. Who misses
   * an event is never right again, but off by the same number at every look.
   */
  private void checkBlocks(List<String> wrong, RouterStats.RankStats rank) {
    OptionalInt blocks;
    try {
      blocks = engines.blocks(rank.rank());
    } catch (FaultException e) {
      return; // the rank is gone, or will say so itself
    }
    if (blocks.isPresent() && blocks.getAsInt() != rank.residentBlocks()) {
      wrong.add(
          "the index has %+d blocks of rank %s beside those it holds"
              .formatted(rank.residentBlocks() - blocks.getAsInt(), rank.rank()));
    }
  }

  private static void compare(List<String> wrong, String what, long counted, long found) {
    if (counted != found) {
      wrong.add("%s: %d counted, %d found".formatted(what, counted, found));
    }
  }
}
