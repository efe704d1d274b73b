package dev.sojourn.router;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sojourn.core.SessionId;
import dev.sojourn.core.Tenant;
import dev.sojourn.router.TurnOrder.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The line of a session's turns, with turns that run side by side. */
@Timeout(60)
class TurnOrderTest {

  private static final SessionId ID = new SessionId(Tenant.DEFAULT, "s");

  private final TurnOrder order = new TurnOrder(4, 8);
  private final java.util.concurrent.ExecutorService threads =
      Executors.newVirtualThreadPerTaskExecutor();

  @AfterEach
  void end() {
    order.close();
    threads.shutdownNow();
  }

  /** Enters on a thread of its own, and returns once it is in the line. */
  private CompletableFuture<TurnOrder.Place> enter(Kind kind) {
    int before = order.turns(ID);
    CompletableFuture<TurnOrder.Place> entered = new CompletableFuture<>();
    threads.execute(() -> {
      try {
        entered.complete(order.enter(ID, true, kind));
      } catch (Exception e) {
        entered.completeExceptionally(e);
      }
    });
    while (order.turns(ID) == before && !entered.isDone()) {
      Thread.onSpinWait();
    }
    return entered;
  }

  @Test
  void sharedTurns_runTogether_andInOrderWithTheOthers() {
    TurnOrder.Place one = enter(Kind.SHARED).join();
    TurnOrder.Place two = enter(Kind.SHARED).join();
    CompletableFuture<TurnOrder.Place> close = enter(Kind.ALONE);
    CompletableFuture<TurnOrder.Place> three = enter(Kind.SHARED);
    CompletableFuture<TurnOrder.Place> four = enter(Kind.SHARED);
    assertThat(order.turns(ID)).isEqualTo(5);
    one.leave();
    assertThat(close).isNotDone();
    two.leave();
    TurnOrder.Place closing = close.join();
    assertThat(three).isNotDone();
    assertThat(four).isNotDone();
    closing.leave();
    three.join().leave();
    four.join().leave();
    assertThat(order.turns(ID)).isZero();
  }

  @Test
  void sharedTurn_behindAnExclusiveOne_waits() {
    TurnOrder.Place first = enter(Kind.ALONE).join();
    CompletableFuture<TurnOrder.Place> second = enter(Kind.SHARED);
    CompletableFuture<TurnOrder.Place> third = enter(Kind.SHARED);
    assertThat(second).isNotDone();
    first.leave();
    TurnOrder.Place running = second.join();
    third.join().leave();
    assertThat(enter(Kind.SHARED)).succeedsWithin(java.time.Duration.ofSeconds(30));
    running.leave();
  }

  @Test
  void oneThatMayNotWait_runsBesideSharedOnes_andIsRefusedBehindOthers() throws Exception {
    TurnOrder.Place first = enter(Kind.SHARED).join();
    TurnOrder.Place second = order.enter(ID, false, Kind.SHARED);
    assertThatThrownBy(() -> order.enter(ID, false, Kind.ALONE))
        .hasMessageContaining("runs another");
    first.leave();
    second.leave();
    TurnOrder.Place alone = order.enter(ID, false, Kind.ALONE);
    assertThatThrownBy(() -> order.enter(ID, false, Kind.SHARED))
        .hasMessageContaining("runs another");
    alone.leave();
  }

  @Test
  void sharedTurns_areBoundedToo() throws Exception {
    for (int i = 0; i < 5; i++) {
      var _ = order.enter(ID, true, Kind.SHARED);
    }
    assertThatThrownBy(() -> order.enter(ID, true, Kind.SHARED))
        .hasMessageContaining("running, the most");
  }

  /** A close of a tree with many turns has to come to its turn. */
  @Test
  void turnsThatRun_takeNoPlaceOfThoseThatWait() throws Exception {
    List<TurnOrder.Place> running = new ArrayList<>();
    for (int i = 0; i < 5; i++) {
      running.add(order.enter(ID, true, Kind.SHARED));
    }
    CompletableFuture<TurnOrder.Place> close = enter(Kind.ALONE);
    for (int i = 1; i < 4; i++) {
      var _ = enter(Kind.SHARED);
    }
    assertThat(close).isNotDone();
    assertThatThrownBy(() -> order.enter(ID, true, Kind.ALONE))
        .hasMessageContaining("4 turns waiting, the most");
    running.forEach(TurnOrder.Place::leave);
    close.join().leave();
  }

  /** A session that many turns wait for could not be closed. */
  @Test
  void closes_haveAPlace_howeverManyTurnsWait() {
    TurnOrder.Place running = enter(Kind.ALONE).join();
    List<CompletableFuture<TurnOrder.Place>> waiting = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      waiting.add(enter(Kind.ALONE));
    }
    assertThatThrownBy(() -> order.enter(ID, true, Kind.ALONE))
        .hasMessageContaining("4 turns waiting, the most");
    for (int i = 0; i < 5; i++) {
      waiting.add(enter(Kind.CLOSE));
    }
    assertThatThrownBy(() -> order.enter(ID, true, Kind.CLOSE))
        .hasMessageContaining("4 closes waiting, the most");
    TurnOrder.Place promised = order.promise(ID).orElseThrow();
    assertThat(promised.hasTurn()).isFalse();
    running.leave();
    waiting.forEach(place -> place.join().leave());
    assertThat(promised.hasTurn()).isTrue();
    promised.leave();
    assertThat(order.turns(ID)).isZero();
  }

  @Test
  void closes_haveAPlace_whereTheMostTurnsWaitInAll_andTakeNoneOfTheirs() throws Exception {
    List<TurnOrder.Place> running = new ArrayList<>();
    List<Future<Boolean>> waiting = new ArrayList<>();
    SessionId closed = new SessionId(Tenant.DEFAULT, "closed");
    running.add(order.enter(closed, true, Kind.ALONE));
    waiting.add(threads.submit(() -> leave(closed, Kind.CLOSE)));
    House.await(() -> order.waiting() == 1);
    for (int session = 0; session < 8; session++) {
      SessionId id = new SessionId(Tenant.DEFAULT, "s" + session);
      running.add(order.enter(id, true, Kind.ALONE));
      waiting.add(threads.submit(() -> leave(id, Kind.ALONE)));
    }
    House.await(() -> order.waiting() == 9);
    SessionId last = new SessionId(Tenant.DEFAULT, "s8");
    running.add(order.enter(last, true, Kind.ALONE));
    assertThatThrownBy(() -> order.enter(last, true, Kind.ALONE))
        .hasMessageContaining("no more than 8 turns");
    assertThatThrownBy(() -> order.enter(last, true, Kind.LAST))
        .hasMessageContaining("no more than 8 turns");
    Future<Boolean> close = threads.submit(() -> leave(last, Kind.CLOSE));
    House.await(() -> order.turns(last) == 2);
    assertThat(order.promise(last).orElseThrow().hasTurn()).isFalse();
    assertThat(order.turns(last)).isEqualTo(3);
    waiting.add(close);
    running.forEach(TurnOrder.Place::leave);
    for (Future<Boolean> turn : waiting) {
      assertThat(turn.get()).isTrue();
    }
  }

  private boolean leave(SessionId id, Kind kind) {
    try {
      order.enter(id, true, kind).leave();
      return true;
    } catch (InterruptedException e) {
      return false;
    }
  }

  @Test
  void promisedCloses_inARow_areOne_unlessATurnComesBetween() throws Exception {
    TurnOrder.Place running = order.enter(ID, true, Kind.ALONE);
    assertThat(order.ends(ID)).isFalse();
    TurnOrder.Place first = order.promise(ID).orElseThrow();
    assertThat(order.promise(ID)).isEmpty();
    CompletableFuture<TurnOrder.Place> between = enter(Kind.ALONE);
    TurnOrder.Place second = order.promise(ID).orElseThrow();
    running.leave();
    first.await();
    first.leave();
    assertThat(order.ends(ID)).isTrue();
    between.join().leave();
    second.await();
    second.leave();
    assertThat(order.turns(ID) + order.waiting()).isZero();
  }
}
