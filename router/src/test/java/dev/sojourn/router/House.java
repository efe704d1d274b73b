package dev.sojourn.router;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.core.ManualClock;
import dev.sojourn.core.Namespace;
import dev.sojourn.core.SessionControl;
import dev.sojourn.core.SessionControl.Action;
import dev.sojourn.core.SessionControl.Input;
import dev.sojourn.core.SessionControl.WhileBusy;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.Tenant;
import dev.sojourn.core.Tokens;
import dev.sojourn.core.WorkerId;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.router.affinity.MemoryAffinityStore;
import java.time.Duration;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.stream.IntStream;

/** A router with two workers, a clock that is turned by hand, and closes that run at once. */
final class House implements AutoCloseable {

  static final WorkerRank A = new WorkerRank(new WorkerId("a"), 0);
  static final WorkerRank B = new WorkerRank(new WorkerId("b"), 0);
  static final RankCapacity CAPACITY = new RankCapacity(1000, 4);
  static final Duration TIMEOUT = Duration.ofSeconds(60);

  final ManualClock clock = new ManualClock();
  final ScriptedEngines engines = new ScriptedEngines(clock);
  final MemoryAffinityStore store;
  final Router router;
  private int requests;

  House() {
    this(new MemoryBound(65_536), Runnable::run, RouterConfig.defaults(), 1);
  }

  /** How many names the store holds. */
  record MemoryBound(int entries) {}

  House(MemoryBound bound, Executor closes, RouterConfig config, long seed) {
    store = new MemoryAffinityStore(clock, bound.entries());
    router = new Router(config, clock, new Random(seed), store, engines, closes);
    router.addRank(A, CAPACITY);
    router.addRank(B, CAPACITY);
  }

  /** Another gateway on the same store and workers. */
  Router neighbour() {
    Router neighbour =
        new Router(RouterConfig.defaults(), clock, new Random(99), store, engines, Runnable::run);
    neighbour.addRank(A, CAPACITY);
    neighbour.addRank(B, CAPACITY);
    return neighbour;
  }

  static SessionId id(String name) {
    return new SessionId(Tenant.DEFAULT, name);
  }

  static SessionControl control(
      String name, Action action, Input input, WhileBusy busy, boolean implicit) {
    return SessionControl.builder(id(name), action)
        .timeout(TIMEOUT)
        .input(input)
        .whileBusy(busy)
        .implicit(implicit)
        .build();
  }

  static SessionControl child(String name, String parent) {
    return SessionControl.builder(id(name), Action.OPEN)
        .timeout(TIMEOUT)
        .near(Optional.of(parent))
        .build();
  }

  static SessionControl fork(String name, String parent) {
    return SessionControl.builder(id(name), Action.OPEN).timeout(TIMEOUT).parent(parent).build();
  }

  static SessionControl control(String name, Action action) {
    return control(name, action, Input.FULL, WhileBusy.QUEUE, false);
  }

  TurnIntent intent(SessionControl control) {
    return new TurnIntent(
        "r" + ++requests, Tenant.DEFAULT, Optional.of(control), Optional.empty(), false);
  }

  TurnIntent pinned(SessionControl control, WorkerRank pin) {
    return new TurnIntent(
        "r" + ++requests, Tenant.DEFAULT, Optional.of(control), Optional.of(pin), false);
  }

  TurnIntent stateless() {
    return new TurnIntent(
        "r" + ++requests, Tenant.DEFAULT, Optional.empty(), Optional.empty(), false);
  }

  TurnGuard begin(String name, Action action) throws InterruptedException {
    return router.begin(intent(control(name, action)));
  }

  static SelectionQuery prompt(int tokens) {
    return SelectionQuery.ofTokens(
        Namespace.DEFAULT, () -> Tokens.of(IntStream.range(0, tokens).toArray()), tokens, 0, 16);
  }

  /** Takes a turn that has begun up to the worker's acceptance. */
  static Selection dispatch(TurnGuard guard) {
    Selection selection = guard.select(prompt(100));
    guard.open();
    guard.accepted();
    return selection;
  }

  /** Runs a whole turn. */
  Selection turn(String name, Action action) throws InterruptedException {
    try (TurnGuard guard = begin(name, action)) {
      Selection selection = dispatch(guard);
      guard.firstToken();
      guard.generated(20);
      guard.finish(TurnOutcome.COMPLETED);
      return selection;
    }
  }

  /** A turn that begins on a thread of its own, as it will have to wait. */
  record Later(Thread thread, CompletableFuture<TurnGuard> guard) {}

  /** Begins a turn elsewhere and returns when it waits in its session's line. */
  Later beginLater(TurnIntent intent) {
    int waiting = router.stats().waiting();
    Later later = start(router, intent);
    await(() -> router.stats().waiting() == waiting + 1);
    return later;
  }

  static Later start(Router router, TurnIntent intent) {
    CompletableFuture<TurnGuard> guard = new CompletableFuture<>();
    Thread thread =
        Thread.ofVirtual()
            .start(() -> {
              try {
                guard.complete(router.begin(intent));
              } catch (InterruptedException | RuntimeException e) {
                guard.completeExceptionally(e);
              }
            });
    return new Later(thread, guard);
  }

  static void await(java.util.function.BooleanSupplier condition) {
    long giveUp = System.nanoTime() + Duration.ofSeconds(20).toNanos();
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime()).as("gave up waiting").isLessThan(giveUp);
      Thread.onSpinWait();
    }
  }

  void advance(Duration by) {
    clock.advance(by);
    router.tick();
  }

  /** Nothing is held, whatever happened before. */
  void assertNothingHeld() {
    RouterStats stats = router.stats();
    assertThat(engines.closedAgain).as("closed twice").isEmpty();
    assertThat(stats.leasesReturned()).as("leases").isEqualTo(stats.leasesTaken());
    assertThat(stats.bookingsReleased()).as("bookings").isEqualTo(stats.bookings());
    assertThat(stats.waiting()).isZero();
    assertThat(stats.opening()).isZero();
    assertThat(stats.ranks())
        .allSatisfy(rank -> {
          assertThat(rank.requests()).isZero();
          assertThat(rank.prefillTokens()).isZero();
          assertThat(rank.decodeBlocks()).isZero();
        });
    var lifecycle = stats.lifecycle();
    assertThat(lifecycle.opens() + lifecycle.learnt() + lifecycle.reaped())
        .as("%s with %s bound", lifecycle, stats.engineBacked())
        .isEqualTo(
            lifecycle.acknowledged()
                + lifecycle.abandoned()
                + lifecycle.lost()
                + lifecycle.tombstones()
                + stats.engineBacked());
  }

  @Override
  public void close() {
    router.close();
    store.close();
  }
}
