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
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** A store that is on the network can fail where one in memory cannot. */
class StoreFailureTest {

  private final ManualClock clock = new ManualClock();
  private final ScriptedEngines engines = new ScriptedEngines(clock);
  private final AffinityStore memory = new MemoryAffinityStore(clock, 10);

  /** Operations that fail from now on. */
  private Set<String> failing = Set.of();

  private final AffinityStore store =
      (AffinityStore)
          Proxy.newProxyInstance(
              getClass().getClassLoader(),
              new Class<?>[] {AffinityStore.class},
              (_, operation, arguments) -> {
                if (failing.contains(operation.getName())) {
                  throw new IllegalStateException("the store is down");
                }
                try {
                  return operation.invoke(memory, arguments);
                } catch (InvocationTargetException e) {
                  throw e.getCause();
                }
              });

  @Test
  void storeFailsWhileTheTurnEnds_whatItOpenedIsClosed_andItsPlaceIsFree()
      throws InterruptedException {
    try (Router router =
        new Router(RouterConfig.defaults(), clock, new Random(1), store, engines, Runnable::run)) {
      router.addRank(House.A, House.CAPACITY);
      TurnIntent intent =
          new TurnIntent(
              "r", Tenant.DEFAULT, Optional.of(control("s", Action.OPEN)), Optional.empty(), false);
      TurnGuard guard = router.begin(intent);
      guard.select(prompt(100));
      guard.open();
      failing = Set.of("commit", "remove", "release");
      assertThatThrownBy(guard::accepted).hasMessageContaining("down");
      assertThatThrownBy(guard::close).hasMessageContaining("down");
      assertThat(engines.open).isEmpty();
      assertThat(router.stats().bookingsReleased()).isEqualTo(router.stats().bookings());
      failing = Set.of();
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
