package dev.sojourn.router;

import dev.sojourn.core.Clock;
import dev.sojourn.core.Incarnation;
import dev.sojourn.core.KvEvent;
import dev.sojourn.core.LossCause;
import dev.sojourn.core.SessionControl;
import dev.sojourn.core.SessionControl.Action;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionControl.WhileBusy;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.Tenant;
import dev.sojourn.core.WorkerId;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.router.affinity.AffinityStore;
import dev.sojourn.router.affinity.AffinityStore.Entry;
import dev.sojourn.router.affinity.Binding.Bound;
import dev.sojourn.router.affinity.OwnerEpoch;
import dev.sojourn.router.affinity.Terms;
import dev.sojourn.router.index.PrefixIndex;
import dev.sojourn.router.lifecycle.EngineLifecycle;
import dev.sojourn.router.lifecycle.EngineSessions;
import dev.sojourn.router.load.Fleet;
import dev.sojourn.router.load.Rank;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.Executor;
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

  private final RouterConfig config;
  private final Clock clock;
  private final RandomGenerator random;
  private final AffinityStore store;
  private final EngineSessions engines;
  private final OwnerEpoch owner;
  private final Fleet fleet;
  private final Placer placer;
  private final EngineLifecycle lifecycle;
  private final TurnOrder order;
  private final Settling settling;
  private final Expiry expiry;
  private final Admission admission;
  private final Placements placements = new Placements();
  private final Counters counters = new Counters();
  private final AffinityStore.Watch watch;
  private final Inventory inventory;
  private final Executor calls;

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

  /**
   * Creates a router without ranks, whose calls of workers that nobody waits for run elsewhere.
   *
   * @param random where incarnations come from; need not be thread-safe
   * @param store where bindings live
   * @param engines how workers' sessions are opened and closed
   * @param closes runs closes and other calls of workers that nobody waits for, which block; one
   *     that runs them at once makes the router's time the clock's alone
   */
  public Router(
      RouterConfig config,
      Clock clock,
      RandomGenerator random,
      AffinityStore store,
      EngineSessions engines,
      Executor closes) {
    this.config = config;
    this.clock = clock;
    this.random = random;
    this.store = store;
    this.engines = engines;
    owner = OwnerEpoch.mint(random);
    PrefixIndex index = new PrefixIndex();
    fleet = new Fleet(index);
    placer = new Placer(fleet, index, placements, counters, config);
    lifecycle =
        new EngineLifecycle(
            engines,
            clock,
            closes,
            fleet::presence,
            new EngineLifecycle.Timing(
                config.engineGrace(), config.closeRetryFirst(), config.closeRetryLast()));
    order = new TurnOrder(config.maxWaiting(), config.maxWaitingInAll());
    settling = new Settling(store);
    expiry = new Expiry(store, clock, lifecycle, counters, closes);
    admission =
        new Admission(store, clock, owner, this::mint, this::isLive, settling, expiry, counters);
    watch =
        store.watch(change -> {
          placements.changed(change);
          settling.changed(change.id());
        });
    store.scan(entry -> {
      if (placements.found(entry) && isEngineBacked(entry)) {
        lifecycle.learnt();
      }
    });
    inventory = new Inventory(store, engines, fleet, lifecycle, clock, config);
    calls = closes;
  }

  private static boolean isEngineBacked(Entry entry) {
    return entry.binding() instanceof Bound bound
        && bound.terms().kind() == Terms.Kind.ENGINE_BACKED;
  }

  /** Adds a rank, whose KV events may come from now on. */
  public void addRank(WorkerRank rank, RankCapacity capacity) {
    fleet.add(rank, capacity.pages(), capacity.maxRunning());
  }

  /**
   * Removes a rank that is gone; one that is not there is no fault. Its sessions stay bound; their
   * next turns open them elsewhere, as soon as there is another rank.
   */
  public void removeRank(WorkerRank rank) {
    fleet.remove(rank);
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
      return new TurnGuard(this, intent, admission.look(control.session()), Optional.empty());
    }
    if (order.turns(control.session()) <= 1) {
      admission.refuseContradiction(control);
    }
    boolean beside =
        control.action() == Action.CONTINUE && Admission.isTree(store.peek(control.session()));
    Optional<TurnGuard> guard = beside ? enter(intent, control, true) : Optional.empty();
    return guard.isPresent() ? guard.get() : beginAlone(intent);
  }

  /**
   * Begins a turn of a session as {@link #begin} does, but beside no other one, whatever the
   * session is.
   */
  public TurnGuard beginAlone(TurnIntent intent) throws InterruptedException {
    return enter(intent, intent.control().orElseThrow(), false).orElseThrow();
  }

  private Optional<TurnGuard> enter(TurnIntent intent, SessionControl control, boolean beside)
      throws InterruptedException {
    boolean waits = control.whileBusy() == WhileBusy.QUEUE;
    TurnOrder.Kind kind =
        control.action() == Action.CLOSE
            ? TurnOrder.Kind.LAST
            : beside ? TurnOrder.Kind.SHARED : TurnOrder.Kind.ALONE;
    return enter(intent, order.enter(control.session(), waits, kind), beside);
  }

  /**
   * Begins a turn whose time has come. Returns empty if it joined the line as one of a tree, and
   * there is none by now.
   */
  Optional<TurnGuard> enter(TurnIntent intent, TurnOrder.Place place, boolean beside)
      throws InterruptedException {
    boolean keepsPlace = false;
    try {
      Optional<Standing> standing = admission.admit(intent.control().orElseThrow(), intent, beside);
      keepsPlace = standing.filter(how -> !(how instanceof Standing.Without)).isPresent();
      Optional<TurnOrder.Place> kept = keepsPlace ? Optional.of(place) : Optional.empty();
      return standing.map(how -> new TurnGuard(this, intent, how, kept));
    } finally {
      if (!keepsPlace) {
        place.leave();
      }
    }
  }

  /**
   * Closes a session as a turn of its own would: after the turns that came before.
   *
   * @param busy what to do while another turn runs
   */
  public CloseReport close(SessionId id, OnClose how, WhileBusy busy) throws InterruptedException {
    return close(id, how, busy, config.closeWait());
  }

  /**
   * Closes a session as a turn of its own would: after the turns that came before.
   *
   * @param busy what to do while another turn runs
   * @param patience how long to wait for the engine's answer
   */
  public CloseReport close(SessionId id, OnClose how, WhileBusy busy, Duration patience)
      throws InterruptedException {
    TurnOrder.Place place = order.enter(id, busy == WhileBusy.QUEUE, TurnOrder.Kind.CLOSE);
    TurnIntent intent = ComingClose.intent(id, how, busy);
    try (TurnGuard guard = enter(intent, place, false).orElseThrow()) {
      return guard.finish(TurnOutcome.COMPLETED, patience);
    }
  }

  /**
   * Takes a place behind a session's turns so far, for a close that nobody waits for. Waits for
   * nothing, and is not refused however many turns wait.
   *
   * @return the close, which the caller has to run; nothing if the turns are followed by such a
   *     close already
   */
  public Optional<ComingClose> promiseClose(SessionId id, OnClose how) {
    return order
        .promise(id)
        .map(place -> new ComingClose(this, ComingClose.intent(id, how, WhileBusy.QUEUE), place));
  }

  /** Returns whether a session will end behind turns that run or wait. */
  public boolean isClosing(SessionId id) {
    return order.ends(id);
  }

  /**
   * Lets a session be idle for {@code idle} until its next turn: from now on, or from the end of a
   * running turn on. It may be shorter than before. After that turn the session's own timeout
   * counts again. Waits for no turn.
   *
   * @return the binding as it is then; empty if there is none
   * @throws IllegalArgumentException if {@code idle} is not a timeout that a session may have
   * @throws dev.sojourn.core.FaultException {@code session_opening} while a turn opens it
   */
  public Optional<BindingView> extend(SessionId id, Duration idle) {
    return expiry.extend(id, idle).flatMap(bound -> view(new Entry(id, bound)));
  }

  /**
   * Ends what has been idle for too long, repeats closes that are due, and now and then has the
   * workers' sessions compared with the bindings.
   */
  public void tick() {
    expiry.endDue();
    lifecycle.retryDue();
    if (inventory.isDue()) {
      calls.execute(inventory::look);
    }
  }

  /**
   * Compares the sessions that workers hold with the bindings, as {@link #tick} does when it is
   * time: learns back what is bound to nobody while the router is young, and closes it later.
   */
  public void reconcile() {
    inventory.look();
  }

  /**
   * Returns a moment, by the clock, before which {@link #tick} has nothing to end and nothing to
   * repeat.
   */
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
    return BindingView.of(entry, clock.nanos());
  }

  /** Returns what the router holds and has done. */
  public RouterStats stats() {
    return RouterStats.of(placements, counters, order, lifecycle, fleet);
  }

  /**
   * Compares what was counted with what is there, while turns go on. Takes time in proportion to
   * the bindings, and a quarter of a second more where something is or seems wrong. The router has
   * to be the only one on its store.
   *
   * @return what is wrong, in words; empty if nothing is
   */
  public List<String> check() {
    return new Books(this, owner, engines, clock).check();
  }

  /** Sends away who waits, and gives back what this router holds in the store. */
  @Override
  public void close() {
    order.close();
    settling.close();
    watch.close();
    store.dropOwner(owner);
  }

  private boolean isLive(WorkerRank rank) {
    return fleet.find(rank).isPresent();
  }

  /** Returns why a session begins elsewhere than on a rank. */
  LossCause whyAway(WorkerRank rank) {
    return isLive(rank) ? LossCause.MOVED : LossCause.WORKER_LOST;
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

  Expiry expiry() {
    return expiry;
  }

  Placer placer() {
    return placer;
  }

  Counters counters() {
    return counters;
  }
}
