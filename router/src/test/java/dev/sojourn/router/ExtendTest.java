package dev.sojourn.router;

import static dev.sojourn.router.House.TIMEOUT;
import static dev.sojourn.router.House.dispatch;
import static dev.sojourn.router.House.id;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sojourn.core.Fault;
import dev.sojourn.core.FaultException;
import dev.sojourn.core.SessionControl;
import dev.sojourn.core.SessionControl.Action;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.router.ScriptedEngines.Life;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Sessions that may idle for longer, or less long, until their next turn. */
class ExtendTest {

  private static final Duration HOUR = Duration.ofHours(1);

  private final House house = new House();
  private final Router router = house.router;

  @AfterEach
  void nothingIsHeld() {
    house.assertNothingHeld();
    house.close();
  }

  private BindingView binding() {
    return router.binding(id("s")).orElseThrow();
  }

  @Test
  void extend_whileIdle_countsFromNow_andTellsTheEngineMore() throws InterruptedException {
    house.turn("s", Action.OPEN);
    house.advance(TIMEOUT.minusSeconds(1));
    BindingView extended = router.extend(id("s"), HOUR).orElseThrow();
    assertThat(extended.remaining()).contains(HOUR);
    assertThat(house.engines.extended)
        .containsExactly(
            java.util.Map.entry(
                new Life(extended.target().orElseThrow(), id("s"), extended.incarnation()),
                HOUR.plusSeconds(30)));
    house.advance(HOUR.minusNanos(1));
    assertThat(router.binding(id("s"))).isPresent();
    house.advance(Duration.ofNanos(1));
    assertThat(router.binding(id("s"))).isEmpty();
    assertThat(house.engines.open).isEmpty();
  }

  @Test
  void extend_toLess_endsSooner_andTheDeadlineIsKnown() throws InterruptedException {
    house.turn("s", Action.OPEN);
    router.extend(id("s"), Duration.ofSeconds(5));
    assertThat(router.nextDeadlineNanos()).hasValue(Duration.ofSeconds(5).toNanos());
    house.advance(Duration.ofSeconds(5));
    assertThat(router.binding(id("s"))).isEmpty();
    assertThat(house.engines.open).isEmpty();
  }

  @Test
  void extend_lastsUntilTheNextTurn_thenTheTimeoutCountsAgain() throws InterruptedException {
    house.turn("s", Action.OPEN);
    router.extend(id("s"), HOUR);
    house.advance(TIMEOUT.multipliedBy(2));
    house.turn("s", Action.CONTINUE);
    assertThat(binding().remaining()).contains(TIMEOUT);
    house.advance(TIMEOUT);
    assertThat(router.binding(id("s"))).isEmpty();
  }

  @Test
  void extend_twiceAtOneMoment_isTheSame() throws InterruptedException {
    house.turn("s", Action.OPEN);
    assertThat(router.extend(id("s"), HOUR)).isEqualTo(router.extend(id("s"), HOUR)).isPresent();
  }

  /** A generation longer than the timeout, as in Dynamo #11750, here of a session extended. */
  @Test
  void race07_leaseExtended_countsFromTheTurnsEndAtLeast() throws InterruptedException {
    try (TurnGuard guard = house.begin("s", Action.OPEN)) {
      dispatch(guard);
      assertThat(router.extend(id("s"), HOUR).orElseThrow().remaining()).isEmpty();
      house.advance(HOUR.multipliedBy(2));
      guard.finish(TurnOutcome.COMPLETED);
    }
    assertThat(binding().remaining()).contains(HOUR);
    house.advance(HOUR.minusNanos(1));
    assertThat(router.binding(id("s"))).isPresent();
    house.advance(Duration.ofNanos(1));
    assertThat(router.binding(id("s"))).isEmpty();
  }

  /** Its engine hears of it while it is idle, and when the turn ends there begins the timeout. */
  @Test
  void extend_whileATurnIsOnItsWay_isToldAgainWhenThatHasEnded() throws InterruptedException {
    house.turn("s", Action.OPEN);
    List<Duration> told = new ArrayList<>();
    try (TurnGuard guard = house.begin("s", Action.CONTINUE)) {
      router.extend(id("s"), HOUR);
      told.addAll(house.engines.extended.values());
      house.engines.extended.clear();
      dispatch(guard);
      guard.finish(TurnOutcome.COMPLETED);
    }
    told.addAll(house.engines.extended.values());
    assertThat(told).containsExactly(HOUR.plusSeconds(30), HOUR.plusSeconds(30));
    house.engines.extended.clear();
    house.turn("s", Action.CONTINUE);
    assertThat(house.engines.extended).as("after a turn without").isEmpty();
  }

  @Test
  void extend_whileATurnTakesTheSessionElsewhere_isToldThere() throws InterruptedException {
    WorkerRank home = house.turn("s", Action.OPEN).target();
    try (TurnGuard guard = house.begin("s", Action.CONTINUE)) {
      router.extend(id("s"), HOUR);
      router.drainWorker(home.worker());
      dispatch(guard);
      guard.finish(TurnOutcome.COMPLETED);
    }
    WorkerRank away = binding().target().orElseThrow();
    assertThat(away).isNotEqualTo(home);
    assertThat(house.engines.extended)
        .containsEntry(new Life(away, id("s"), binding().incarnation()), HOUR.plusSeconds(30));
  }

  @Test
  void extend_unknownExpiredOrOpening_changesNothing() throws InterruptedException {
    assertThat(router.extend(id("s"), HOUR)).isEmpty();
    house.turn("s", Action.OPEN);
    house.clock.advance(TIMEOUT);
    assertThat(router.extend(id("s"), HOUR)).as("expired, if nobody looked").isEmpty();
    house.advance(Duration.ZERO);
    try (TurnGuard _ = house.begin("s", Action.OPEN)) {
      assertThatThrownBy(() -> router.extend(id("s"), HOUR))
          .isInstanceOfSatisfying(
              FaultException.class,
              e ->
                  assertThat(e.fault())
                      .isInstanceOfSatisfying(
                          Fault.Conflict.class,
                          fault -> assertThat(fault.code()).isEqualTo("session_opening")));
    }
    assertThat(house.engines.extended).isEmpty();
  }

  @Test
  void extend_beyondWhatATimeoutMayBe_isRefused() throws InterruptedException {
    house.turn("s", Action.OPEN);
    for (Duration idle :
        new Duration[] {Duration.ofMillis(999), SessionControl.MAX_TIMEOUT.plusSeconds(1)}) {
      assertThatThrownBy(() -> router.extend(id("s"), idle))
          .isInstanceOf(IllegalArgumentException.class);
    }
    router.extend(id("s"), SessionControl.MAX_TIMEOUT);
    assertThat(binding().remaining()).contains(SessionControl.MAX_TIMEOUT);
  }

  @Test
  void extend_boundByAffinityAlone_asksNoEngine() throws InterruptedException {
    house.turn("s", Action.BIND);
    assertThat(router.extend(id("s"), HOUR)).isPresent();
    assertThat(house.engines.extended).isEmpty();
  }

  @Test
  void extend_engineHasLostTheSession_bindingIsExtendedAllTheSame() throws InterruptedException {
    house.turn("s", Action.OPEN);
    house.engines.open.clear();
    assertThat(router.extend(id("s"), HOUR).orElseThrow().remaining()).contains(HOUR);
  }
}
