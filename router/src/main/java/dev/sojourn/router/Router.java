package dev.sojourn.router;

import dev.sojourn.core.Clock;
import dev.sojourn.core.Fault;
import dev.sojourn.core.Incarnation;
import dev.sojourn.core.KvEvent;
import dev.sojourn.core.SessionControl;
import dev.sojourn.core.SessionControl.Action;
import dev.sojourn.core.SessionControl.Input;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionControl.WhileBusy;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.Tenant;
import dev.sojourn.core.WorkerId;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.router.affinity.AffinityStore;
import dev.sojourn.router.affinity.AffinityStore.Entry;
import dev.sojourn.router.affinity.AffinityStore.Initialised.Full;
import dev.sojourn.router.affinity.AffinityStore.Initialised.Present;
import dev.sojourn.router.affinity.AffinityStore.Initialised.Won;
import dev.sojourn.router.affinity.Binding;
import dev.sojourn.router.affinity.Binding.Bound;
import dev.sojourn.router.affinity.Binding.Opening;
import dev.sojourn.router.affinity.Binding.Vacant;
import dev.sojourn.router.affinity.Lease;
import dev.sojourn.router.affinity.OwnerEpoch;
import dev.sojourn.router.affinity.Terms;
import dev.sojourn.router.index.PrefixIndex;
import dev.sojourn.router.lifecycle.EngineLifecycle;
import dev.sojourn.router.lifecycle.EngineSessions;
import dev.sojourn.router.lifecycle.Presence;
import dev.sojourn.router.load.Fleet;
import dev.sojourn.router.load.Rank;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicLong;
import java.util.random.RandomGenerator;

/**
 * Sends turns to ranks, and keeps each session where its KV is.
 *
 * <p>A turn is a {@link TurnGuard}: {@link #begin} gives it its session's lease, in the order in
 * which the session's turns came; the guard then chooses a rank and sees the turn to its end.
 * Between turns somebody has to call {@link #tick}, so that idle sessions end and unanswered closes
 * are repeated.
 *
 * <p>Thread-safe. {@link #begin} blocks, on any kind of thread. The store and the workers belong to
 * the caller; closing the router gives back its leases and ends no engine session.
 */
public final class Router implements AutoCloseable {

  private static final int EXPIRED_AT_ONCE = 256;

  private final RouterConfig config;
  private final Clock clock;
  private final RandomGenerator random;
  private final AffinityStore store;
  private final OwnerEpoch owner;
  private final Fleet fleet;
  private final Placer placer;
  private final EngineLifecycle lifecycle;
  private final TurnOrder order;
  private final Settling settling;
  private final Placements placements = new Placements();
  private final ExpiredNames expiredNames = new ExpiredNames();
  private final Counters counters = new Counters();
  private final AtomicLong leaseNumbers = new AtomicLong();
  private final AffinityStore.Watch watch;

  /**
   * Creates a router without ranks.
   *
   * @param random where incarnations come from; need not be thread-safe
   * @param store where bindings live
   * @param engines how workers' sessions are opened and closed
   */
  public Router(
      RouterConfig config,
      Clock clock,
      RandomGenerator random,
      AffinityStore store,
      EngineSessions engines) {
    this(
        config,
        clock,
        random,
        store,
        engines,
        task -> Thread.ofVirtual().name("session-close").start(task));
  }

  /** Creates a router whose closes run on {@code executor}. */
  Router(
      RouterConfig config,
      Clock clock,
      RandomGenerator random,
      AffinityStore store,
      EngineSessions engines,
      Executor executor) {
    this.config = config;
    this.clock = clock;
    this.random = random;
    this.store = store;
    owner = OwnerEpoch.mint(random);
    PrefixIndex index = new PrefixIndex();
    fleet = new Fleet(index);
    placer = new Placer(fleet, index, store, placements, config);
    lifecycle =
        new EngineLifecycle(
            engines,
            clock,
            executor,
            this::presence,
            new EngineLifecycle.Timing(
                config.engineGrace(), config.closeRetryFirst(), config.closeRetryLast()));
    order = new TurnOrder(config.maxWaiting());
    settling = new Settling(store);
    watch =
        store.watch(change -> {
          placements.changed(change);
          settling.changed(change.id());
        });
  }

  /** Adds a rank, whose KV events may come from now on. */
  public void addRank(WorkerRank rank, RankCapacity capacity) {
    fleet.add(rank, capacity.pages(), capacity.maxRunning());
  }

  /**
   * Removes a worker that is gone. Its sessions stay bound; their next turns open them elsewhere,
   * as soon as there is another worker.
   */
  public void removeWorker(WorkerId worker) {
    fleet.remove(worker);
    lifecycle.ranksLeft();
  }

  /** Takes no new sessions to a worker, and lets those that it has move with their next turn. */
  public void drainWorker(WorkerId worker) {
    for (Rank rank : fleet.ranks()) {
      if (rank.id().worker().equals(worker)) {
        rank.drain(true);
      }
    }
  }

  /** Hears of a change to what a rank holds. Events of a rank that is not there are dropped. */
  public void onKvEvent(WorkerRank rank, KvEvent event) {
    fleet.find(rank).ifPresent(known -> known.feed().apply(event));
  }

  /**
   * Begins a turn. Waits while an earlier turn of its session runs, or another gateway opens it.
   *
   * @throws dev.sojourn.core.FaultException {@code session_busy} where the turn does not want to
   *     wait, {@code session_settings} for an open that disagrees with the open session, {@code
   *     session_not_found} for a delta of an unknown one
   * @throws InterruptedException if interrupted while waiting; nothing is held then
   */
  public TurnGuard begin(TurnIntent intent) throws InterruptedException {
    if (intent.control().isEmpty()) {
      return new TurnGuard(this, intent, new Standing.Without(NoSession.NONE), Optional.empty());
    }
    SessionControl control = intent.control().get();
    if (intent.queryOnly()) {
      Standing standing =
          store.peek(control.session()) instanceof Bound bound && !bound.expiredAt(clock.nanos())
              ? new Standing.Looks(bound)
              : new Standing.Without(NoSession.UNKNOWN);
      return new TurnGuard(this, intent, standing, Optional.empty());
    }
    refuseWhileOthersOpen(control);
    TurnOrder.Place place = order.enter(control.session(), control.whileBusy() == WhileBusy.QUEUE);
    boolean begun = false;
    try {
      Standing standing = admit(control, intent);
      begun = true;
      return new TurnGuard(this, intent, standing, Optional.of(place));
    } finally {
      if (!begun) {
        place.leave();
      }
    }
  }

  /**
   * An open that the one in flight contradicts is refused at once, unless others wait before it.
   */
  private void refuseWhileOthersOpen(SessionControl control) {
    if (opensExplicitly(control)
        && order.turns(control.session()) <= 1
        && store.peek(control.session()) instanceof Opening opening) {
      refuseOtherTerms(control, opening.terms());
    }
  }

  private Standing admit(SessionControl control, TurnIntent intent) throws InterruptedException {
    SessionId id = control.session();
    Lease lease = new Lease(owner, leaseNumbers.incrementAndGet(), intent.requestId());
    while (true) {
      Binding binding = settling.settled(id);
      if (binding instanceof Bound bound) {
        if (bound.expiredAt(clock.nanos())) {
          expire(id, bound);
          continue;
        }
        Optional<Standing> standing = hold(control, intent, bound, lease);
        if (standing.isPresent()) {
          return standing.get();
        }
        continue;
      }
      NoSession why = expiredNames.contains(id) ? NoSession.EXPIRED : NoSession.UNKNOWN;
      boolean opens =
          opensExplicitly(control) || (control.action() == Action.CONTINUE && control.implicit());
      if (control.input() == Input.DELTA && !opensExplicitly(control)) {
        throw unknownSession(id, why);
      }
      if (!opens) {
        return new Standing.Without(why);
      }
      switch (store.initialise(id, mint(), terms(control), lease)) {
        case Won(Opening opening) -> {
          expiredNames.remove(id);
          counters.leasesTaken.incrementAndGet();
          return new Standing.Opens(opening, lease, why);
        }
        case Present _ -> {
          // Another gateway was first; look again.
        }
        case Full(int entries) -> {
          if (control.implicit()) {
            return new Standing.Without(NoSession.FULL);
          }
          throw new Fault.Overloaded(
                  "there are " + entries + " sessions, the most there may be; close some",
                  Duration.ofSeconds(1))
              .asException();
        }
      }
    }
  }

  /** Takes a lease on a live binding; empty if it changed meanwhile. */
  private Optional<Standing> hold(
      SessionControl control, TurnIntent intent, Bound bound, Lease lease) {
    if (opensExplicitly(control)) {
      refuseOtherTerms(control, bound.terms());
    }
    boolean pinnedElsewhere =
        intent.pin().filter(pin -> !pin.equals(bound.target())).isPresent()
            && bound.terms().kind() == Terms.Kind.ENGINE_BACKED
            && fleet.find(bound.target()).isPresent();
    if (pinnedElsewhere && control.input() == Input.DELTA) {
      throw Fault.invalid(
              "nvext.backend_instance_id",
              "a delta turn runs where its session lives, on "
                  + bound.target()
                  + ", not on "
                  + intent.pin().get())
          .asException();
    }
    Optional<Bound> held = store.acquire(control.session(), bound.revision(), lease);
    held.ifPresent(_ -> counters.leasesTaken.incrementAndGet());
    return held.map(leased ->
        new Standing.Holds(leased, lease, pinnedElsewhere ? NoSession.PINNED : NoSession.NONE));
  }

  private static boolean opensExplicitly(SessionControl control) {
    return control.action() == Action.OPEN || control.action() == Action.BIND;
  }

  private static Terms terms(SessionControl control) {
    return new Terms(
        control.action() == Action.BIND ? Terms.Kind.ROUTER_ONLY : Terms.Kind.ENGINE_BACKED,
        control.timeout(),
        control.capacity(),
        control.onClose(),
        control.parent().map(name -> new SessionId(control.session().tenant(), name)));
  }

  private static void refuseOtherTerms(SessionControl control, Terms present) {
    if (!present.agreesWith(terms(control))) {
      throw new Fault.Conflict(
              "session_settings",
              "session "
                  + control.session().name()
                  + " is open with other settings; close it first, or open it with the same",
              Map.of(
                  "action", present.kind() == Terms.Kind.ROUTER_ONLY ? "bind" : "open",
                  "timeout", present.timeout().toSeconds(),
                  "on_close", present.onClose().name().toLowerCase(java.util.Locale.ROOT)))
          .asException();
    }
  }

  private static RuntimeException unknownSession(SessionId id, NoSession why) {
    String how = why == NoSession.EXPIRED ? " has expired" : " does not exist";
    return new Fault.NotFound(
            "session_not_found",
            "session " + id.name() + how + "; open it, or send the whole conversation")
        .asException();
  }

  /**
   * Closes a session as a turn of its own would: after the turns that came before.
   *
   * @param busy what to do while another turn runs
   */
  public CloseReport close(SessionId id, OnClose how, WhileBusy busy) throws InterruptedException {
    SessionControl plain = SessionControl.of(id, Action.CLOSE);
    SessionControl control =
        new SessionControl(
            id,
            Action.CLOSE,
            plain.timeout(),
            plain.input(),
            OptionalInt.empty(),
            OptionalLong.empty(),
            Optional.empty(),
            plain.onDivergence(),
            how,
            busy,
            OptionalInt.empty(),
            plain.require(),
            false);
    TurnIntent intent =
        new TurnIntent("close", id.tenant(), Optional.of(control), Optional.empty(), false);
    try (TurnGuard guard = begin(intent)) {
      return guard.finish(TurnOutcome.COMPLETED);
    }
  }

  /** Ends what has been idle for too long, and repeats closes that are due. */
  public void tick() {
    List<Entry> due = store.expired(EXPIRED_AT_ONCE);
    while (!due.isEmpty()) {
      for (Entry entry : due) {
        if (entry.binding() instanceof Bound bound) {
          expire(entry.id(), bound);
        }
      }
      due = due.size() < EXPIRED_AT_ONCE ? List.of() : store.expired(EXPIRED_AT_ONCE);
    }
    lifecycle.retryDue();
  }

  /** Returns a moment, by the clock, before which {@link #tick} has nothing to do. */
  public OptionalLong nextDeadlineNanos() {
    OptionalLong expiry = store.nextDeadlineNanos();
    OptionalLong retry = lifecycle.nextRetryNanos();
    if (expiry.isEmpty() || retry.isEmpty()) {
      return expiry.isEmpty() ? retry : expiry;
    }
    long earlier =
        expiry.getAsLong() - retry.getAsLong() < 0 ? expiry.getAsLong() : retry.getAsLong();
    return OptionalLong.of(earlier);
  }

  private void expire(SessionId id, Bound seen) {
    Optional<Bound> claimed = store.claimExpired(id, seen.revision());
    claimed.ifPresent(bound -> {
      expiredNames.add(id);
      counters.expired.incrementAndGet();
      if (bound.terms().kind() == Terms.Kind.ENGINE_BACKED) {
        var _ =
            lifecycle.close(
                bound.target(),
                id,
                bound.incarnation(),
                bound.terms().onClose(),
                bound.terms().timeout());
      }
    });
  }

  /** Returns a session's binding. */
  public Optional<BindingView> binding(SessionId id) {
    return view(new Entry(id, store.peek(id)));
  }

  /** Returns a tenant's bindings, by name. */
  public List<BindingView> bindings(Tenant tenant) {
    List<BindingView> views = new ArrayList<>();
    store.scan(entry -> {
      if (entry.id().tenant().equals(tenant)) {
        view(entry).ifPresent(views::add);
      }
    });
    views.sort(java.util.Comparator.comparing(view -> view.id().name()));
    return views;
  }

  private Optional<BindingView> view(Entry entry) {
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
        long left = bound.idleDeadlineNanos() - clock.nanos();
        yield bound.expiredAt(clock.nanos())
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

  /** Returns what the router holds and has done. */
  public RouterStats stats() {
    return new RouterStats(
        placements.of(Terms.Kind.ENGINE_BACKED),
        placements.of(Terms.Kind.ROUTER_ONLY),
        placements.opening(),
        order.waiting(),
        counters.leasesTaken.get(),
        counters.leasesReturned.get(),
        counters.bookings.get(),
        counters.bookingsReleased.get(),
        counters.expired.get(),
        counters.completed.get(),
        counters.failed.get(),
        counters.aborted.get(),
        counters.hits.get(),
        counters.moved.get(),
        counters.broken.get(),
        lifecycle.stats(),
        fleet.ranks().stream()
            .map(rank ->
                new RouterStats.RankStats(
                    rank.id(),
                    rank.draining(),
                    placements.on(rank.id()),
                    rank.requests(),
                    rank.prefillTokens(),
                    rank.decodeBlocks(),
                    rank.feed().resident()))
            .toList());
  }

  /** Sends away who waits, and gives back what this router holds in the store. */
  @Override
  public void close() {
    order.close();
    settling.close();
    watch.close();
    store.dropOwner(owner);
  }

  private Presence presence(WorkerRank rank) {
    if (fleet.find(rank).isPresent()) {
      return Presence.LIVE;
    }
    return fleet.ranks().isEmpty() ? Presence.ABSENT : Presence.GONE;
  }

  Incarnation mint() {
    synchronized (random) {
      return Incarnation.mint(random);
    }
  }

  RouterConfig config() {
    return config;
  }

  AffinityStore store() {
    return store;
  }

  EngineLifecycle lifecycle() {
    return lifecycle;
  }

  Placer placer() {
    return placer;
  }

  Counters counters() {
    return counters;
  }
}
