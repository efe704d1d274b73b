package dev.sojourn.router;

import static dev.sojourn.router.House.id;
import static dev.sojourn.router.House.prompt;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.core.SessionControl.Action;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.router.Selection.Affinity;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Titles and summaries under a session's name: they take from it, and leave it as it is. */
class SideRequestTest {

  private final House house = new House();
  private final Router router = house.router;

  @AfterEach
  void nothingIsHeld() {
    house.assertNothingHeld();
    house.close();
  }

  /** Runs a side request under a session's name. */
  private Selection aside(String name, Action action) throws InterruptedException {
    try (TurnGuard guard = house.begin(name, action)) {
      Selection selection = guard.select(prompt(100), true);
      assertThat(guard.opens()).isFalse();
      guard.open();
      guard.accepted();
      guard.finish(TurnOutcome.COMPLETED);
      return selection;
    }
  }

  @Test
  void aside_rankThere_runsInItsSession() throws InterruptedException {
    Selection opened = house.turn("s", Action.OPEN);
    Selection aside = aside("s", Action.CONTINUE);
    assertThat(aside.affinity()).isEqualTo(Affinity.HIT);
    assertThat(aside.target()).isEqualTo(opened.target());
    assertThat(aside.incarnation()).isEqualTo(opened.incarnation());
  }

  @Test
  void aside_rankGone_runsElsewhereAndTheBindingStays() throws InterruptedException {
    WorkerRank home = house.turn("s", Action.OPEN).target();
    house.engines.crash(home.worker());
    router.removeRank(home);
    BindingView before = router.binding(id("s")).orElseThrow();
    Selection aside = aside("s", Action.CONTINUE);
    assertThat(aside.affinity()).isEqualTo(Affinity.NONE);
    assertThat(aside.why()).contains("side request");
    assertThat(aside.incarnation()).isEmpty();
    assertThat(router.binding(id("s"))).contains(before);
    assertThat(house.engines.open).isEmpty();
    assertThat(router.stats().broken()).isZero();
    assertThat(house.turn("s", Action.CONTINUE).affinity()).isEqualTo(Affinity.BROKEN);
  }

  @Test
  void aside_rankDraining_runsElsewhereAndTheSessionStaysOpen() throws InterruptedException {
    WorkerRank home = house.turn("s", Action.OPEN).target();
    router.drainWorker(home.worker());
    Selection aside = aside("s", Action.CONTINUE);
    assertThat(aside.target()).isNotEqualTo(home);
    assertThat(aside.incarnation()).isEmpty();
    assertThat(house.engines.closeCalls).isEmpty();
    assertThat(house.turn("s", Action.CONTINUE).affinity()).isEqualTo(Affinity.MOVED);
  }

  @Test
  void aside_workerLostTheSession_runsWithoutIt_andTheNextTurnReopens()
      throws InterruptedException {
    WorkerRank home = house.turn("s", Action.OPEN).target();
    house.engines.crash(home.worker());
    BindingView before = router.binding(id("s")).orElseThrow();
    try (TurnGuard guard = house.begin("s", Action.CONTINUE)) {
      guard.select(prompt(100), true);
      Selection after = guard.lost();
      assertThat(after.target()).isEqualTo(home);
      assertThat(after.incarnation()).isEmpty();
      guard.open();
      guard.accepted();
      guard.finish(TurnOutcome.COMPLETED);
    }
    assertThat(house.engines.open).isEmpty();
    assertThat(router.binding(id("s"))).contains(before);
    try (TurnGuard guard = house.begin("s", Action.CONTINUE)) {
      guard.select(prompt(100));
      guard.lost();
      guard.open();
      guard.accepted();
      guard.finish(TurnOutcome.COMPLETED);
    }
    assertThat(house.engines.open).hasSize(1);
    assertThat(router.stats().lifecycle().lost()).isEqualTo(1);
  }

  @Test
  void aside_ofANameThatIsNotOpen_opensNothing() throws InterruptedException {
    Selection aside = aside("s", Action.OPEN);
    assertThat(aside.incarnation()).isEmpty();
    assertThat(router.binding(id("s"))).isEmpty();
    assertThat(house.engines.opened).isEmpty();
  }

  @Test
  void aside_thatIsTheLastTurn_closesWhatIsThere() throws InterruptedException {
    house.turn("s", Action.OPEN);
    aside("s", Action.CLOSE);
    assertThat(house.engines.open).isEmpty();
    assertThat(router.binding(id("s"))).isEmpty();
  }
}
