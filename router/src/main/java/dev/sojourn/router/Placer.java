package dev.sojourn.router;

import dev.sojourn.core.BlockHasher;
import dev.sojourn.core.Fault;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.router.Selection.Affinity;
import dev.sojourn.router.affinity.AffinityStore;
import dev.sojourn.router.affinity.Binding.Bound;
import dev.sojourn.router.affinity.Lease;
import dev.sojourn.router.affinity.Terms;
import dev.sojourn.router.index.PrefixIndex;
import dev.sojourn.router.load.Fleet;
import dev.sojourn.router.load.Rank;
import dev.sojourn.router.select.Selector;
import java.util.Optional;

/**
 * Decides where a turn goes: an explicit pin first, then its session's rank, then its parent's,
 * then the cheapest. Choosing and booking are one step, so two turns do not both take the same idle
 * rank. Thread-safe.
 */
final class Placer {

  private final Fleet fleet;
  private final PrefixIndex index;
  private final AffinityStore store;
  private final Placements placements;
  private final Selector selector;
  private final RouterConfig config;

  /** Held while one turn is placed and booked. */
  private final Object booking = new Object();

  /** A decision. */
  record Placed(
      Rank rank,
      Affinity affinity,
      String why,
      int overlapBlocks,
      Optional<Rank.Booking> booking) {}

  private record Choice(Rank rank, Affinity affinity, String why) {

    Choice ofSideRequest() {
      return switch (affinity) {
        case HIT, NONE -> this;
        case NEW, MOVED, BROKEN ->
            new Choice(rank, Affinity.NONE, "a side request; its session stays as it is");
      };
    }
  }

  Placer(
      Fleet fleet,
      PrefixIndex index,
      AffinityStore store,
      Placements placements,
      RouterConfig config) {
    this.fleet = fleet;
    this.index = index;
    this.store = store;
    this.placements = placements;
    this.config = config;
    selector = new Selector(config.evictionWeight(), placements::on);
  }

  /**
   * Decides; books the load unless the turn only asks.
   *
   * @param aside whether it is a side request: where it cannot run in its session, that stays as it
   *     is
   */
  Placed place(Standing standing, TurnIntent intent, SelectionQuery query, boolean aside) {
    int known = query.knownTokens() / BlockHasher.BLOCK;
    // A session that stays knows what it holds; its prompt need not be hashed.
    int[] overlaps =
        staysFor(standing, intent) ? new int[0] : index.overlaps(query.blocks(), fleet.slots());
    Selector.Demand demand = new Selector.Demand(query.promptTokens(), query.expectedOutput());
    synchronized (booking) {
      Choice chosen = choose(standing, intent, overlaps, demand);
      Choice choice = aside ? chosen.ofSideRequest() : chosen;
      boolean atHome = choice.affinity() == Affinity.HIT && overlaps.length == 0;
      int overlap = atHome ? known : Selector.overlap(overlaps, choice.rank());
      int uncached = demand.uncached(overlap);
      return new Placed(
          choice.rank(),
          choice.affinity(),
          choice.why(),
          overlap,
          intent.queryOnly()
              ? Optional.empty()
              : Optional.of(choice.rank().book(query.promptTokens(), uncached)));
    }
  }

  private boolean staysFor(Standing standing, TurnIntent intent) {
    return intent.pin().isEmpty()
        && standing
            .binding()
            .filter(bound -> bound.terms().kind() == Terms.Kind.ENGINE_BACKED)
            .flatMap(bound -> fleet.find(bound.target()))
            .filter(rank -> !rank.draining())
            .isPresent();
  }

  private Choice choose(
      Standing standing, TurnIntent intent, int[] overlaps, Selector.Demand demand) {
    if (fleet.ranks().isEmpty()) {
      throw new Fault.Unavailable("no worker is registered").asException();
    }
    Optional<Bound> bound = standing.binding();
    if (intent.pin().isPresent()) {
      return pinned(intent.pin().get(), standing);
    }
    if (bound.isPresent()) {
      return home(bound.get(), intent.closes(), overlaps, demand);
    }
    if (!(standing instanceof Standing.Opens opens)) {
      return new Choice(cheapest(overlaps, demand), Affinity.NONE, "cheapest");
    }
    Optional<Rank> parents = opens.opening().terms().parent().flatMap(this::parentRank);
    return parents
        .map(rank -> new Choice(rank, Affinity.NEW, "the parent's rank"))
        .orElseGet(() -> new Choice(cheapest(overlaps, demand), Affinity.NEW, "cheapest"));
  }

  private Choice pinned(WorkerRank pin, Standing standing) {
    Rank rank =
        fleet
            .find(pin)
            .orElseThrow(() ->
                new Fault.Unavailable(
                        "the request is pinned to "
                            + pin
                            + ", which is not registered; registered are "
                            + fleet.ranks().stream().map(Rank::id).toList())
                    .asException());
    return new Choice(rank, affinityOfPin(pin, standing), "pinned");
  }

  private Affinity affinityOfPin(WorkerRank pin, Standing standing) {
    return switch (standing) {
      case Standing.Opens _ -> Affinity.NEW;
      case Standing.Without _ -> Affinity.NONE;
      case Standing.Looks looks ->
          looks.bound().target().equals(pin) ? Affinity.HIT : Affinity.NONE;
      case Standing.Holds(Bound bound, Lease _, NoSession why) -> {
        if (bound.target().equals(pin)) {
          yield Affinity.HIT;
        }
        // An engine session that a pin takes elsewhere was found without its rank at the beginning.
        boolean broken =
            bound.terms().kind() == Terms.Kind.ENGINE_BACKED
                ? why != NoSession.PINNED
                : fleet.find(bound.target()).isEmpty();
        yield broken ? Affinity.BROKEN : Affinity.NONE;
      }
    };
  }

  private Choice home(Bound bound, boolean closing, int[] overlaps, Selector.Demand demand) {
    Optional<Rank> home = fleet.find(bound.target());
    if (home.isEmpty()) {
      return new Choice(cheapest(overlaps, demand), Affinity.BROKEN, bound.target() + " is gone");
    }
    Rank rank = home.get();
    Optional<Choice> better = Optional.empty();
    if (rank.draining() && !closing) {
      better =
          selector
              .cheapest(fleet.ranks(), other -> !other.draining(), overlaps, demand)
              .map(other -> new Choice(other, Affinity.MOVED, rank.id() + " is draining"));
    } else if (bound.terms().kind() == Terms.Kind.ROUTER_ONLY && isOverloaded(rank)) {
      better =
          selector
              .cheapest(fleet.ranks(), Placer::hasRoom, overlaps, demand)
              .map(other -> new Choice(other, Affinity.MOVED, rank.id() + " is overloaded"));
    }
    return better.orElseGet(() -> new Choice(rank, Affinity.HIT, "bound"));
  }

  private static boolean hasRoom(Rank rank) {
    return !rank.draining() && rank.requests() < rank.maxRunning();
  }

  private boolean isOverloaded(Rank rank) {
    return rank.requests() >= rank.maxRunning() * (1 + config.moveMargin());
  }

  private Optional<Rank> parentRank(SessionId parent) {
    if (!(store.peek(parent) instanceof Bound bound)) {
      return Optional.empty();
    }
    return fleet
        .find(bound.target())
        .filter(rank -> !rank.draining())
        .filter(rank ->
            placements.children(parent, rank.id())
                < Math.ceil(rank.maxRunning() * config.parentShare()));
  }

  private Rank cheapest(int[] overlaps, Selector.Demand demand) {
    return selector
        .cheapest(fleet.ranks(), rank -> !rank.draining(), overlaps, demand)
        .orElseThrow(() -> new Fault.Unavailable("all workers are draining").asException());
  }
}
