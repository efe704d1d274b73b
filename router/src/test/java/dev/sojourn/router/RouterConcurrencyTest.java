package dev.sojourn.router;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.core.FaultException;
import dev.sojourn.core.SessionControl.Action;
import dev.sojourn.core.SessionControl.Input;
import dev.sojourn.core.SessionControl.WhileBusy;
import dev.sojourn.router.House.MemoryBound;
import dev.sojourn.router.ScriptedEngines.Fate;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Many threads at once on few sessions: turns of a session never overlap, and nothing is held. */
class RouterConcurrencyTest {

  private static final int THREADS = 8;
  private static final int TURNS = 250;
  private static final List<Action> ACTIONS = List.of(Action.values());

  private final Map<String, AtomicInteger> running = new ConcurrentHashMap<>();

  /** Calls of workers that have not ended. */
  private final AtomicInteger calls = new AtomicInteger();

  @Test
  void manyThreads_fewSessions_failingWorkers_leaveNothingBehind() throws Exception {
    long seed = 20_261_121;
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
        House house =
            new House(new MemoryBound(3), counted(threads), RouterConfig.defaults(), seed)) {
      Random random = new Random(seed);
      for (int i = 0; i < THREADS * TURNS; i++) {
        house.engines.openFates.add(random.nextInt(6) == 0 ? Fate.ANSWER_LOST : Fate.WORKS);
        house.engines.closeFates.add(random.nextInt(3) == 0 ? Fate.LOST : Fate.WORKS);
      }
      List<Future<?>> clients = new ArrayList<>();
      for (int i = 0; i < THREADS; i++) {
        long own = seed + i;
        clients.add(threads.submit(() -> client(house, new Random(own))));
      }
      for (Future<?> client : clients) {
        client.get();
      }
      house.engines.closeFates.clear();
      House.await(() -> {
        house.advance(Duration.ofSeconds(5));
        RouterStats stats = house.router.stats();
        return stats.lifecycle().tombstones() + stats.engineBacked() + stats.routerOnly() == 0;
      });
      House.await(() -> calls.get() == 0);
      house.assertNothingHeld();
      assertThat(house.router.nextDeadlineNanos()).isEmpty();
      assertThat(house.router.stats().hits()).isPositive();
    }
  }

  private Executor counted(Executor threads) {
    return call -> {
      calls.incrementAndGet();
      threads.execute(() -> {
        try {
          call.run();
        } finally {
          calls.decrementAndGet();
        }
      });
    };
  }

  private @Nullable Void client(House house, Random random) throws InterruptedException {
    for (int turn = 0; turn < TURNS; turn++) {
      String name = "s" + random.nextInt(4);
      Action action = ACTIONS.get(random.nextInt(ACTIONS.size()));
      TurnIntent intent =
          new TurnIntent(
              name,
              House.id(name).tenant(),
              Optional.of(
                  House.control(name, action, Input.FULL, WhileBusy.QUEUE, random.nextBoolean())),
              Optional.empty(),
              false);
      try (TurnGuard guard = house.router.begin(intent)) {
        boolean inSession = guard.incarnation().isPresent();
        AtomicInteger count = running.computeIfAbsent(name, _ -> new AtomicInteger());
        assertThat(inSession ? count.incrementAndGet() : 1).as("turns of " + name).isEqualTo(1);
        try {
          House.dispatch(guard);
        } finally {
          if (inSession) {
            count.decrementAndGet();
          }
        }
        house.clock.advance(Duration.ofMillis(random.nextInt(5000)));
        house.router.tick();
      } catch (FaultException e) {
        assertThat(e).hasMessageNotContaining("internal");
      }
    }
    return null;
  }
}
