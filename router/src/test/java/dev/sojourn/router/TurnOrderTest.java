package dev.sojourn.router;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sojourn.core.SessionId;
import dev.sojourn.core.Tenant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
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
  private CompletableFuture<TurnOrder.Place> enter(boolean shared) {
    int before = order.turns(ID);
    CompletableFuture<TurnOrder.Place> entered = new CompletableFuture<>();
    threads.execute(() -> {
      try {
        entered.complete(order.enter(ID, true, shared));
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
    TurnOrder.Place one = enter(true).join();
    TurnOrder.Place two = enter(true).join();
    CompletableFuture<TurnOrder.Place> close = enter(false);
    CompletableFuture<TurnOrder.Place> three = enter(true);
    CompletableFuture<TurnOrder.Place> four = enter(true);
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
    TurnOrder.Place first = enter(false).join();
    CompletableFuture<TurnOrder.Place> second = enter(true);
    CompletableFuture<TurnOrder.Place> third = enter(true);
    assertThat(second).isNotDone();
    first.leave();
    TurnOrder.Place running = second.join();
    third.join().leave();
    assertThat(enter(true)).succeedsWithin(java.time.Duration.ofSeconds(30));
    running.leave();
  }

  @Test
  void oneThatMayNotWait_runsBesideSharedOnes_andIsRefusedBehindOthers() throws Exception {
    TurnOrder.Place first = enter(true).join();
    TurnOrder.Place second = order.enter(ID, false, true);
    assertThatThrownBy(() -> order.enter(ID, false, false)).hasMessageContaining("runs another");
    first.leave();
    second.leave();
    TurnOrder.Place alone = order.enter(ID, false, false);
    assertThatThrownBy(() -> order.enter(ID, false, true)).hasMessageContaining("runs another");
    alone.leave();
  }

  @Test
  void sharedTurns_areBoundedToo() throws Exception {
    for (int i = 0; i < 5; i++) {
      var _ = order.enter(ID, true, true);
    }
    assertThatThrownBy(() -> order.enter(ID, true, true)).hasMessageContaining("running, the most");
  }

  /** A close of a tree with many turns has to come to its turn. */
  @Test
  void turnsThatRun_takeNoPlaceOfThoseThatWait() throws Exception {
    List<TurnOrder.Place> running = new ArrayList<>();
    for (int i = 0; i < 5; i++) {
      running.add(order.enter(ID, true, true));
    }
    CompletableFuture<TurnOrder.Place> close = enter(false);
    for (int i = 1; i < 4; i++) {
      var _ = enter(true);
    }
    assertThat(close).isNotDone();
    assertThatThrownBy(() -> order.enter(ID, true, false))
        .hasMessageContaining("4 turns waiting, the most");
    running.forEach(TurnOrder.Place::leave);
    close.join().leave();
  }
}
