package dev.sojourn.router;

import static dev.sojourn.router.House.control;
import static dev.sojourn.router.House.dispatch;
import static dev.sojourn.router.House.fork;
import static dev.sojourn.router.House.id;
import static dev.sojourn.router.House.prompt;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sojourn.core.Fault;
import dev.sojourn.core.FaultException;
import dev.sojourn.core.Incarnation;
import dev.sojourn.core.Parent;
import dev.sojourn.core.SessionControl.Action;
import dev.sojourn.core.SessionSettings;
import dev.sojourn.core.WorkerRank;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Sessions that start with what another has committed. */
class ForkTest {

  private final House house = new House();
  private final Router router = house.router;

  @AfterEach
  void nothingIsHeld() {
    house.assertNothingHeld();
    house.close();
  }

  private Incarnation life(String name) {
    return router.binding(id(name)).orElseThrow().incarnation();
  }

  private WorkerRank openFork(String name, String parent) throws InterruptedException {
    try (TurnGuard guard = router.begin(house.intent(fork(name, parent)))) {
      WorkerRank rank = dispatch(guard).target();
      guard.finish(TurnOutcome.COMPLETED);
      return rank;
    }
  }

  private void assertNoParent(String name, String parent) {
    assertThatThrownBy(() -> router.begin(house.intent(fork(name, parent))))
        .isInstanceOfSatisfying(
            FaultException.class,
            e ->
                assertThat(e.fault())
                    .isInstanceOfSatisfying(
                        Fault.NotFound.class,
                        fault -> assertThat(fault.code()).isEqualTo("parent_not_found")));
    assertThat(router.binding(id(name))).isEmpty();
  }

  @Test
  void fork_goesToTheParentsRank_whateverItsShare_andTellsTheEngine() throws InterruptedException {
    WorkerRank home = house.turn("p", Action.OPEN).target();
    for (int i = 0; i < 6; i++) {
      assertThat(openFork("c" + i, "p")).isEqualTo(home);
    }
    assertThat(house.engines.opened.getLast().parent())
        .contains(new Parent(id("p"), life("p"), true));
    try (TurnGuard guard = router.begin(house.intent(fork("d", "p")))) {
      assertThat(guard.parent()).contains(new Parent(id("p"), life("p"), true));
      guard.select(prompt(100));
      assertThat(guard.open().orElseThrow().committed()).isEqualTo(100);
    }
  }

  @Test
  void headerParent_reachesTheEngineAsAHint() throws InterruptedException {
    house.turn("p", Action.OPEN);
    try (TurnGuard guard = router.begin(house.intent(House.child("c", "p")))) {
      dispatch(guard);
    }
    assertThat(house.engines.opened.getLast().parent())
        .contains(new Parent(id("p"), life("p"), false));
  }

  @Test
  void headerParent_unknown_isNoFault() throws InterruptedException {
    try (TurnGuard guard = router.begin(house.intent(House.child("c", "p")))) {
      assertThat(guard.parent()).isEmpty();
      dispatch(guard);
    }
    assertThat(house.engines.opened.getLast().parent()).isEmpty();
  }

  @Test
  void fork_parentsRankGone_opensElsewhere_forItsTranscriptToBeReplayed()
      throws InterruptedException {
    WorkerRank home = house.turn("p", Action.OPEN).target();
    house.engines.crash(home.worker());
    router.removeRank(home);
    try (TurnGuard guard = router.begin(house.intent(fork("c", "p")))) {
      assertThat(guard.parent()).contains(new Parent(id("p"), life("p"), true));
      guard.select(prompt(100));
      assertThat(guard.open().orElseThrow().committed()).isZero();
    }
    assertThat(house.engines.opened.getLast().parent()).isEmpty();
  }

  @Test
  void fork_parentsRankDraining_opensElsewhere() throws InterruptedException {
    WorkerRank home = house.turn("p", Action.OPEN).target();
    router.drainWorker(home.worker());
    assertThat(openFork("c", "p")).isNotEqualTo(home);
  }

  @Test
  void fork_ofAParentBoundByAffinityAlone_hasNothingToShareInTheEngine()
      throws InterruptedException {
    WorkerRank home = house.turn("p", Action.BIND).target();
    try (TurnGuard guard = router.begin(house.intent(fork("c", "p")))) {
      assertThat(guard.parent()).contains(new Parent(id("p"), life("p"), true));
      assertThat(dispatch(guard).target()).isEqualTo(home);
    }
    assertThat(house.engines.opened.getLast().parent()).isEmpty();
  }

  @Test
  void fork_parentUnknownExpiredOrOpening_isNotFound_andWaitsForNobody()
      throws InterruptedException {
    assertNoParent("c", "p");
    house.turn("p", Action.OPEN);
    house.clock.advance(House.TIMEOUT);
    assertNoParent("c", "p");
    house.advance(House.TIMEOUT);
    try (TurnGuard _ = house.begin("p", Action.OPEN)) {
      assertNoParent("c", "p");
    }
    assertNoParent("p", "p");
  }

  @Test
  void fork_engineLostTheParent_opensWithoutIt() throws InterruptedException {
    house.turn("p", Action.OPEN);
    house.engines.open.clear();
    openFork("c", "p");
    assertThat(house.engines.opened)
        .extracting(SessionSettings::parent)
        .containsOnly(Optional.empty());
    assertThat(router.stats().lifecycle().refused()).isEqualTo(1);
    assertThat(router.binding(id("c"))).isPresent();
  }

  @Test
  void fork_openAgain_sameParentContinues_anotherOrNoneIsAConflict() throws InterruptedException {
    house.turn("p", Action.OPEN);
    house.turn("q", Action.OPEN);
    openFork("c", "p");
    Incarnation life = life("c");
    openFork("c", "p");
    assertThat(life("c")).isEqualTo(life);
    for (var other : List.of(fork("c", "q"), control("c", Action.OPEN))) {
      assertThatThrownBy(() -> router.begin(house.intent(other)))
          .isInstanceOfSatisfying(
              FaultException.class,
              e ->
                  assertThat(e.fault())
                      .isInstanceOfSatisfying(
                          Fault.Conflict.class,
                          fault -> assertThat(fault.observed()).containsEntry("parent", "p")));
    }
  }

  @Test
  void fork_movedLater_isNoForkAgain() throws InterruptedException {
    WorkerRank home = house.turn("p", Action.OPEN).target();
    openFork("c", "p");
    router.drainWorker(home.worker());
    house.turn("c", Action.CONTINUE);
    assertThat(house.engines.opened.getLast().id()).isEqualTo(id("c"));
    assertThat(house.engines.opened.getLast().parent()).isEmpty();
  }

  /** Two opens of one name, as in Dynamo #10883, here of forks. */
  @Test
  void race03_twoForksOfOneNameAtOnce_oneForksAndTheOtherContinues() throws Exception {
    house.turn("p", Action.OPEN);
    TurnGuard first = router.begin(house.intent(fork("c", "p")));
    House.Later second = house.beginLater(house.intent(fork("c", "p")));
    WorkerRank rank = dispatch(first).target();
    first.finish(TurnOutcome.COMPLETED);
    try (TurnGuard guard = second.guard().get()) {
      assertThat(guard.incarnation()).isEqualTo(first.incarnation());
      assertThat(guard.parent()).isEmpty();
      assertThat(dispatch(guard).target()).isEqualTo(rank);
    }
    assertThat(house.engines.opened).as("the parent and one child").hasSize(2);
  }

  /** A question where a turn would go must change nothing. */
  @Test
  void race21_queryWithAParent_forksNothing() throws InterruptedException {
    house.turn("p", Action.OPEN);
    RouterStats before = router.stats();
    TurnIntent query =
        new TurnIntent("q", id("c").tenant(), Optional.of(fork("c", "p")), Optional.empty(), true);
    try (TurnGuard guard = router.begin(query)) {
      guard.select(prompt(100));
    }
    assertThat(router.stats()).isEqualTo(before);
    assertThat(house.engines.opened).hasSize(1);
  }

  /** A cancel between the open and the dispatch, as in Dynamo 7665, here of a fork. */
  @Test
  void race24_forkCancelledAfterTheEngineForked_closesTheChild() throws InterruptedException {
    house.turn("p", Action.OPEN);
    try (TurnGuard guard = router.begin(house.intent(fork("c", "p")))) {
      guard.select(prompt(100));
      guard.open();
      assertThat(house.engines.open).hasSize(2);
    }
    assertThat(house.engines.open).hasSize(1);
    assertThat(router.binding(id("c"))).isEmpty();
    assertThat(router.binding(id("p"))).isPresent();
  }
}
