package dev.sojourn.router;

import static dev.sojourn.router.House.A;
import static dev.sojourn.router.House.B;
import static dev.sojourn.router.House.control;
import static dev.sojourn.router.House.prompt;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sojourn.core.FaultException;
import dev.sojourn.core.SessionControl.Action;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.router.ScriptedEngines.Fate;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Turns whose rank cannot be reached when they are sent. */
class UnreachableTest {

  private final House house = new House();
  private final Router router = house.router;

  @AfterEach
  void nothingIsHeld() {
    house.assertNothingHeld();
    house.close();
  }

  /** A worker that cannot be reached between the choice and the dispatch, as in Dynamo 7665. */
  @Test
  void race08_workerUnreachableBetweenSelectAndDispatch_goesElsewhereOnce()
      throws InterruptedException {
    Selection home = house.turn("s", Action.OPEN);
    try (TurnGuard guard = house.begin("s", Action.CONTINUE)) {
      assertThat(guard.select(prompt(100)).target()).isEqualTo(home.target());
      Selection other = guard.unreachable();
      assertThat(other.target()).isNotEqualTo(home.target());
      assertThat(other.affinity()).isEqualTo(Selection.Affinity.BROKEN);
      assertThat(other.incarnation()).isPresent().isNotEqualTo(home.incarnation());
      guard.open();
      house.engines.closeFates.add(Fate.LOST);
      guard.accepted();
      assertThat(router.stats().lifecycle().tombstones()).as("the old life").isEqualTo(1);
      guard.finish(TurnOutcome.COMPLETED);
      assertThat(router.stats().broken()).isEqualTo(1);
      assertThat(router.stats().hits()).as("it went to its session's rank in vain").isZero();
      assertThat(house.turn("s", Action.CONTINUE).target()).isEqualTo(other.target());
      assertThat(router.stats().hits()).isEqualTo(1);
    }
  }

  @Test
  void unreachable_whileOpening_opensElsewhere_andClosesWhatMayBeThere()
      throws InterruptedException {
    List<WorkerRank> tried = new ArrayList<>();
    house.engines.openFates.add(Fate.ANSWER_LOST);
    try (TurnGuard guard = house.begin("s", Action.OPEN)) {
      tried.add(guard.select(prompt(100)).target());
      assertThatThrownBy(guard::open).isInstanceOf(FaultException.class);
      tried.add(guard.unreachable().target());
      guard.open();
      guard.accepted();
      guard.finish(TurnOutcome.COMPLETED);
    }
    assertThat(tried).containsExactlyInAnyOrder(A, B);
    assertThat(house.engines.open)
        .extracting(ScriptedEngines.Life::rank)
        .containsExactly(tried.getLast());
  }

  @Test
  void unreachable_twice_orPinned_orAlone_isUnavailable() throws InterruptedException {
    try (TurnGuard guard = house.begin("s", Action.OPEN)) {
      guard.select(prompt(100));
      guard.unreachable();
      assertThatThrownBy(guard::unreachable).hasMessageContaining("cannot be reached");
    }
    try (TurnGuard guard = router.begin(house.pinned(control("s", Action.OPEN), A))) {
      guard.select(prompt(100));
      assertThatThrownBy(guard::unreachable).hasMessageContaining("cannot be reached");
    }
    router.removeRank(B);
    try (TurnGuard guard = house.begin("s", Action.OPEN)) {
      guard.select(prompt(100));
      assertThatThrownBy(guard::unreachable).hasMessageContaining("no other worker");
    }
  }

  @Test
  void unreachable_sideRequest_runsElsewhereWithoutTheSession() throws InterruptedException {
    Selection home = house.turn("s", Action.OPEN);
    try (TurnGuard guard = house.begin("s", Action.CONTINUE)) {
      guard.select(prompt(100), true);
      Selection other = guard.unreachable();
      assertThat(other.incarnation()).isEmpty();
      guard.open();
      guard.accepted();
    }
    Selection next = house.turn("s", Action.CONTINUE);
    assertThat(next.target()).isEqualTo(home.target());
    assertThat(next.incarnation()).isEqualTo(home.incarnation());
  }
}
