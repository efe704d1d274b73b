package dev.sojourn.router;

import static dev.sojourn.router.House.control;
import static dev.sojourn.router.House.id;
import static dev.sojourn.router.House.prompt;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sojourn.core.ManualClock;
import dev.sojourn.core.SessionControl.Action;
import dev.sojourn.core.Tenant;
import dev.sojourn.router.affinity.AffinityStore;
import dev.sojourn.router.affinity.Binding.Opening;
import dev.sojourn.router.affinity.MemoryAffinityStore;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** A store that is on the network can fail where one in memory cannot. */
class StoreFailureTest {

  private final ManualClock clock = new ManualClock();
  private final ScriptedEngines engines = new ScriptedEngines(clock);
  private final AffinityStore memory = new MemoryAffinityStore(clock, 10);

  private final ScriptedStore store = new ScriptedStore(memory);

  private void fail(Set<String> operations) {
    store.before =
        operation -> {
          if (operations.contains(operation)) {
            throw new IllegalStateException("the store is down");
          }
        };
  }

  @Test
  void storeFailsWhileTheTurnEnds_whatItOpenedIsClosed_andItsPlaceIsFree()
      throws InterruptedException {
    try (Router router =
        new Router(
            RouterConfig.defaults(), clock, new Random(1), store.store(), engines, Runnable::run)) {
      router.addRank(House.A, House.CAPACITY);
      TurnIntent intent =
          new TurnIntent(
              "r", Tenant.DEFAULT, Optional.of(control("s", Action.OPEN)), Optional.empty(), false);
      TurnGuard guard = router.begin(intent);
      guard.select(prompt(100));
      guard.open();
      fail(Set.of("commit", "remove", "release"));
      assertThatThrownBy(guard::accepted).hasMessageContaining("down");
      assertThatThrownBy(() -> guard.finish(TurnOutcome.COMPLETED)).hasMessageContaining("down");
      guard.abandon(TurnOutcome.FAILED);
      assertThat(engines.open).isEmpty();
      assertThat(router.stats().bookingsReleased()).isEqualTo(router.stats().bookings());
      fail(Set.of());
      assertThat(memory.peek(id("s")))
          .isInstanceOfSatisfying(
              Opening.class, left -> assertThat(memory.remove(id("s"), left.revision())).isTrue());
      try (TurnGuard next = router.begin(intent)) {
        House.dispatch(next);
        next.finish(TurnOutcome.COMPLETED);
      }
      assertThat(engines.open).hasSize(1);
    }
  }
}
