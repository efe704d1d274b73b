package dev.sojourn.router;

import dev.sojourn.core.BlockHasher;
import dev.sojourn.core.Fault;
import dev.sojourn.core.SessionKind;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.router.Selection.Affinity;
import dev.sojourn.router.affinity.Binding.Bound;
import dev.sojourn.router.affinity.Lease;
import dev.sojourn.router.affinity.Terms;
import dev.sojourn.router.index.PrefixIndex;
import dev.sojourn.router.load.Fleet;
import dev.sojourn.router.load.Rank;
import dev.sojourn.router.select.Selector;
import java.util.List;
import java.util.Optional;

/**
 * Decides where a turn goes: an explicit pin first, then its session's rank, then its parent's,
 * then the cheapest. Choosing and booking are one step, so two turns do not both take the same idle
 * rank. Thread-safe.
 */
final class Placer {

  private final Fleet fleet;
  private final PrefixIndex index;
  private final Placements placements;
  private final Counters counters;
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

  /**
   * A turn to place.
   *
   * @param aside whether it is a side request: where it cannot run in its session, that stays as it
   *     is
   * @param avoided a rank that could not be reached
   */
  record Wish(
      Standing standing,
      TurnIntent intent,
      SelectionQuery query,
      boolean aside,
      Optional<WorkerRank> avoided) {}

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
      Placements placements,
      Counters counters,
      RouterConfig config) {
    this.fleet = fleet;
    this.index = index;
    this.placements = placements;
    this.counters = counters;
    this.config = config;
    selector = new Selector(config.evictionWeight(), placements::on);
  }

  /** Decides; books the load unless the turn only asks. */
  Placed place(Wish wish) {
    SelectionQuery query = wish.query();
    int known = query.knownTokens() / BlockHasher.BLOCK;
    // A session that stays knows what it holds; its prompt need not be hashed.
    int[] overlaps = stays(wish) ? new int[0] : index.overlaps(query.blocks(), fleet.slots());
    Selector.Demand demand = new Selector.Demand(query.promptTokens(), query.expectedOutput());
    synchronized (booking) {
      Choice chosen = new Choosing(wish, reachable(wish), overlaps, demand).choose();
      Choice choice = wish.aside() ? chosen.ofSideRequest() : chosen;
      boolean atHome = choice.affinity() == Affinity.HIT && overlaps.length == 0;
      int overlap = atHome ? known : Selector.overlap(overlaps, choice.rank());
      int uncached = demand.uncached(overlap);
      return new Placed(
          choice.rank(),
          choice.affinity(),
          choice.why(),
          overlap,
          wish.intent().queryOnly()
              ? Optional.empty()
              : Optional.of(choice.rank().book(query.promptTokens(), uncached)));
    }
  }

  private static boolean mayBe(Wish wish, WorkerRank rank) {
    return wish.avoided().filter(rank::equals).isEmpty();
  }

  private List<Rank> reachable(Wish wish) {
    List<Rank> ranks = fleet.ranks();
    return wish.avoided().isEmpty()
        ? ranks
        : ranks.stream().filter(rank -> mayBe(wish, rank.id())).toList();
  }

  private boolean stays(Wish wish) {
    return wish.intent().pin().isEmpty()
        && wish.standing()
            .binding()
            .filter(bound -> bound.terms().kind() == Terms.Kind.ENGINE_BACKED)
            .filter(bound -> mayBe(wish, bound.target()))
            .filter(bound ->
                fleet.find(bound.target()).filter(rank -> !leaves(wish, bound, rank)).isPresent())
            .isPresent();
  }

  /** A tree of turns stays while its rank serves: nobody could replay it elsewhere. */
  private static boolean leaves(Wish wish, Bound bound, Rank rank) {
    return rank.draining()
        && !wish.intent().closes()
        && bound.terms().shape() != SessionKind.REGULAR;
  }

  /** One choice among the ranks that can be reached. */
  private final class Choosing {

    private final Wish wish;
    private final List<Rank> ranks;
    private final int[] overlaps;
    private final Selector.Demand demand;

    Choosing(Wish wish, List<Rank> ranks, int[] overlaps, Selector.Demand demand) {
      this.wish = wish;
      this.ranks = ranks;
      this.overlaps = overlaps;
      this.demand = demand;
    }

    Choice choose() {
      if (ranks.isEmpty()) {
        throw new Fault.Unavailable(
                wish.avoided()
                    .map(rank -> rank + " cannot be reached, and there is no other worker")
                    .orElse("no worker is registered"))
            .asException();
      }
      Optional<Bound> bound = wish.standing().binding();
      if (wish.intent().pin().isPresent()) {
        return pinned(wish.intent().pin().get(), wish.standing());
      }
      if (bound.isPresent()) {
        return home(bound.get());
      }
      if (!(wish.standing() instanceof Standing.Opens opens)) {
        return new Choice(cheapest(), Affinity.NONE, "cheapest");
      }
      return parents(opens)
          .map(rank -> new Choice(rank, Affinity.NEW, "the parent's rank"))
          .orElseGet(() -> new Choice(cheapest(), Affinity.NEW, "cheapest"));
    }

    private Choice home(Bound bound) {
      Optional<Rank> home = find(bound.target());
      if (home.isEmpty()) {
        String why = mayBe(wish, bound.target()) ? " is gone" : " cannot be reached";
        return new Choice(cheapest(), Affinity.BROKEN, bound.target() + why);
      }
      Rank rank = home.get();
      Optional<Choice> better = Optional.empty();
      if (leaves(wish, bound, rank)) {
        better =
            selector
                .cheapest(ranks, other -> !other.draining(), overlaps, demand)
                .map(other -> new Choice(other, Affinity.MOVED, rank.id() + " is draining"));
      } else if (bound.terms().kind() == Terms.Kind.ROUTER_ONLY && isOverloaded(rank)) {
        better =
            selector
                .cheapest(ranks, Placer::hasRoom, overlaps, demand)
                .map(other -> new Choice(other, Affinity.MOVED, rank.id() + " is overloaded"));
      }
      return better.orElseGet(() -> stay(bound, rank));
    }

    private Choice stay(Bound bound, Rank rank) {
      boolean costly = bound.terms().kind() == Terms.Kind.ENGINE_BACKED && isOverloaded(rank);
      if (costly && !wish.intent().queryOnly()) {
        counters.homeOverloaded.incrementAndGet();
      }
      return new Choice(rank, Affinity.HIT, "bound");
    }

    /** A fork goes where its parent's pages are; a mere child only up to the rank's share. */
    private Optional<Rank> parents(Standing.Opens opens) {
      return opens
          .parent()
          .flatMap(bound -> find(bound.target()))
          .filter(rank -> !rank.draining())
          .filter(rank ->
              opens.forks()
                  || placements.children(opens.opening().terms().parent().orElseThrow(), rank.id())
                      < Math.ceil(rank.maxRunning() * config.parentShare()));
    }

    private Optional<Rank> find(WorkerRank id) {
      return fleet.find(id).filter(rank -> mayBe(wish, rank.id()));
    }

    private Rank cheapest() {
      return selector
          .cheapest(ranks, rank -> !rank.draining(), overlaps, demand)
          .orElseThrow(() ->
              new Fault.Unavailable("all workers that can be reached are draining").asException());
    }
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

  private static boolean hasRoom(Rank rank) {
    return !rank.draining() && rank.requests() < rank.maxRunning();
  }

  private boolean isOverloaded(Rank rank) {
    return rank.requests() >= rank.maxRunning() * (1 + config.moveMargin());
  }
}
