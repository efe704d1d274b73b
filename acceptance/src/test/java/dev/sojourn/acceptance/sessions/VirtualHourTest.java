package dev.sojourn.acceptance.sessions;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.acceptance.sessions.Flight.Asked;
import dev.sojourn.core.SessionControl;
import dev.sojourn.core.SessionControl.Action;
import dev.sojourn.core.SessionControl.Input;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.engine.EngineConfig;
import dev.sojourn.engine.EngineStats;
import dev.sojourn.engine.EvictionPolicy;
import dev.sojourn.engine.schedule.SteppedRank;
import dev.sojourn.router.RouterStats;
import dev.sojourn.router.lifecycle.LifecycleStats;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.RecordComponent;
import java.time.Duration;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.PriorityQueue;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

/**
 * An hour of virtual time with a thousand agents, as they come and go, think and hang up, while
 * workers crash, leave and drain. What happens is drawn from one seed; nothing waits for a clock.
 */
class VirtualHourTest {

  private static final int AGENTS = 1000;
  private static final Duration HOUR = Duration.ofHours(1);
  private static final Duration TIMEOUT = Duration.ofMinutes(5);
  private static final int PAGES = 512;
  private static final int CONTEXT = 2048;

  /** Fields of the statistics that say what is held now. */
  private static final Set<String> HELD =
      Set.of(
          "EngineStats.leased",
          "EngineStats.inUse",
          "EngineStats.sessions",
          "EngineStats.running",
          "EngineStats.waiting",
          "RouterStats.engineBacked",
          "RouterStats.routerOnly",
          "RouterStats.opening",
          "RouterStats.waiting",
          "RouterStats.unbound",
          "RankStats.sessions",
          "RankStats.requests",
          "RankStats.prefillTokens",
          "RankStats.decodeBlocks",
          "LifecycleStats.tombstones");

  /** Those that say what has happened, or how large something is. */
  private static final Set<String> NOT_HELD =
      Set.of(
          "EngineStats.capacity",
          "EngineStats.free",
          "EngineStats.cached",
          "EngineStats.publishedPages",
          "EngineStats.steps",
          "EngineStats.promptTokens",
          "EngineStats.reusedTokens",
          "EngineStats.computedTokens",
          "EngineStats.recomputedTokens",
          "EngineStats.sampledTokens",
          "EngineStats.evictedPages",
          "EngineStats.retractions",
          "EngineStats.modelNanos",
          "EngineStats.modelCpuNanos",
          "EngineStats.engineCpuNanos",
          "RouterStats.leasesTaken",
          "RouterStats.leasesReturned",
          "RouterStats.bookings",
          "RouterStats.bookingsReleased",
          "RouterStats.expired",
          "RouterStats.completed",
          "RouterStats.refused",
          "RouterStats.failed",
          "RouterStats.aborted",
          "RouterStats.hits",
          "RouterStats.moved",
          "RouterStats.broken",
          "RouterStats.homeOverloaded",
          "RouterStats.lifecycle",
          "RouterStats.ranks",
          "RankStats.rank",
          "RankStats.draining",
          "RankStats.residentBlocks",
          "LifecycleStats.opens",
          "LifecycleStats.learnt",
          "LifecycleStats.reaped",
          "LifecycleStats.refused",
          "LifecycleStats.acknowledged",
          "LifecycleStats.abandoned",
          "LifecycleStats.lost",
          "LifecycleStats.retries");

  /** Something that happens at a moment; of those at the same moment, in the order of planning. */
  private record Event(long nanos, long number, Work work) {}

  /** What happens. */
  private interface Work {
    void run() throws InterruptedException;
  }

  /** An agent: a session of its own, and how many turns it will still take. */
  private static final class Agent {
    final int name;
    final Optional<Integer> parent;
    final boolean forks;
    final boolean closes;
    int turns;
    boolean open;

    Agent(int name, Optional<Integer> parent, boolean forks, boolean closes, int turns) {
      this.name = name;
      this.parent = parent;
      this.forks = forks;
      this.closes = closes;
      this.turns = turns;
    }
  }

  private final Random random = new Random(1_000);
  private final PriorityQueue<Event> events =
      new PriorityQueue<>(Comparator.comparingLong(Event::nanos).thenComparingLong(Event::number));
  private final Set<WorkerRank> stepping = new HashSet<>();
  private final Map<Flight, Agent> running = new HashMap<>();
  private final SteppedGateway gateway =
      new SteppedGateway(
          PAGES,
          CONTEXT,
          new EngineConfig(
              32, 256, 1000, 65_536, 64, 0.8, EvictionPolicy.LRU, Duration.ofMinutes(5)),
          65_536,
          100,
          7);
  private long planned;
  private int names;
  private long turns;

  @Test
  void thousandAgents_inAnHourOfFaults_leaveNothingHeld() throws InterruptedException {
    try (gateway) {
      gateway.onEnd(flight -> Optional.ofNullable(running.remove(flight)).ifPresent(this::think));
      for (int i = 0; i < AGENTS; i++) {
        Agent agent = agent(Optional.empty(), 3 + random.nextInt(38));
        in(Duration.ofMillis(random.nextInt(1_800_000)), () -> turn(agent));
      }
      for (int minute = 1; minute <= 60; minute++) {
        int which = minute;
        in(Duration.ofMinutes(minute), () -> gateway.check());
        in(Duration.ofMinutes(minute).plusSeconds(7), () -> fault(which));
      }
      in(Duration.ofSeconds(1), this::tick);
      play(HOUR);
      play(HOUR.plus(TIMEOUT).plusMinutes(3));
      assertThat(gateway.flights).isEmpty();
      gateway.check();
      NineInvariants.seventh(gateway.router, gateway.workers);
      assertNothingHeld();
      assertThat(turns).isGreaterThan(10_000);
      assertThat(gateway.seen)
          .containsKeys("mode FORK", "mode APPEND", "aborted", "lost", "fault PromptTooLong");
      RouterStats stats = gateway.router.stats();
      assertThat(stats.expired()).isPositive();
      assertThat(stats.broken() + stats.moved()).isPositive();
      assertThat(stats.lifecycle().retries()).isPositive();
    }
  }

  private Agent agent(Optional<Integer> parent, int length) {
    return new Agent(names++, parent, random.nextBoolean(), random.nextInt(50) > 0, length);
  }

  /** Lets things happen until a moment. */
  private void play(Duration until) throws InterruptedException {
    for (Event next = events.peek();
        next != null && next.nanos() <= until.toNanos();
        next = events.peek()) {
      events.remove();
      gateway.clock.advance(Duration.ofNanos(next.nanos() - gateway.clock.nanos()));
      next.work().run();
    }
  }

  private void in(Duration delay, Work work) {
    events.add(new Event(gateway.clock.nanos() + delay.toNanos(), planned++, work));
  }

  /** Ends what is due, and lets engines that have nothing to do look at their sessions. */
  private void tick() {
    gateway.router.tick();
    SteppedWorkers.RANKS.forEach(this::wake);
    in(Duration.ofSeconds(1), this::tick);
  }

  private void wake(WorkerRank rank) {
    if (stepping.add(rank)) {
      in(Duration.ZERO, () -> step(rank));
    }
  }

  /** Does a step, which takes as long as it has tokens to compute. */
  private void step(WorkerRank rank) {
    long before = stats(rank).computedTokens();
    boolean more = gateway.workers.rank(rank).scheduler().step();
    long computed = Math.max(0, stats(rank).computedTokens() - before);
    for (Flight flight : List.copyOf(gateway.flights)) {
      if (flight.isOn(rank)) {
        gateway.follow(flight);
      }
    }
    if (more) {
      in(Duration.ofNanos(2_000_000 + 100_000 * computed), () -> step(rank));
    } else {
      stepping.remove(rank);
    }
  }

  private EngineStats stats(WorkerRank rank) {
    return gateway.workers.rank(rank).stats();
  }

  /** An agent's turn has ended, or was refused: it thinks, and takes the next. */
  private void think(Agent agent) {
    if (--agent.turns > 0 && gateway.clock.nanos() < HOUR.toNanos()) {
      long millis = (long) (5_000 - 20_000 * Math.log(1 - random.nextDouble()));
      in(Duration.ofMillis(Math.min(millis, 120_000)), () -> turn(agent));
    }
  }

  private void turn(Agent agent) throws InterruptedException {
    turns++;
    boolean last = agent.closes && agent.turns == 1;
    boolean overlong = random.nextInt(100) == 0;
    SessionControl.Builder control =
        SessionControl.builder(SteppedGateway.id(agent.name), action(agent, last)).timeout(TIMEOUT);
    agent
        .parent
        .map(SteppedGateway::id)
        .ifPresent(parent -> {
          if (!agent.open && agent.forks) {
            control.parent(parent.name());
          } else {
            control.near(Optional.of(parent.name()));
          }
        });
    boolean delta = agent.open && random.nextBoolean();
    control.input(delta ? Input.DELTA : Input.FULL);
    List<Integer> fresh =
        random
            .ints(overlong ? CONTEXT : 10 + random.nextInt(50), 0, SteppedRank.VOCABULARY)
            .boxed()
            .toList();
    Asked asked =
        new Asked(
            agent.name, delta, false, 0, fresh, 3 + random.nextInt(18), random.nextBoolean(), 0);
    Optional<Flight> flight =
        gateway.begin(asked, gateway.intent(Optional.of(control.build()), Optional.empty(), false));
    if (flight.isEmpty()) {
      agent.open = false;
      think(agent);
      return;
    }
    agent.open = true;
    running.put(flight.get(), agent);
    while (gateway.flights.contains(flight.get()) && flight.get().answer == null) {
      gateway.advance(flight.get());
    }
    Optional.ofNullable(flight.get().selection).ifPresent(at -> wake(at.target()));
    if (random.nextInt(20) == 0) {
      in(Duration.ofMillis(random.nextInt(300)), () -> hangUp(flight.get()));
    }
    if (agent.parent.isEmpty() && agent.turns % 10 == 5 && random.nextInt(10) < 3) {
      for (int i = random.nextInt(5); i >= 0; i--) {
        Agent child = agent(Optional.of(agent.name), 2 + random.nextInt(6));
        in(Duration.ofSeconds(1 + random.nextInt(20)), () -> turn(child));
      }
    }
  }

  private static Action action(Agent agent, boolean last) {
    if (last && agent.open) {
      return Action.CLOSE;
    }
    return agent.open ? Action.CONTINUE : Action.OPEN;
  }

  private void hangUp(Flight flight) {
    if (gateway.flights.contains(flight)) {
      gateway.abort(flight);
    }
  }

  /** Every ten minutes a worker crashes, leaves or drains; a minute later it is back. */
  private void fault(int minute) {
    WorkerRank rank = SteppedWorkers.RANKS.get(minute / 10 % SteppedWorkers.RANKS.size());
    switch (minute % 10) {
      case 2 -> gateway.crash(rank);
      case 4, 5, 8 -> gateway.leaveOrJoin(rank); // away, back, and away behind a drain
      case 7 -> gateway.router.drainWorker(rank.worker());
      case 9 -> {
        gateway.leaveOrJoin(rank);
        for (int i = 0; i < 20; i++) {
          gateway.workers.closeFates.add(i % 2 == 0 ? Op.Fate.LOST : Op.Fate.ANSWER_LOST);
        }
      }
      default -> gateway.workers.openFates.add(Op.Fate.ANSWER_LOST);
    }
  }

  /**
   * A field that is neither here nor there was added since: it must be put into one of the sets.
   */
  private void assertNothingHeld() {
    RouterStats router = gateway.router.stats();
    SteppedWorkers.RANKS.forEach(rank -> assertNothingHeld(stats(rank)));
    assertNothingHeld(router);
    LifecycleStats lifecycle = router.lifecycle();
    assertNothingHeld(lifecycle);
    router.ranks().forEach(VirtualHourTest::assertNothingHeld);
    assertThat(router.leasesReturned()).isEqualTo(router.leasesTaken());
    assertThat(router.bookingsReleased()).isEqualTo(router.bookings());
  }

  private static void assertNothingHeld(Record stats) {
    for (RecordComponent component : stats.getClass().getRecordComponents()) {
      String name = stats.getClass().getSimpleName() + "." + component.getName();
      assertThat(HELD.contains(name))
          .as("%s is held or not", name)
          .isNotEqualTo(NOT_HELD.contains(name));
      if (HELD.contains(name)) {
        assertThat(((Number) value(stats, component)).longValue()).as(name).isZero();
      }
    }
  }

  private static Object value(Record stats, RecordComponent component) {
    try {
      return component.getAccessor().invoke(stats);
    } catch (IllegalAccessException | InvocationTargetException e) {
      throw new IllegalStateException(e);
    }
  }
}
