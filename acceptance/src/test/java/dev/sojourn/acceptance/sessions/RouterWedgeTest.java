package dev.sojourn.acceptance.sessions;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.acceptance.sessions.Flight.Asked;
import dev.sojourn.core.SessionControl;
import dev.sojourn.core.SessionControl.Action;
import dev.sojourn.core.SessionControl.Input;
import dev.sojourn.core.TurnMode;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.engine.EngineConfig;
import dev.sojourn.engine.EvictionPolicy;
import dev.sojourn.engine.schedule.SteppedRank;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * SGLang #27024, in which idle sessions pinned the pool and everything else waited for ever,
 * through a router: fifty idle sessions hold more than all ranks' pools together. Everybody is
 * served all the same, and the idle ones still answer as if nothing had been.
 */
class RouterWedgeTest {

  private static final int PAGES = 64; // of each of three ranks
  private static final int SESSIONS = 50;
  private static final int PROMPT = 90; // tokens, so that six pages belong to each session
  private static final int MOST_STEPS = 5000;

  @ParameterizedTest
  @ValueSource(doubles = {0, 0.5, 1})
  void idleSessionsHoldMoreThanAllPools_everythingIsServed_andTheyStillAnswer(double budget)
      throws InterruptedException {
    EngineConfig config =
        new EngineConfig(8, 64, 8, 100, 8, budget, EvictionPolicy.LRU, Duration.ofSeconds(1));
    try (SteppedGateway gateway = new SteppedGateway(PAGES, PAGES * 16, config, 100, 1, 5)) {
      for (int name = 0; name < SESSIONS; name++) {
        run(gateway, List.of(begin(gateway, turn(name, PROMPT), Action.OPEN)));
      }
      long evicted = evicted(gateway);
      assertThat(evicted).as("pages that idle sessions lost to others").isPositive();
      for (int burst = 0; burst < 8; burst++) {
        List<Flight> flights = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
          int tokens = PAGES * 16 * (2 + 2 * i) / 11; // the last takes nearly a whole pool
          flights.add(begin(gateway, plain(100 + burst, tokens, i - 2)));
        }
        run(gateway, flights);
      }
      for (int turn = 0; turn < 3; turn++) {
        List<Flight> flights = new ArrayList<>();
        for (int name = SESSIONS; name < SESSIONS + 10; name++) {
          Action action = turn == 0 ? Action.OPEN : Action.CONTINUE;
          flights.add(begin(gateway, turn(name, 40), action));
        }
        run(gateway, flights);
      }
      assertThat(evicted(gateway)).isGreaterThan(evicted);
      for (int name = 0; name < SESSIONS; name++) {
        Flight flight = begin(gateway, turn(name, 5), Action.CONTINUE);
        run(gateway, List.of(flight));
        assertThat(requireNonNull(flight.answer).start().mode()).isEqualTo(TurnMode.APPEND);
        assertThat(flight.prompt).hasSizeGreaterThan(PROMPT);
      }
      gateway.check();
      for (int name = 0; name < SESSIONS + 10; name++) {
        gateway.router.close(
            SteppedGateway.id(name), SessionControl.OnClose.FREE, SessionControl.WhileBusy.REJECT);
      }
      NineInvariants.seventh(gateway.router, gateway.workers);
    }
  }

  private static Asked turn(int name, int tokens) {
    return new Asked(name, tokens < PROMPT, false, 0, ids(name, tokens), 6, false, 0);
  }

  private static Asked plain(int salt, int tokens, int priority) {
    return new Asked(-1, false, false, 0, ids(salt, tokens), 6, false, priority);
  }

  private static Flight begin(SteppedGateway gateway, Asked asked) throws InterruptedException {
    return gateway
        .begin(asked, gateway.intent(Optional.empty(), Optional.empty(), false))
        .orElseThrow();
  }

  private static Flight begin(SteppedGateway gateway, Asked asked, Action action)
      throws InterruptedException {
    SessionControl control =
        SessionControl.builder(SteppedGateway.id(asked.name()), action)
            .input(asked.delta() ? Input.DELTA : Input.FULL)
            .timeout(Duration.ofHours(1))
            .build();
    return gateway
        .begin(asked, gateway.intent(Optional.of(control), Optional.empty(), false))
        .orElseThrow();
  }

  /** Takes turns to their ends. */
  private static void run(SteppedGateway gateway, List<Flight> flights) {
    for (Flight flight : flights) {
      for (int step = 0; step < 3; step++) {
        gateway.advance(flight);
      }
    }
    int steps = 0;
    while (!gateway.flights.isEmpty()) {
      assertThat(steps++).as("steps without an end").isLessThan(MOST_STEPS);
      for (WorkerRank rank : SteppedWorkers.RANKS) {
        gateway.workers.rank(rank).step();
      }
      List.copyOf(gateway.flights).forEach(gateway::follow);
    }
    assertThat(flights).allSatisfy(flight -> assertThat(flight.accepted).isTrue());
  }

  private static long evicted(SteppedGateway gateway) {
    return SteppedWorkers.RANKS.stream()
        .mapToLong(rank -> gateway.workers.rank(rank).stats().evictedPages())
        .sum();
  }

  private static List<Integer> ids(int salt, int count) {
    return new Random(salt).ints(count, 0, SteppedRank.VOCABULARY).boxed().toList();
  }
}
