package dev.sojourn.router;

import static dev.sojourn.router.House.A;
import static dev.sojourn.router.House.B;
import static dev.sojourn.router.House.TIMEOUT;
import static dev.sojourn.router.House.control;
import static dev.sojourn.router.House.dispatch;
import static dev.sojourn.router.House.id;
import static dev.sojourn.router.House.prompt;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sojourn.core.BlockHasher;
import dev.sojourn.core.Fault;
import dev.sojourn.core.FaultException;
import dev.sojourn.core.Incarnation;
import dev.sojourn.core.KvEvent;
import dev.sojourn.core.SessionControl;
import dev.sojourn.core.SessionControl.Action;
import dev.sojourn.core.SessionControl.Input;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionControl.WhileBusy;
import dev.sojourn.core.Tenant;
import dev.sojourn.core.Tokens;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.router.House.MemoryBound;
import dev.sojourn.router.ScriptedEngines.Fate;
import dev.sojourn.router.Selection.Affinity;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.IntStream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class RouterTest {

  private House house = new House();
  private Router router = house.router;

  @AfterEach
  void nothingIsHeld() {
    house.assertNothingHeld();
    house.close();
  }

  private static void assertFault(Class<? extends Fault> kind, ThrowingCallable call) {
    assertThatThrownBy(call)
        .isInstanceOfSatisfying(
            FaultException.class, e -> assertThat(e.fault()).isInstanceOf(kind));
  }

  private TurnIntent delta(String name, Action action) {
    return house.intent(control(name, action, Input.DELTA, WhileBusy.QUEUE, true));
  }

  private TurnIntent implicit(String name) {
    return house.intent(control(name, Action.CONTINUE, Input.FULL, WhileBusy.QUEUE, true));
  }

  @Test
  void open_thenTurns_stayOnTheRank_andTheEngineWaitsLongerThanTheRouter()
      throws InterruptedException {
    TurnGuard first = house.begin("s", Action.OPEN);
    assertThat(first.reason()).isEqualTo(NoSession.UNKNOWN);
    Selection opened = first.select(prompt(100));
    assertThat(first.opens()).isTrue();
    first.open();
    assertThat(first.opens()).isFalse();
    assertThat(router.binding(id("s")).orElseThrow().target()).as("not accepted yet").isEmpty();
    first.accepted();
    assertThat(router.binding(id("s")).orElseThrow().target()).contains(opened.target());
    first.finish(TurnOutcome.COMPLETED);
    for (int i = 0; i < 10; i++) {
      assertThat(house.turn("s", Action.CONTINUE).target()).isEqualTo(opened.target());
    }
    assertThat(house.engines.opened).hasSize(1);
    assertThat(house.engines.opened.getFirst().timeout()).isEqualTo(TIMEOUT.plusSeconds(30));
    assertThat(house.engines.opened.getFirst().incarnation())
        .isEqualTo(first.incarnation().orElseThrow());
  }

  @Test
  void openedTurnFailsAfterItWasAccepted_sessionStaysOpen() throws InterruptedException {
    TurnGuard guard = house.begin("s", Action.OPEN);
    dispatch(guard);
    guard.finish(TurnOutcome.FAILED);
    assertThat(house.turn("s", Action.CONTINUE).affinity()).isEqualTo(Affinity.HIT);
    assertThat(router.stats().failed()).isEqualTo(1);
  }

  @Test
  void finish_closingTurn_releasesLoadAndLeaseBeforeTheClose() throws InterruptedException {
    house.turn("s", Action.OPEN);
    TurnGuard guard = house.begin("s", Action.CLOSE);
    dispatch(guard);
    List<RouterStats> atClose = new ArrayList<>();
    house.engines.onClose = _ -> atClose.add(router.stats());
    guard.finish(TurnOutcome.ABORTED);
    assertThat(atClose).hasSize(1);
    RouterStats seen = atClose.getFirst();
    assertThat(seen.aborted()).isEqualTo(1);
    assertThat(seen.bookingsReleased()).isEqualTo(seen.bookings());
    assertThat(seen.leasesReturned()).isEqualTo(seen.leasesTaken());
    assertThat(seen.engineBacked()).isZero();
  }

  @Test
  void finish_twice_isAMistake_andCloseAfterItIsNot() throws InterruptedException {
    TurnGuard guard = router.begin(house.stateless());
    guard.finish(TurnOutcome.COMPLETED);
    guard.close();
    assertThatThrownBy(() -> guard.finish(TurnOutcome.COMPLETED))
        .isInstanceOf(IllegalStateException.class);
    assertThat(router.stats().completed()).isEqualTo(1);
    assertThat(router.stats().aborted()).isZero();
  }

  @Test
  void accepted_withoutOpening_isAMistake() throws InterruptedException {
    try (TurnGuard guard = house.begin("s", Action.OPEN)) {
      assertThatThrownBy(guard::accepted).isInstanceOf(IllegalStateException.class);
      guard.select(prompt(10));
      assertThatThrownBy(guard::accepted).isInstanceOf(IllegalStateException.class);
    }
  }

  @Test
  void continuationOfUnknown_full_isServedWithout_orOpensImplicitly() throws InterruptedException {
    try (TurnGuard guard = house.begin("s", Action.CONTINUE)) {
      assertThat(guard.incarnation()).isEmpty();
      assertThat(guard.reason()).isEqualTo(NoSession.UNKNOWN);
      assertThat(dispatch(guard).affinity()).isEqualTo(Affinity.NONE);
    }
    assertThat(router.binding(id("s"))).isEmpty();
    try (TurnGuard guard = router.begin(implicit("s"))) {
      assertThat(guard.reason()).isEqualTo(NoSession.UNKNOWN);
      assertThat(dispatch(guard).affinity()).isEqualTo(Affinity.NEW);
      guard.finish(TurnOutcome.COMPLETED);
    }
    assertThat(router.binding(id("s"))).isPresent();
  }

  @Test
  void continuationOfUnknown_delta_isNotFound() {
    assertFault(Fault.NotFound.class, () -> router.begin(delta("s", Action.CONTINUE)));
    assertFault(Fault.NotFound.class, () -> router.begin(delta("s", Action.CLOSE)));
  }

  @Test
  void continuationOfExpired_saysSo_untilOpenedAgain() throws InterruptedException {
    house.turn("s", Action.OPEN);
    Incarnation old = router.binding(id("s")).orElseThrow().incarnation();
    house.clock.advance(TIMEOUT);
    try (TurnGuard guard = router.begin(implicit("s"))) {
      assertThat(guard.reason()).as("found by the turn itself").isEqualTo(NoSession.EXPIRED);
      assertThat(guard.incarnation()).isPresent().isNotEqualTo(Optional.of(old));
      dispatch(guard);
    }
    assertThat(house.engines.closeCalls)
        .extracting(ScriptedEngines.Life::incarnation)
        .containsExactly(old);
    router.close(id("s"), OnClose.FREE, WhileBusy.QUEUE);
    try (TurnGuard guard = house.begin("s", Action.CONTINUE)) {
      assertThat(guard.reason()).as("closed, not expired").isEqualTo(NoSession.UNKNOWN);
    }
    house.turn("s", Action.OPEN);
    house.advance(TIMEOUT);
    assertThatThrownBy(() -> router.begin(delta("s", Action.CONTINUE)))
        .hasMessageContaining("expired");
  }

  @Test
  void openAgain_sameSettingsContinues_othersConflict() throws InterruptedException {
    house.turn("s", Action.OPEN);
    Incarnation life = router.binding(id("s")).orElseThrow().incarnation();
    try (TurnGuard guard = house.begin("s", Action.OPEN)) {
      assertThat(guard.incarnation()).contains(life);
      assertThat(guard.reason()).isEqualTo(NoSession.NONE);
    }
    SessionControl plain = SessionControl.of(id("s"), Action.OPEN);
    assertThat(plain.timeout()).isNotEqualTo(TIMEOUT);
    assertFault(Fault.Conflict.class, () -> router.begin(house.intent(plain)));
  }

  @Test
  void bind_isAffinityAlone() throws InterruptedException {
    WorkerRank rank = house.turn("s", Action.BIND).target();
    Selection next = house.turn("s", Action.CONTINUE);
    assertThat(next.target()).isEqualTo(rank);
    assertThat(next.incarnation()).isEmpty();
    assertThat(router.stats().routerOnly()).isEqualTo(1);
    CloseReport report = router.close(id("s"), OnClose.FREE, WhileBusy.QUEUE);
    assertThat(report.existed()).isTrue();
    assertThat(report.pending()).isFalse();
    assertThat(house.engines.opened).isEmpty();
    assertThat(house.engines.closeCalls).isEmpty();
  }

  @Test
  void bind_rankOverloaded_movesToOneWithRoom_whereAnOpenSessionStays()
      throws InterruptedException {
    try (TurnGuard soft = router.begin(house.pinned(control("soft", Action.BIND), A));
        TurnGuard hard = router.begin(house.pinned(control("hard", Action.OPEN), A))) {
      dispatch(soft);
      dispatch(hard);
      soft.finish(TurnOutcome.COMPLETED);
      hard.finish(TurnOutcome.COMPLETED);
    }
    List<TurnGuard> load = new ArrayList<>();
    for (int i = 0; i < 5; i++) {
      TurnGuard guard =
          router.begin(
              new TurnIntent("l" + i, Tenant.DEFAULT, Optional.empty(), Optional.of(A), false));
      guard.select(prompt(16));
      load.add(guard);
    }
    assertThat(router.stats().homeOverloaded()).isZero();
    assertThat(house.turn("hard", Action.CONTINUE).target()).isEqualTo(A);
    assertThat(router.stats().homeOverloaded()).isEqualTo(1);
    Selection moved = house.turn("soft", Action.CONTINUE);
    assertThat(moved.affinity()).isEqualTo(Affinity.MOVED);
    assertThat(moved.target()).isEqualTo(B);
    assertThat(house.turn("soft", Action.CONTINUE).affinity()).isEqualTo(Affinity.HIT);
    load.forEach(TurnGuard::close);
  }

  @Test
  void pinElsewhere_fullTurnRunsThereWithoutTheSession_whichStaysAlive()
      throws InterruptedException {
    WorkerRank home = house.turn("s", Action.OPEN).target();
    WorkerRank other = home.equals(A) ? B : A;
    house.clock.advance(TIMEOUT.minusNanos(1));
    try (TurnGuard guard = router.begin(house.pinned(control("s", Action.CONTINUE), other))) {
      assertThat(guard.reason()).isEqualTo(NoSession.PINNED);
      assertThat(guard.incarnation()).isEmpty();
      Selection selection = dispatch(guard);
      assertThat(selection.target()).isEqualTo(other);
      assertThat(selection.incarnation()).isEmpty();
      guard.finish(TurnOutcome.COMPLETED);
    }
    house.advance(Duration.ofSeconds(1));
    assertThat(house.turn("s", Action.CONTINUE).target()).isEqualTo(home);
    SessionControl delta = control("s", Action.CONTINUE, Input.DELTA, WhileBusy.QUEUE, false);
    assertFault(Fault.InvalidRequest.class, () -> router.begin(house.pinned(delta, other)));
    assertFault(
        Fault.Unavailable.class,
        () -> {
          try (TurnGuard guard =
              router.begin(
                  house.pinned(control("t", Action.OPEN), new WorkerRank(home.worker(), 9)))) {
            guard.select(prompt(1));
          }
        });
  }

  @Test
  void newSessions_onIdleRanks_areSpread() throws InterruptedException {
    List<WorkerRank> ranks = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      ranks.add(house.turn("s" + i, Action.OPEN).target());
    }
    assertThat(ranks).containsExactly(A, B, A, B);
  }

  @Test
  void newSession_prefixResident_goesThere_untilItIsRemoved() throws InterruptedException {
    Tokens context = Tokens.of(IntStream.range(0, 100).toArray());
    long[] blocks = new BlockHasher(BlockHasher.DEFAULT_SEED).chain(context);
    for (long block : blocks) {
      router.onKvEvent(
          B, new KvEvent.Stored(block, OptionalLong.empty(), 0, Tokens.EMPTY, Optional.empty()));
    }
    try (TurnGuard guard = router.begin(house.stateless())) {
      Selection selection = guard.select(prompt(100));
      assertThat(selection.target()).isEqualTo(B);
      assertThat(selection.overlapBlocks()).isEqualTo(6);
      assertThat(router.stats().ranks().get(1).prefillTokens()).isEqualTo(100 - 6 * 16);
    }
    router.onKvEvent(B, new KvEvent.Removed(blocks[0]));
    try (TurnGuard guard = router.begin(house.stateless())) {
      assertThat(guard.select(prompt(100)).target()).isEqualTo(A);
    }
  }

  @Test
  void children_preferTheParentsRank_upToItsShare() throws InterruptedException {
    house.turn("other", Action.OPEN);
    WorkerRank rank = house.turn("parent", Action.OPEN).target();
    assertThat(rank).isEqualTo(B);
    house.turn("more", Action.OPEN);
    List<WorkerRank> ranks = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      try (TurnGuard guard = router.begin(house.intent(House.child("c" + i, "parent")))) {
        ranks.add(dispatch(guard).target());
      }
    }
    assertThat(ranks).as("half of 4 turns").containsExactly(B, B, A);
  }

  @Test
  void storeFull_explicitOpenFails_implicitIsServedWithout() throws InterruptedException {
    house.close();
    house = new House(new MemoryBound(1), Runnable::run, RouterConfig.defaults(), 1);
    router = house.router;
    house.turn("s", Action.OPEN);
    assertFault(Fault.Overloaded.class, () -> house.begin("t", Action.OPEN));
    try (TurnGuard guard = router.begin(implicit("t"))) {
      assertThat(guard.reason()).isEqualTo(NoSession.FULL);
    }
  }

  @Test
  void engineDoesNotAnswerAClose_finishReportsPending() throws InterruptedException {
    house.close();
    List<Runnable> closes = new ArrayList<>();
    RouterConfig impatient = RouterConfig.defaults().withCloseWait(Duration.ofMillis(1));
    house = new House(new MemoryBound(10), closes::add, impatient, 1);
    router = house.router;
    house.turn("s", Action.OPEN);
    CloseReport report = router.close(id("s"), OnClose.FREE, WhileBusy.QUEUE);
    assertThat(report).isEqualTo(new CloseReport(true, true, java.util.OptionalInt.empty(), true));
    assertThat(router.stats().lifecycle().tombstones()).isEqualTo(1);
    closes.removeFirst().run();
    assertThat(closes).isEmpty();
    assertThat(router.stats().lifecycle().acknowledged()).isEqualTo(1);
  }

  @Test
  void reopenWhileTheOldLifesCloseIsRepeated_newLifeIsNotTouched() throws InterruptedException {
    house.turn("s", Action.OPEN);
    house.engines.closeFates.add(Fate.LOST);
    router.close(id("s"), OnClose.FREE, WhileBusy.QUEUE);
    house.turn("s", Action.OPEN);
    assertThat(house.engines.open).hasSize(2);
    house.advance(Duration.ofSeconds(1));
    assertThat(house.engines.open)
        .extracting(ScriptedEngines.Life::incarnation)
        .containsExactly(router.binding(id("s")).orElseThrow().incarnation());
  }

  @Test
  void close_retainAskedAtOpen_isKept() throws InterruptedException {
    SessionControl retain =
        SessionControl.builder(id("s"), Action.OPEN).onClose(OnClose.RETAIN).build();
    try (TurnGuard guard = router.begin(house.intent(retain))) {
      dispatch(guard);
    }
    router.close(id("s"), OnClose.FREE, WhileBusy.QUEUE);
    assertThat(house.engines.closeHows).containsExactly(OnClose.RETAIN);
  }

  @Test
  void closingTurn_rankGone_isServedElsewhereWithoutOpeningAnew() throws InterruptedException {
    WorkerRank rank = house.turn("s", Action.OPEN).target();
    house.engines.crash(rank.worker());
    router.removeRank(rank);
    TurnGuard guard = house.begin("s", Action.CLOSE);
    Selection selection = dispatch(guard);
    assertThat(selection.affinity()).isEqualTo(Affinity.BROKEN);
    assertThat(selection.incarnation()).isEmpty();
    CloseReport report = guard.finish(TurnOutcome.COMPLETED);
    assertThat(report.existed()).isTrue();
    assertThat(report.pending()).isFalse();
    assertThat(house.engines.opened).hasSize(1);
    assertThat(house.engines.closeCalls).isEmpty();
  }

  @Test
  void tooManyWaiting_isOverloaded() throws InterruptedException {
    house.close();
    RouterConfig narrow = RouterConfig.defaults().withMaxWaiting(1, 2);
    house = new House(new MemoryBound(10), Runnable::run, narrow, 1);
    router = house.router;
    TurnGuard first = house.begin("s", Action.OPEN);
    House.Later second = house.beginLater(house.intent(control("s", Action.CONTINUE)));
    assertFault(Fault.Overloaded.class, () -> house.begin("s", Action.CONTINUE));
    first.close();
    second.guard().join().close();
  }

  @Test
  void tooManyWaiting_behindAllSessions_isOverloaded() throws InterruptedException {
    house.close();
    RouterConfig narrow = RouterConfig.defaults().withMaxWaiting(5, 2);
    house = new House(new MemoryBound(10), Runnable::run, narrow, 1);
    router = house.router;
    List<TurnGuard> running = new ArrayList<>();
    List<House.Later> waiting = new ArrayList<>();
    for (String name : List.of("s", "t", "u")) {
      running.add(house.begin(name, Action.OPEN));
    }
    for (String name : List.of("s", "t")) {
      waiting.add(house.beginLater(house.intent(control(name, Action.CONTINUE))));
    }
    assertThatThrownBy(() -> house.begin("u", Action.CONTINUE))
        .hasMessageContaining("no more than 2 turns");
    running.forEach(TurnGuard::close);
    waiting.forEach(later -> later.guard().join().close());
    house.turn("u", Action.CONTINUE);
  }

  @Test
  void bind_bothRanksNearTheMargin_doesNotMoveBack() throws InterruptedException {
    List<TurnGuard> load = new ArrayList<>();
    try (TurnGuard soft = router.begin(house.pinned(control("s", Action.BIND), A))) {
      dispatch(soft);
    }
    for (int i = 0; i < 8; i++) {
      // One turn over what a rank runs, on both of them; of B only when the session has left A.
      if (i == 5) {
        assertThat(house.turn("s", Action.CONTINUE).affinity()).isEqualTo(Affinity.MOVED);
      }
      TurnGuard guard =
          router.begin(
              new TurnIntent(
                  "l" + i, Tenant.DEFAULT, Optional.empty(), Optional.of(i < 5 ? A : B), false));
      guard.select(prompt(16));
      load.add(guard);
    }
    for (int i = 0; i < 3; i++) {
      assertThat(house.turn("s", Action.CONTINUE).target()).isEqualTo(B);
    }
    TurnGuard more =
        router.begin(
            new TurnIntent("more", Tenant.DEFAULT, Optional.empty(), Optional.of(B), false));
    more.select(prompt(16));
    TurnGuard evenMore =
        router.begin(
            new TurnIntent("even", Tenant.DEFAULT, Optional.empty(), Optional.of(B), false));
    evenMore.select(prompt(16));
    assertThat(house.turn("s", Action.CONTINUE).target())
        .as("overloaded too, but so is the rank that it came from")
        .isEqualTo(B);
    load.forEach(TurnGuard::close);
    more.close();
    evenMore.close();
  }

  @Test
  void bindings_ofATenant_showWhereAndHowLong() throws InterruptedException {
    WorkerRank rank = house.turn("b", Action.OPEN).target();
    house.turn("a", Action.BIND);
    house.clock.advance(Duration.ofSeconds(10));
    assertThat(router.bindings(Tenant.DEFAULT))
        .extracting(view -> view.id().name())
        .containsExactly("a", "b");
    assertThat(router.bindings(new Tenant("other"))).isEmpty();
    BindingView view = router.binding(id("b")).orElseThrow();
    assertThat(view.target()).contains(rank);
    assertThat(view.remaining()).contains(TIMEOUT.minusSeconds(10));
    try (TurnGuard _ = house.begin("b", Action.CONTINUE)) {
      BindingView running = router.binding(id("b")).orElseThrow();
      assertThat(running.remaining()).isEmpty();
      assertThat(running.running()).hasSize(1);
    }
    house.clock.advance(TIMEOUT);
    assertThat(router.binding(id("a"))).as("expired is gone, ticked or not").isEmpty();
  }

  @Test
  void nextDeadline_isTheEarlierOfExpiryAndRetry() throws InterruptedException {
    assertThat(router.nextDeadlineNanos()).isEmpty();
    house.turn("s", Action.OPEN);
    house.turn("t", Action.OPEN);
    assertThat(router.nextDeadlineNanos()).hasValue(TIMEOUT.toNanos());
    house.engines.closeFates.add(Fate.LOST);
    router.close(id("s"), OnClose.FREE, WhileBusy.QUEUE);
    assertThat(router.nextDeadlineNanos()).hasValue(Duration.ofMillis(100).toNanos());
  }
}
