package dev.sojourn.router;

import static dev.sojourn.router.House.A;
import static dev.sojourn.router.House.B;
import static dev.sojourn.router.House.control;
import static dev.sojourn.router.House.dispatch;
import static dev.sojourn.router.House.id;
import static dev.sojourn.router.House.prompt;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sojourn.core.FaultException;
import dev.sojourn.core.Incarnation;
import dev.sojourn.core.SessionControl.Action;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionControl.WhileBusy;
import dev.sojourn.router.House.MemoryBound;
import dev.sojourn.router.ScriptedEngines.Life;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Last turns: which of them close their session, and when the next may begin. */
class CloseTest {

  private final BlockingQueue<Runnable> held = new LinkedBlockingQueue<>();
  private boolean holdsCloses;
  private final House house =
      new House(
          new MemoryBound(10),
          call -> {
            if (holdsCloses) {
              held.add(call);
            } else {
              call.run();
            }
          },
          RouterConfig.defaults().withCloseWait(Duration.ofMinutes(1)),
          1);
  private final Router router = house.router;

  @AfterEach
  void nothingIsHeld() {
    house.assertNothingHeld();
    house.close();
  }

  private Incarnation life() {
    return router.binding(id("s")).orElseThrow().incarnation();
  }

  @ParameterizedTest
  @EnumSource(
      value = TurnOutcome.class,
      names = {"REFUSED", "FAILED", "ABORTED"})
  void lastTurn_thatNoWorkerAccepted_closesNothing(TurnOutcome outcome) throws Exception {
    house.turn("s", Action.OPEN);
    Incarnation before = life();
    try (TurnGuard guard = house.begin("s", Action.CLOSE)) {
      guard.select(prompt(100));
      guard.finish(outcome);
    }
    assertThat(life()).isEqualTo(before);
    assertThat(house.engines.closeCalls).isEmpty();
    assertThat(house.turn("s", Action.CLOSE).affinity()).isEqualTo(Selection.Affinity.HIT);
    assertThat(router.binding(id("s"))).isEmpty();
    assertThat(house.engines.open).isEmpty();
  }

  @Test
  void lastTurn_thatFindsNoRank_closesNothing() throws Exception {
    house.turn("s", Action.OPEN);
    router.removeRank(A);
    router.removeRank(B);
    try (TurnGuard guard = house.begin("s", Action.CLOSE)) {
      assertThatThrownBy(() -> guard.select(prompt(100))).isInstanceOf(FaultException.class);
      guard.finish(TurnOutcome.FAILED);
    }
    assertThat(router.binding(id("s"))).isPresent();
    router.addRank(A, House.CAPACITY);
    router.addRank(B, House.CAPACITY);
  }

  @ParameterizedTest
  @EnumSource(TurnOutcome.class)
  void lastTurn_thatAWorkerAccepted_closes_howeverItEnds(TurnOutcome outcome) throws Exception {
    house.turn("s", Action.OPEN);
    try (TurnGuard guard = house.begin("s", Action.CLOSE)) {
      dispatch(guard);
      assertThat(guard.finish(outcome).existed()).isTrue();
    }
    assertThat(router.binding(id("s"))).isEmpty();
    assertThat(house.engines.open).isEmpty();
  }

  /** A tombstone that nobody sends again would stay for good. */
  @Test
  void close_thatDiesOfAnError_isSentAgain() throws Exception {
    house.turn("s", Action.OPEN);
    house.engines.onClose =
        _ -> {
          throw new LinkageError("told to fail");
        };
    assertThatThrownBy(() -> router.close(id("s"), OnClose.FREE, WhileBusy.QUEUE))
        .isInstanceOf(LinkageError.class);
    assertThat(router.stats().lifecycle().tombstones()).isEqualTo(1);
    house.engines.onClose = _ -> {};
    house.advance(RouterConfig.defaults().closeRetryFirst());
    assertThat(router.stats().lifecycle().tombstones()).isZero();
    assertThat(house.engines.open).isEmpty();
  }

  @Test
  void close_thatIsOnItsWay_isNotOvertakenByTheNextOpen() throws Exception {
    house.turn("s", Action.OPEN);
    Life first = house.engines.open.iterator().next();
    holdsCloses = true;
    CompletableFuture<CloseReport> closing = new CompletableFuture<>();
    Thread.ofVirtual()
        .start(() -> {
          try {
            closing.complete(router.close(id("s"), OnClose.RETAIN, WhileBusy.QUEUE));
          } catch (InterruptedException | RuntimeException e) {
            closing.completeExceptionally(e);
          }
        });
    Runnable close = held.take();
    assertThat(router.binding(id("s"))).isEmpty();
    House.Later next = house.beginLater(house.intent(control("s", Action.OPEN)));
    assertThat(house.engines.opened).hasSize(1);
    close.run();
    assertThat(closing.get().existed()).isTrue();
    assertThat(closing.get().tokensFreed()).hasValue(100);
    assertThat(house.engines.closeCalls).containsExactly(first);
    try (TurnGuard guard = next.guard().get()) {
      dispatch(guard);
      guard.finish(TurnOutcome.COMPLETED);
    }
    assertThat(house.engines.open).hasSize(1).doesNotContain(first);
  }
}
