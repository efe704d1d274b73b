package dev.sojourn.engine.schedule;

import static dev.sojourn.core.BlockHasher.BLOCK;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.core.AgentHints;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionSettings;
import dev.sojourn.core.Tokens;
import dev.sojourn.engine.EngineConfig;
import dev.sojourn.engine.EngineStats;
import dev.sojourn.engine.EvictionPolicy;
import dev.sojourn.engine.RecordedAnswer;
import dev.sojourn.engine.TurnRequest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * SGLang #27024: idle sessions pinned the pool, and everything else waited for ever. Here fifty of
 * them have more than the whole pool would hold; then ordinary traffic and new sessions come.
 */
class WedgeTest {

  private static final int PAGES = 256;
  private static final int CHUNK = 128;
  private static final int IDLE = 50;
  private static final int PLAIN = 40;
  private static final int NEW = 10;

  /** A session and what it must have committed. */
  private static final class Agent {
    final SessionSettings settings;
    Tokens committed = Tokens.EMPTY;

    Agent(SessionSettings settings) {
      this.settings = settings;
    }
  }

  /** A turn that was submitted. */
  private record Asked(TurnRequest request, RecordedAnswer answer) {}

  private final Random random = new Random(27_024);
  private final List<Asked> traffic = new ArrayList<>();
  private int stepsOneAfterTheOther;
  private int steps;

  @ParameterizedTest
  @ValueSource(doubles = {0, 0.5, 1})
  void fiftyIdleSessionsOverfillThePool_everythingIsServed_andTheyStillAnswer(double budget) {
    EngineConfig config =
        new EngineConfig(8, CHUNK, 100, 100, 64, budget, EvictionPolicy.LRU, Duration.ofMinutes(5));
    Rig rig = new Rig(PAGES, config);
    List<Agent> idle = new ArrayList<>();
    for (int i = 0; i < IDLE; i++) {
      Agent agent = new Agent(rig.open("idle-" + i, i));
      idle.add(agent);
      turn(rig, agent, (6 + random.nextInt(5)) * BLOCK, 16, random.nextInt(3));
      turn(rig, agent, BLOCK, 1 + random.nextInt(BLOCK), random.nextInt(3));
    }
    assertThat(idle.stream().mapToInt(agent -> agent.committed.length()).sum())
        .as("tokens of idle sessions in a pool of %s", PAGES * BLOCK)
        .isGreaterThan(PAGES * BLOCK * 3 / 2);

    List<Agent> fresh = new ArrayList<>();
    steps = 0;
    stepsOneAfterTheOther = 0;
    for (int i = 0; i < PLAIN; i++) {
      // The first takes all that there is.
      int prompt = i == 0 ? PAGES * BLOCK - 32 : 1 + random.nextInt(PAGES * BLOCK - 64);
      ask(rig, rig.stateless(ids(prompt), 1 + random.nextInt(32)), random.nextInt(4) - 1);
      if (i % 4 == 0) {
        Agent agent = new Agent(rig.open("new-" + i, IDLE + i));
        fresh.add(agent);
        for (int turn = 0; turn < 3; turn++) {
          turn(rig, agent, 30 + random.nextInt(100), 10, random.nextInt(4) - 1);
        }
      }
      while (rig.scheduler.stats().waiting() > 8) {
        step(rig);
      }
    }
    while (!traffic.stream().allMatch(asked -> asked.answer().isOver())) {
      step(rig);
    }

    assertThat(fresh).hasSize(NEW);
    traffic.forEach(asked -> Rig.assertSameAsStateless(asked.request(), asked.answer()));
    assertThat(rig.scheduler.stats().evictedPages()).isGreaterThan(PAGES);
    idle.forEach(agent -> turn(rig, agent, 20, 8, 0));
    fresh.forEach(agent -> turn(rig, agent, 20, 8, 0));
    idle.forEach(agent -> close(rig, agent, OnClose.RETAIN));
    fresh.forEach(agent -> close(rig, agent, OnClose.FREE));
    rig.verify();
    EngineStats stats = rig.scheduler.stats();
    assertThat(stats.free() + stats.cached()).isEqualTo(PAGES);
    assertThat(stats.sessions() + stats.running() + stats.waiting()).isZero();
  }

  /** Takes a delta turn to its end, and compares it with a stateless run over the same ids. */
  private void turn(Rig rig, Agent agent, int tokens, int most, int priority) {
    Tokens input = ids(tokens);
    Asked asked = ask(rig, rig.delta(agent.settings, input, most), priority);
    while (!asked.answer().isOver()) {
      step(rig);
    }
    assertThat(asked.answer().end().prompt()).isEqualTo(agent.committed.concat(input));
    Rig.assertSameAsStateless(asked.request(), asked.answer());
    agent.committed = agent.committed.concat(input).concat(asked.answer().end().completion());
    assertThat(rig.view(agent.settings).committed()).isEqualTo(agent.committed.length());
  }

  private static void close(Rig rig, Agent agent, OnClose how) {
    assertThat(rig.close(agent.settings, how).join().existed()).isTrue();
  }

  private Asked ask(Rig rig, TurnRequest plain, int priority) {
    TurnRequest request =
        new TurnRequest(
            plain.requestId(),
            plain.namespace(),
            plain.session(),
            plain.input(),
            plain.maxTokens(),
            plain.sampling(),
            plain.stop(),
            plain.topLogprobs(),
            new AgentHints(priority, OptionalInt.empty(), Optional.empty()));
    Asked asked = new Asked(request, rig.submit(request));
    assertThat(asked.answer().accepted).isTrue();
    traffic.add(asked);
    int context =
        plain.session().map(turn -> rig.scheduler.committed(turn.id()).length()).orElse(0)
            + plain.input().length();
    stepsOneAfterTheOther += (context + CHUNK - 1) / CHUNK + plain.maxTokens();
    return asked;
  }

  /**
   * Steps. The turn that ranks first always gets on, so all take no longer than one after the
   * other; twice that where a retracted one has to begin anew.
   */
  private void step(Rig rig) {
    rig.step();
    steps++;
    assertThat(steps).as("steps").isLessThanOrEqualTo(2 * stepsOneAfterTheOther);
  }

  private Tokens ids(int count) {
    return Tokens.of(random.ints(count, 0, Rig.VOCABULARY).toArray());
  }
}
