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

import dev.sojourn.core.Fault;
import dev.sojourn.core.FaultException;
import dev.sojourn.core.Incarnation;
import dev.sojourn.core.SessionControl;
import dev.sojourn.core.SessionControl.Action;
import dev.sojourn.core.SessionControl.Input;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionControl.WhileBusy;
import dev.sojourn.core.SessionKind;
import dev.sojourn.core.WorkerId;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.router.ScriptedEngines.Fate;
import dev.sojourn.router.Selection.Affinity;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * The races that Dynamo's sessions met, by the numbers of the checklist that the project collected
 * of them, as far as they can happen within one gateway process. Missing numbers concern the
 * engine, the prompt, other engines, or gateways that start again.
 */
class RouterRacesTest {

  private final House house = new House();
  private final Router router = house.router;

  @AfterEach
  void nothingIsHeld() {
    house.assertNothingHeld();
    house.close();
  }

  @Test
  void race01_turnBeforeAnyWorker_failsAloneAndTheNextOneWorks() throws InterruptedException {
    router.removeRank(A);
    router.removeRank(B);
    try (TurnGuard guard = house.begin("s", Action.OPEN)) {
      assertThatThrownBy(() -> guard.select(prompt(10)))
          .isInstanceOfSatisfying(
              FaultException.class,
              e -> assertThat(e.fault()).isInstanceOf(Fault.Unavailable.class));
    }
    router.addRank(A, House.CAPACITY);
    assertThat(house.turn("s", Action.OPEN).affinity()).isEqualTo(Affinity.NEW);
  }

  @Test
  void race02_openFailsAfterBooking_releasesLoadAndName() throws InterruptedException {
    house.engines.openFates.add(Fate.REFUSED);
    try (TurnGuard guard = house.begin("s", Action.OPEN)) {
      guard.select(prompt(100));
      assertThat(booked()).isEqualTo(1);
      assertThatThrownBy(guard::open).isInstanceOf(FaultException.class);
    }
    assertThat(booked()).isZero();
    assertThat(router.binding(id("s"))).isEmpty();
    assertThat(house.engines.closeCalls).isEmpty();
    assertThat(house.turn("s", Action.OPEN).affinity()).isEqualTo(Affinity.NEW);
  }

  @Test
  void race02_openAnswerLost_closesWhatMayBeOpen() throws InterruptedException {
    house.engines.openFates.add(Fate.ANSWER_LOST);
    try (TurnGuard guard = house.begin("s", Action.OPEN)) {
      guard.select(prompt(100));
      assertThatThrownBy(guard::open).isInstanceOf(FaultException.class);
      assertThatThrownBy(guard::open)
          .as("a second try could meet the first one's close")
          .isInstanceOf(IllegalStateException.class);
    }
    assertThat(house.engines.open).isEmpty();
    assertThat(house.engines.closeCalls).hasSize(1);
  }

  @Test
  void race03_twoOpensAtOnce_oneOpensAndTheOtherContinues() throws Exception {
    TurnGuard first = house.begin("s", Action.OPEN);
    House.Later second = house.beginLater(house.intent(control("s", Action.OPEN)));
    dispatch(first);
    first.finish(TurnOutcome.COMPLETED);
    try (TurnGuard guard = second.guard().get()) {
      assertThat(guard.incarnation()).isEqualTo(first.incarnation());
      assertThat(dispatch(guard).affinity()).isEqualTo(Affinity.HIT);
      guard.finish(TurnOutcome.COMPLETED);
    }
    assertThat(house.engines.opened).hasSize(1);
  }

  @Test
  void race03_twoOpensAtTwoGateways_oneOpensAndTheOtherWaits() throws Exception {
    try (Router neighbour = house.neighbour()) {
      TurnGuard first = house.begin("s", Action.OPEN);
      House.Later second = House.start(neighbour, house.intent(control("s", Action.OPEN)));
      assertThat(second.guard()).isNotDone();
      dispatch(first);
      try (TurnGuard guard = second.guard().get()) {
        assertThat(guard.incarnation()).isEqualTo(first.incarnation());
        first.finish(TurnOutcome.COMPLETED);
        house.advance(TIMEOUT.multipliedBy(2));
        assertThat(router.binding(id("s"))).as("leased by the neighbour").isPresent();
        guard.finish(TurnOutcome.COMPLETED);
      }
    }
  }

  @Test
  void race03_openWithOtherSettingsWhileOneOpens_isRefusedAtOnce() throws InterruptedException {
    try (TurnGuard first = house.begin("s", Action.OPEN)) {
      assertThatThrownBy(() -> house.begin("s", Action.BIND))
          .isInstanceOfSatisfying(
              FaultException.class,
              e ->
                  assertThat(e.fault())
                      .isInstanceOfSatisfying(
                          Fault.Conflict.class,
                          fault -> assertThat(fault.code()).isEqualTo("session_settings")));
      first.finish(TurnOutcome.ABORTED);
    }
  }

  @Test
  void race04_continuationWhileOpening_waitsAndGoesToTheSameRank() throws Exception {
    TurnGuard opener = house.begin("s", Action.OPEN);
    House.Later next = house.beginLater(house.intent(control("s", Action.CONTINUE)));
    WorkerRank rank = dispatch(opener).target();
    opener.finish(TurnOutcome.COMPLETED);
    try (TurnGuard guard = next.guard().get()) {
      assertThat(dispatch(guard).target()).isEqualTo(rank);
      guard.finish(TurnOutcome.COMPLETED);
    }
  }

  @Test
  void race04_openerFails_wakesTheNextWhoFindsNoSession() throws Exception {
    TurnGuard opener = house.begin("s", Action.OPEN);
    House.Later next = house.beginLater(house.intent(control("s", Action.CONTINUE)));
    opener.close();
    try (TurnGuard guard = next.guard().get()) {
      assertThat(guard.incarnation()).isEmpty();
      assertThat(guard.reason()).isEqualTo(NoSession.UNKNOWN);
    }
  }

  @Test
  void race04_interruptedWhileWaiting_holdsNothingAndLosesNobodysTurn() throws Exception {
    TurnGuard opener = house.begin("s", Action.OPEN);
    House.Later second = house.beginLater(house.intent(control("s", Action.CONTINUE)));
    House.Later third = house.beginLater(house.intent(control("s", Action.CONTINUE)));
    second.thread().interrupt();
    assertThatThrownBy(() -> second.guard().get())
        .isInstanceOf(ExecutionException.class)
        .hasCauseInstanceOf(InterruptedException.class);
    dispatch(opener);
    opener.finish(TurnOutcome.COMPLETED);
    try (TurnGuard guard = third.guard().get()) {
      assertThat(guard.incarnation()).isEqualTo(opener.incarnation());
      guard.finish(TurnOutcome.ABORTED);
    }
  }

  @Test
  void race05_closeWhileATurnStreams_waitsForItsEnd() throws Exception {
    house.turn("s", Action.OPEN);
    TurnGuard streaming = house.begin("s", Action.CONTINUE);
    dispatch(streaming);
    House.Later closing = house.beginLater(house.intent(control("s", Action.CLOSE)));
    House.Later behind = house.beginLater(house.intent(control("s", Action.CONTINUE)));
    assertThat(house.engines.closeCalls).isEmpty();
    streaming.finish(TurnOutcome.COMPLETED);
    TurnGuard close = closing.guard().get();
    dispatch(close);
    assertThat(house.engines.closeCalls).isEmpty();
    CloseReport report = close.finish(TurnOutcome.COMPLETED);
    assertThat(report.existed()).isTrue();
    assertThat(report.tokensFreed()).hasValue(100);
    try (TurnGuard guard = behind.guard().get()) {
      assertThat(guard.reason()).isEqualTo(NoSession.UNKNOWN);
    }
    assertThat(house.engines.open).isEmpty();
  }

  @Test
  void race06_closeOfUnknownName_isServedAndCallsNoWorker() throws InterruptedException {
    TurnGuard guard = house.begin("s", Action.CLOSE);
    dispatch(guard);
    assertThat(guard.finish(TurnOutcome.COMPLETED)).isEqualTo(CloseReport.UNKNOWN);
    assertThat(house.engines.closeCalls).isEmpty();
  }

  @Test
  void race07_generationLongerThanTheTimeout_doesNotExpire() throws InterruptedException {
    TurnGuard guard = house.begin("s", Action.OPEN);
    dispatch(guard);
    house.advance(TIMEOUT.multipliedBy(10));
    assertThat(router.binding(id("s"))).isPresent();
    guard.finish(TurnOutcome.COMPLETED);
    house.advance(TIMEOUT.minusNanos(1));
    assertThat(router.binding(id("s"))).isPresent();
    house.advance(Duration.ofNanos(1));
    assertThat(router.binding(id("s"))).isEmpty();
    assertThat(house.engines.open).isEmpty();
  }

  @Test
  void race08_rankGone_reopensElsewhereUnderANewLife() throws InterruptedException {
    WorkerRank first = house.turn("s", Action.OPEN).target();
    Incarnation life = house.router.binding(id("s")).orElseThrow().incarnation();
    house.engines.crash(first.worker());
    router.removeRank(first);
    TurnGuard guard = house.begin("s", Action.CONTINUE);
    assertThat(guard.incarnation()).contains(life);
    Selection selection = guard.select(prompt(100));
    assertThat(selection.affinity()).isEqualTo(Affinity.BROKEN);
    assertThat(selection.incarnation()).isPresent().isNotEqualTo(Optional.of(life));
    assertThat(guard.opens()).isTrue();
    guard.open();
    guard.accepted();
    guard.finish(TurnOutcome.COMPLETED);
    assertThat(house.turn("s", Action.CONTINUE).affinity()).isEqualTo(Affinity.HIT);
    assertThat(router.stats().lifecycle().lost()).isEqualTo(1);
  }

  @Test
  void race08_workerStartedAnew_reopensOnTheSameRank() throws InterruptedException {
    WorkerRank rank = house.turn("s", Action.OPEN).target();
    house.engines.crash(rank.worker());
    try (TurnGuard guard = house.begin("s", Action.CONTINUE)) {
      Selection first = guard.select(prompt(100));
      guard.open();
      Selection second = guard.lost();
      assertThat(second.target()).isEqualTo(rank);
      assertThat(second.incarnation()).isNotEqualTo(first.incarnation());
      guard.open();
      guard.accepted();
      guard.finish(TurnOutcome.COMPLETED);
      assertThat(router.binding(id("s")).orElseThrow().incarnation())
          .isEqualTo(second.incarnation().orElseThrow());
    }
    assertThat(house.engines.open).hasSize(1);
    assertThat(router.stats().broken()).as("as the answer says").isEqualTo(1);
    assertThat(router.stats().hits()).isZero();
  }

  @Test
  void race09_closeLost_isRepeatedWithGrowingPausesUntilAnswered() throws InterruptedException {
    house.turn("s", Action.OPEN);
    house.engines.closeFates.addAll(List.of(Fate.LOST, Fate.LOST, Fate.LOST));
    TurnGuard guard = house.begin("s", Action.CLOSE);
    dispatch(guard);
    CloseReport report = guard.finish(TurnOutcome.COMPLETED);
    assertThat(report.pending()).isTrue();
    assertThat(report.tokensFreed()).isEmpty();
    assertThat(router.binding(id("s"))).as("the name is free at once").isEmpty();
    house.advance(Duration.ofMillis(99));
    assertThat(house.engines.closeCalls).hasSize(1);
    house.advance(Duration.ofMillis(1));
    assertThat(house.engines.closeCalls).hasSize(2);
    house.advance(Duration.ofMillis(200));
    assertThat(house.engines.closeCalls).hasSize(3);
    house.advance(Duration.ofMillis(400));
    assertThat(house.engines.open).isEmpty();
    house.advance(Duration.ofMinutes(10));
    assertThat(house.engines.closeCalls).hasSize(4);
  }

  @Test
  void race09_closeNeverAnswered_isAbandonedAfterTimeoutAndGrace() throws InterruptedException {
    house.turn("s", Action.OPEN);
    for (int i = 0; i < 1000; i++) {
      house.engines.closeFates.add(Fate.LOST);
    }
    router.close(id("s"), OnClose.FREE, WhileBusy.QUEUE);
    Duration lasts = TIMEOUT.plusSeconds(30);
    for (Duration past = Duration.ZERO; past.compareTo(lasts) < 0; past = past.plusMillis(100)) {
      assertThat(router.stats().lifecycle().tombstones()).isEqualTo(1);
      house.advance(Duration.ofMillis(100));
    }
    assertThat(router.stats().lifecycle().tombstones()).isZero();
    assertThat(router.stats().lifecycle().abandoned()).isEqualTo(1);
    // 0.1 + 0.2 + 0.4 + 0.8 + 1.6 + 3.2 seconds, then every 5: 6 and (90 - 6.3) / 5.
    assertThat(router.stats().lifecycle().retries()).isEqualTo(6 + 16);
  }

  @Test
  void race09_closeOfASessionOpenForAYearNeverAnswered_isAbandonedAfterAnHour()
      throws InterruptedException {
    SessionControl year =
        SessionControl.builder(id("s"), Action.OPEN).timeout(SessionControl.MAX_TIMEOUT).build();
    try (TurnGuard guard = router.begin(house.intent(year))) {
      dispatch(guard);
    }
    for (int i = 0; i < 1000; i++) {
      house.engines.closeFates.add(Fate.LOST);
    }
    router.close(id("s"), OnClose.FREE, WhileBusy.QUEUE);
    for (int i = 0; i < 725; i++) {
      assertThat(router.stats().lifecycle().tombstones()).isEqualTo(1);
      house.advance(Duration.ofSeconds(5));
    }
    house.advance(Duration.ofSeconds(5));
    assertThat(router.stats().lifecycle().tombstones()).isZero();
  }

  @Test
  void race10_openOverALiveSession_neverReplacesIt() throws InterruptedException {
    house.turn("s", Action.OPEN);
    assertThatThrownBy(() -> house.begin("s", Action.BIND)).isInstanceOf(FaultException.class);
    assertThat(house.turn("s", Action.OPEN).affinity()).isEqualTo(Affinity.HIT);
    assertThat(house.engines.opened).hasSize(1);
  }

  @Test
  void race10_sessionMoves_oldLifeIsClosedByIncarnation() throws InterruptedException {
    Selection first = house.turn("s", Action.OPEN);
    router.drainWorker(first.target().worker());
    Selection second = house.turn("s", Action.CONTINUE);
    assertThat(second.affinity()).isEqualTo(Affinity.MOVED);
    assertThat(house.engines.closeCalls)
        .containsExactly(
            new ScriptedEngines.Life(first.target(), id("s"), first.incarnation().orElseThrow()));
    assertThat(house.engines.open).hasSize(1);
  }

  @Test
  void race12_expiryHandlerUsesTheStore_withoutDeadlock() throws InterruptedException {
    house.turn("s", Action.OPEN);
    List<Optional<BindingView>> seen = new ArrayList<>();
    house.engines.onClose = life -> seen.add(router.binding(life.id()));
    house.store.watch(change -> seen.add(router.binding(change.id())));
    house.advance(TIMEOUT);
    assertThat(seen).containsOnly(Optional.empty()).hasSize(2);
  }

  @Test
  void race13_closedRouter_hearsOfNoChangesAndSendsWaitersAway() throws Exception {
    Router neighbour = house.neighbour();
    TurnGuard first = neighbour.begin(house.intent(control("s", Action.OPEN)));
    House.Later second = House.start(neighbour, house.intent(control("s", Action.CONTINUE)));
    House.await(() -> neighbour.stats().waiting() == 1);
    neighbour.close();
    assertThatThrownBy(() -> second.guard().get()).hasMessageContaining("shutting down");
    assertThat(house.store.peek(id("s"))).as("its opening ended with it").isNotNull();
    assertThat(router.binding(id("s"))).isEmpty();
    first.close();
    house.turn("t", Action.OPEN);
    assertThat(neighbour.stats().engineBacked()).isZero();
  }

  @Test
  void race14_overlappingTurns_runOneAfterTheOther() throws Exception {
    house.turn("s", Action.OPEN);
    TurnGuard first = house.begin("s", Action.CONTINUE);
    List<House.Later> others = new ArrayList<>();
    for (int i = 0; i < 5; i++) {
      others.add(house.beginLater(house.intent(control("s", Action.CONTINUE))));
    }
    TurnGuard running = first;
    for (int i = 0; i < others.size(); i++) {
      for (House.Later later : others.subList(i, others.size())) {
        assertThat(later.guard()).isNotDone();
      }
      running.close();
      running = others.get(i).guard().get();
    }
    running.close();
  }

  @Test
  void race14_overlappingTurnThatRejects_getsSessionBusy() throws InterruptedException {
    house.turn("s", Action.OPEN);
    try (TurnGuard _ = house.begin("s", Action.CONTINUE)) {
      TurnIntent rejecting =
          house.intent(control("s", Action.CONTINUE, Input.FULL, WhileBusy.REJECT, false));
      assertThatThrownBy(() -> router.begin(rejecting))
          .isInstanceOfSatisfying(
              FaultException.class,
              e ->
                  assertThat(e.fault())
                      .isInstanceOfSatisfying(
                          Fault.Conflict.class,
                          fault -> assertThat(fault.code()).isEqualTo("session_busy")));
    }
  }

  @Test
  void race19_twoGatewaysFailOverAtOnce_oneRebindsAndTheOtherClosesItsOwn() throws Exception {
    Router neighbour = house.neighbour();
    WorkerRank home = house.turn("s", Action.OPEN).target();
    house.engines.crash(home.worker());
    router.removeRank(home);
    neighbour.removeRank(home);
    TurnGuard ours = house.begin("s", Action.CONTINUE);
    TurnGuard theirs = neighbour.begin(house.intent(control("s", Action.CONTINUE)));
    Incarnation winner = dispatch(ours).incarnation().orElseThrow();
    Incarnation loser = dispatch(theirs).incarnation().orElseThrow();
    assertThat(router.binding(id("s")).orElseThrow().incarnation()).isEqualTo(winner);
    assertThat(router.binding(id("s")).orElseThrow().running()).hasSize(2);
    theirs.finish(TurnOutcome.COMPLETED);
    ours.finish(TurnOutcome.COMPLETED);
    assertThat(router.binding(id("s")).orElseThrow().running()).isEmpty();
    assertThat(house.engines.closeCalls)
        .extracting(ScriptedEngines.Life::incarnation)
        .containsExactly(loser);
    assertThat(house.engines.open)
        .extracting(ScriptedEngines.Life::incarnation)
        .containsExactly(winner);
    neighbour.close();
  }

  @Test
  void race20_liveSetEmptyForAMoment_keepsBindings() throws InterruptedException {
    WorkerRank rank = house.turn("s", Action.OPEN).target();
    router.removeRank(A);
    router.removeRank(B);
    try (TurnGuard guard = house.begin("s", Action.CONTINUE)) {
      assertThatThrownBy(() -> guard.select(prompt(10))).isInstanceOf(FaultException.class);
    }
    router.addRank(A, House.CAPACITY);
    router.addRank(B, House.CAPACITY);
    Selection selection = house.turn("s", Action.CONTINUE);
    assertThat(selection.target()).isEqualTo(rank);
    assertThat(selection.affinity()).isEqualTo(Affinity.HIT);
  }

  @Test
  void race20_closeWhileLiveSetIsEmpty_isSentWhenTheWorkerIsBack() throws InterruptedException {
    house.turn("s", Action.OPEN);
    router.removeRank(A);
    router.removeRank(B);
    assertThat(router.close(id("s"), OnClose.FREE, WhileBusy.QUEUE).pending()).isTrue();
    router.addRank(A, House.CAPACITY);
    router.addRank(B, House.CAPACITY);
    house.advance(Duration.ofMillis(100));
    assertThat(house.engines.open).isEmpty();
  }

  @Test
  void race21_queryOnly_changesNothing() throws InterruptedException {
    WorkerRank rank = house.turn("s", Action.OPEN).target();
    house.clock.advance(TIMEOUT.minusNanos(1));
    RouterStats before = router.stats();
    for (Action action : Action.values()) {
      for (String name : List.of("s", "unknown")) {
        TurnIntent query =
            new TurnIntent(
                "q", id(name).tenant(), Optional.of(control(name, action)), Optional.empty(), true);
        try (TurnGuard guard = router.begin(query)) {
          Selection selection = guard.select(prompt(100));
          assertThat(name.equals("unknown") || selection.target().equals(rank)).isTrue();
          assertThat(guard.finish(TurnOutcome.COMPLETED)).isEqualTo(CloseReport.NOT_ASKED);
        }
      }
    }
    assertThat(router.stats()).isEqualTo(before);
    house.clock.advance(Duration.ofNanos(1));
    try (TurnGuard guard =
        router.begin(
            new TurnIntent(
                "q",
                id("s").tenant(),
                Optional.of(control("s", Action.CONTINUE)),
                Optional.empty(),
                true))) {
      assertThat(guard.incarnation()).isEmpty();
    }
    assertThat(router.stats()).as("expired, but not ended by a query").isEqualTo(before);
  }

  @Test
  void race22_rankZero_isARank() throws InterruptedException {
    WorkerId two = new WorkerId("two-ranks");
    router.removeRank(A);
    router.removeRank(B);
    router.addRank(new WorkerRank(two, 0), House.CAPACITY);
    router.addRank(new WorkerRank(two, 1), House.CAPACITY);
    TurnGuard guard = router.begin(house.pinned(control("s", Action.OPEN), new WorkerRank(two, 0)));
    assertThat(dispatch(guard).target().rank()).isZero();
    guard.finish(TurnOutcome.COMPLETED);
    for (int i = 0; i < 5; i++) {
      assertThat(house.turn("s", Action.CONTINUE).target()).isEqualTo(new WorkerRank(two, 0));
    }
  }

  @Test
  void race24_cancelBetweenOpenAndDispatch_closesTheEngineSession() throws InterruptedException {
    try (TurnGuard guard = house.begin("s", Action.OPEN)) {
      guard.select(prompt(100));
      guard.open();
      assertThat(house.engines.open).hasSize(1);
    }
    assertThat(house.engines.open).isEmpty();
    assertThat(router.binding(id("s"))).isEmpty();
  }

  private int booked() {
    return router.stats().ranks().stream().mapToInt(RouterStats.RankStats::requests).sum();
  }

  private WorkerRank openTree() throws InterruptedException {
    SessionControl open =
        SessionControl.builder(id("s"), Action.OPEN)
            .timeout(TIMEOUT)
            .kind(SessionKind.REGULAR)
            .build();
    try (TurnGuard guard = router.begin(house.intent(open))) {
      Selection selection = dispatch(guard);
      guard.finish(TurnOutcome.COMPLETED);
      return selection.target();
    }
  }

  @Test
  void turnsOfATree_whoseNameIsAConversationByThen_runOneAfterTheOther() throws Exception {
    openTree();
    TurnGuard running = house.begin("s", Action.CONTINUE);
    House.Later closing = house.beginLater(house.intent(control("s", Action.CLOSE)));
    House.Later opening = house.beginLater(house.intent(control("s", Action.OPEN)));
    House.Later second = house.beginLater(house.intent(control("s", Action.CONTINUE)));
    House.Later third = house.beginLater(house.intent(control("s", Action.CONTINUE)));
    running.finish(TurnOutcome.COMPLETED);
    closing.guard().join().finish(TurnOutcome.COMPLETED);
    try (TurnGuard guard = opening.guard().join()) {
      dispatch(guard);
      guard.finish(TurnOutcome.COMPLETED);
    }
    TurnGuard one = (TurnGuard) CompletableFuture.anyOf(second.guard(), third.guard()).join();
    House.await(() -> router.stats().waiting() == 1);
    assertThat(router.binding(id("s")).orElseThrow().running()).hasSize(1);
    one.close();
    second.guard().join().close();
    third.guard().join().close();
  }

  @Test
  void turnsOfATree_whoseRankIsGone_openItsNewLifeAlone() throws Exception {
    router.removeRank(openTree());
    TurnIntent intent = house.intent(control("s", Action.CONTINUE));
    try (TurnGuard one = router.begin(intent);
        TurnGuard two = house.begin("s", Action.CONTINUE)) {
      for (TurnGuard guard : List.of(one, two)) {
        assertThat(guard.select(prompt(100)).affinity()).isEqualTo(Affinity.BROKEN);
        assertThat(guard.hasToBeginAlone()).isTrue();
      }
    }
    House.Later later;
    Optional<Incarnation> life;
    try (TurnGuard alone = router.beginAlone(intent)) {
      alone.select(prompt(100));
      assertThat(alone.hasToBeginAlone()).isFalse();
      later = house.beginLater(house.intent(control("s", Action.CONTINUE)));
      alone.open();
      alone.accepted();
      alone.finish(TurnOutcome.COMPLETED);
      life = router.binding(id("s")).map(BindingView::incarnation);
    }
    try (TurnGuard next = later.guard().join()) {
      Selection selection = next.select(prompt(100));
      assertThat(selection.affinity()).isEqualTo(Affinity.HIT);
      assertThat(selection.incarnation()).isEqualTo(life);
    }
  }

  /** A close that was promised came behind turns that came later, and could be refused. */
  @Test
  void promisedClose_keepsItsPlace_beforeAnOpenThatComesLater() throws Exception {
    TurnGuard first = house.begin("s", Action.OPEN);
    House.dispatch(first);
    ComingClose close = router.promiseClose(id("s"), OnClose.FREE).orElseThrow();
    assertThat(close.isNext()).isFalse();
    House.Later later = house.beginLater(house.intent(control("s", Action.OPEN)));
    ComingClose second = router.promiseClose(id("s"), OnClose.FREE).orElseThrow();
    var life = first.incarnation();
    first.finish(TurnOutcome.COMPLETED);
    assertThat(close.run().existed()).isTrue();
    try (TurnGuard opened = later.guard().get()) {
      House.dispatch(opened);
      assertThat(opened.incarnation()).isPresent().isNotEqualTo(life);
      assertThat(router.isClosing(id("s"))).as("the second close is still to come").isTrue();
      opened.finish(TurnOutcome.COMPLETED);
    }
    assertThat(second.run().existed()).isTrue();
    assertThat(router.isClosing(id("s"))).isFalse();
    assertThat(router.binding(id("s"))).isEmpty();
    house.assertNothingHeld();
  }
}
