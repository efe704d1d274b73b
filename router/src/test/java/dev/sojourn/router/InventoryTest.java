package dev.sojourn.router;

import static dev.sojourn.router.House.A;
import static dev.sojourn.router.House.B;
import static dev.sojourn.router.House.TIMEOUT;
import static dev.sojourn.router.House.control;
import static dev.sojourn.router.House.dispatch;
import static dev.sojourn.router.House.id;
import static dev.sojourn.router.House.prompt;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.core.Incarnation;
import dev.sojourn.core.SessionControl.Action;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionControl.WhileBusy;
import dev.sojourn.core.SessionSettings;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.router.ScriptedEngines.Life;
import dev.sojourn.router.Selection.Affinity;
import dev.sojourn.router.affinity.AffinityStore;
import dev.sojourn.router.affinity.MemoryAffinityStore;
import java.time.Duration;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Routers that start anew, and engine sessions that nobody binds. */
class InventoryTest {

  private static final Duration LOOK = RouterConfig.defaults().reconcileEvery();

  private final House house = new House();

  @AfterEach
  void nothingIsHeld() {
    house.assertNothingHeld();
    house.close();
  }

  /** A router after the one of the house has ended. */
  private Router anew(AffinityStore store) {
    house.router.close();
    Router next =
        new Router(
            RouterConfig.defaults(),
            house.clock,
            new Random(7),
            store,
            house.engines,
            Runnable::run);
    next.addRank(A, House.CAPACITY);
    next.addRank(B, House.CAPACITY);
    return next;
  }

  private Selection turn(Router router, String name) throws InterruptedException {
    try (TurnGuard guard = router.begin(house.intent(control(name, Action.CONTINUE)))) {
      Selection selection = dispatch(guard);
      guard.finish(TurnOutcome.COMPLETED);
      return selection;
    }
  }

  private Life foreign(WorkerRank rank, String name) {
    Life life = new Life(rank, id(name), new Incarnation(name.hashCode()));
    house.engines.open(rank, SessionSettings.of(id(name), life.incarnation()));
    return life;
  }

  /** A frontend that restarts and forgets its bindings, as in Dynamo #10883 and #4904. */
  @Test
  void race11_routerStartsAnewOnTheSameStore_turnsGoOnAndOldLeasesEnd() throws Exception {
    Selection before = house.turn("s", Action.OPEN);
    TurnGuard cut = house.begin("t", Action.OPEN);
    dispatch(cut);
    try (Router next = anew(house.store)) {
      next.tick();
      assertThat(next.check()).isEmpty();
      assertThat(next.binding(id("t")).orElseThrow().running()).isEmpty();
      Selection after = turn(next, "s");
      assertThat(after.affinity()).isEqualTo(Affinity.HIT);
      assertThat(after.target()).isEqualTo(before.target());
      assertThat(after.incarnation()).isEqualTo(before.incarnation());
      cut.close();
      house.clock.advance(TIMEOUT);
      next.tick();
      assertThat(next.bindings(id("s").tenant())).isEmpty();
      assertThat(house.engines.open).isEmpty();
      assertThat(next.check()).isEmpty();
    }
  }

  @Test
  void race11_routerStartsAnewWithoutAStore_learnsBindingsFromTheWorkers() throws Exception {
    Selection before = house.turn("s", Action.OPEN);
    house.clock.advance(Duration.ofSeconds(20));
    try (MemoryAffinityStore empty = new MemoryAffinityStore(house.clock, 10);
        Router next = anew(empty)) {
      next.tick();
      BindingView learnt = next.binding(id("s")).orElseThrow();
      assertThat(learnt.target()).contains(before.target());
      assertThat(before.incarnation()).contains(learnt.incarnation());
      assertThat(learnt.terms().timeout()).isEqualTo(TIMEOUT);
      assertThat(learnt.remaining()).contains(TIMEOUT.minusSeconds(20));
      assertThat(turn(next, "s").affinity()).isEqualTo(Affinity.HIT);
      assertThat(next.stats().lifecycle().learnt()).isEqualTo(1);
      next.close(id("s"), OnClose.FREE, WhileBusy.QUEUE);
      assertThat(house.engines.open).isEmpty();
      assertThat(next.check()).isEmpty();
    }
  }

  @Test
  void race11_engineSessionThatNobodyBinds_isClosedByIncarnation() throws InterruptedException {
    house.advance(LOOK);
    Selection bound = house.turn("s", Action.OPEN);
    WorkerRank other = bound.target().equals(A) ? B : A;
    Life vacant = foreign(A, "nobody's");
    Life older = foreign(other, "s");
    house.advance(LOOK);
    assertThat(house.engines.closeCalls).as("seen once").isEmpty();
    turn(house.router, "s");
    house.advance(LOOK);
    assertThat(house.engines.closeCalls).containsExactlyInAnyOrder(vacant, older);
    assertThat(house.engines.open).hasSize(1);
    assertThat(turn(house.router, "s").incarnation()).isEqualTo(bound.incarnation());
    assertThat(house.router.stats().lifecycle().reaped()).isEqualTo(2);
    assertThat(house.router.check()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"claimExpired", "remove", "repin"})
  void bindingHasEnded_beforeItsSessionIsClosed_isNoOrphan(String ends) throws Exception {
    ScriptedStore store = new ScriptedStore(house.store);
    try (Router router = anew(store.store())) {
      WorkerRank home;
      try (TurnGuard guard = router.begin(house.intent(control("s", Action.OPEN)))) {
        home = dispatch(guard).target();
        guard.finish(TurnOutcome.COMPLETED);
      }
      house.clock.advance(RouterConfig.defaults().engineGrace());
      store.after =
          operation -> {
            if (operation.equals(ends)) {
              router.reconcile();
              router.reconcile();
            }
          };
      switch (ends) {
        case "claimExpired" -> {
          house.clock.advance(TIMEOUT);
          router.tick();
        }
        case "remove" -> router.close(id("s"), OnClose.FREE, WhileBusy.QUEUE);
        default -> {
          router.drainWorker(home.worker());
          turn(router, "s");
        }
      }
      assertThat(house.engines.closeCalls).hasSize(1);
      assertThat(router.stats().lifecycle().reaped()).isZero();
    }
  }

  @Test
  void race11_openInFlight_isNoOrphan() throws InterruptedException {
    Selection home = house.turn("s", Action.OPEN);
    house.router.drainWorker(home.target().worker());
    try (TurnGuard guard = house.begin("s", Action.CONTINUE)) {
      guard.select(prompt(100));
      guard.open();
      for (int i = 0; i < 5; i++) {
        house.advance(LOOK);
      }
      assertThat(house.engines.closeCalls).isEmpty();
      guard.accepted();
      guard.finish(TurnOutcome.COMPLETED);
    }
    assertThat(house.engines.open).hasSize(1);
  }

  @Test
  void race11_closeInFlight_isSentByItsOwnerAlone() throws InterruptedException {
    house.turn("s", Action.OPEN);
    for (int i = 0; i < 12; i++) {
      house.engines.closeFates.add(ScriptedEngines.Fate.LOST);
    }
    house.router.close(id("s"), OnClose.FREE, WhileBusy.QUEUE);
    for (int i = 0; i < 100; i++) {
      house.advance(Duration.ofSeconds(1));
    }
    assertThat(house.router.stats().lifecycle().reaped()).isZero();
    assertThat(house.router.stats().lifecycle().learnt()).isZero();
    assertThat(house.engines.open).isEmpty();
  }

  /** A discovery that has nothing to say for a moment, as in Dynamo #13100. */
  @Test
  void race20_liveSetEmpty_reapsNothing() throws InterruptedException {
    house.advance(LOOK);
    Life life = foreign(A, "nobody's");
    house.router.removeRank(A);
    house.router.removeRank(B);
    for (int i = 0; i < 5; i++) {
      house.advance(LOOK);
    }
    assertThat(house.engines.closeCalls).isEmpty();
    house.router.addRank(A, House.CAPACITY);
    house.advance(LOOK);
    assertThat(house.engines.closeCalls).as("seen once").isEmpty();
    house.advance(LOOK);
    assertThat(house.engines.closeCalls).containsExactly(life);
  }

  /** A router that began meanwhile asks for the list before, and binds after, a client's close. */
  @Test
  void learning_sessionClosedMeanwhile_isNotBoundAgain() throws Exception {
    Selection before = house.turn("s", Action.OPEN);
    Selection other = house.turn("t", Action.OPEN);
    house.router.removeRank(before.target().equals(A) ? B : A); // one list holds both
    try (MemoryAffinityStore empty = new MemoryAffinityStore(house.clock, 10);
        Router next = anew(empty)) {
      Life closed = new Life(before.target(), id("s"), before.incarnation().orElseThrow());
      next.removeRank(before.target().equals(A) ? B : A);
      house.engines.afterSessions = () -> house.engines.open.remove(closed);
      next.tick();
      assertThat(next.binding(id("s"))).isEmpty();
      assertThat(next.check()).isEmpty();
      assertThat(next.stats().lifecycle().lost()).isEqualTo(1);
      assertThat(next.binding(id("t")).isPresent())
          .isEqualTo(other.target().equals(before.target()));
      house.engines.open.clear();
    }
  }

  @Test
  void learning_nameTakenMeanwhile_leavesTheNewcomerAlone() throws Exception {
    Selection before = house.turn("s", Action.OPEN);
    try (MemoryAffinityStore empty = new MemoryAffinityStore(house.clock, 10);
        Router next = anew(empty)) {
      try (TurnGuard guard = next.begin(house.intent(control("s", Action.OPEN)))) {
        dispatch(guard);
        guard.finish(TurnOutcome.COMPLETED);
      }
      next.tick();
      assertThat(next.binding(id("s")).orElseThrow().incarnation())
          .isNotEqualTo(before.incarnation().orElseThrow());
      next.close(id("s"), OnClose.FREE, WhileBusy.QUEUE);
      house.clock.advance(LOOK);
      next.tick();
      house.clock.advance(LOOK);
      next.tick();
      assertThat(house.engines.open).isEmpty();
    }
  }
}
