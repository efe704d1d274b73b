package dev.sojourn.router;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.core.BlockHasher;
import dev.sojourn.core.Fault;
import dev.sojourn.core.FaultException;
import dev.sojourn.core.KvEvent;
import dev.sojourn.core.SessionControl;
import dev.sojourn.core.SessionControl.Action;
import dev.sojourn.core.SessionControl.Input;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionControl.WhileBusy;
import dev.sojourn.core.Tokens;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.router.House.Later;
import dev.sojourn.router.House.MemoryBound;
import dev.sojourn.router.ScriptedEngines.Fate;
import dev.sojourn.router.ScriptedEngines.Life;
import dev.sojourn.router.Selection.Affinity;
import dev.sojourn.router.lifecycle.LifecycleStats;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Random interleavings of turns, failures, closes, time and workers that come and go. After each
 * step what is booked, leased and open is exactly what the turns in flight and the bindings account
 * for; at the end nothing is held. One thread drives everything; turns that must wait do so on
 * threads of their own, and the driver goes on when all of them wait or have begun.
 */
class RouterPropertyTest {

  private static final int STEPS = 400;
  private static final int OPERATIONS = Integer.getInteger("sojourn.operations", 60_000);
  private static final List<String> NAMES = List.of("s", "t", "u");
  private static final List<WorkerRank> RANKS = List.of(House.A, House.B);
  private static final List<Action> ACTIONS = List.of(Action.values());
  private static final List<TurnOutcome> OUTCOMES = List.of(TurnOutcome.values());
  private static final List<Fate> FATES = List.of(Fate.values());

  /** A turn that has begun, and how far it is. */
  private static final class Flight {
    final String name;
    final TurnGuard guard;
    boolean selected;
    boolean opened;
    boolean accepted;

    Flight(String name, TurnGuard guard) {
      this.name = name;
      this.guard = guard;
    }

    /** Whether it has its session's lease, and so the first place in its line. */
    boolean leased() {
      return guard.incarnation().isPresent() || guard.reason() == NoSession.PINNED;
    }

    /** Whether it opened an engine session that no binding stands for. */
    boolean owesClose() {
      return opened && !accepted;
    }
  }

  private static final class Run {
    final Random random;
    final House house;
    final List<Flight> flights = new ArrayList<>();
    final Map<String, Deque<Later>> waiting = new HashMap<>();
    final List<String> story = new ArrayList<>();

    /** How often what happened, so that it can be seen that it does happen. */
    final Map<String, Long> reached = new HashMap<>();

    long interrupted;
    long waited;
    long reopened;
    long asides;
    long forks;
    long elsewhere;
    long extended;

    Run(long seed) {
      random = new Random(seed);
      house =
          new House(
              new MemoryBound(2 + random.nextInt(3)), Runnable::run, RouterConfig.defaults(), seed);
      house.engines.onClose = this::assertNotAlive;
    }

    <T> T pick(List<T> of) {
      return of.get(random.nextInt(of.size()));
    }

    Deque<Later> line(String name) {
      return waiting.computeIfAbsent(name, _ -> new ArrayDeque<>());
    }

    /** No close is ever sent to the rank and for the life that a name stands for. */
    void assertNotAlive(Life life) {
      Optional<BindingView> alive =
          house
              .router
              .binding(life.id())
              .filter(view -> view.target().filter(life.rank()::equals).isPresent())
              .filter(view -> view.incarnation().equals(life.incarnation()));
      assertThat(alive).as("closed while alive").isEmpty();
    }

    void step() throws InterruptedException {
      switch (random.nextInt(15)) {
        case 0, 1, 2 -> begin();
        case 3, 4, 5, 6, 7 -> advanceTurn();
        case 8 -> finishTurn();
        case 9 -> interruptOne();
        case 10 -> passTime();
        case 11 -> changeFleet();
        case 12 -> tellOfPages();
        case 13 -> extend();
        default -> scriptFates();
      }
      settle();
      check();
    }

    void begin() throws InterruptedException {
      String name = pick(NAMES);
      Action action = pick(ACTIONS);
      Input input = random.nextInt(4) == 0 ? Input.DELTA : Input.FULL;
      WhileBusy busy = random.nextInt(4) == 0 ? WhileBusy.REJECT : WhileBusy.QUEUE;
      SessionControl control =
          random.nextInt(8) == 0
              ? House.fork(name, pick(NAMES))
              : House.control(name, action, input, busy, random.nextBoolean());
      TurnIntent intent =
          random.nextInt(8) == 0
              ? house.pinned(control, pick(RANKS))
              : random.nextInt(8) == 0 ? house.stateless() : house.intent(control);
      story.add("begin " + intent);
      boolean occupied =
          flights.stream().anyMatch(flight -> flight.name.equals(name) && flight.leased());
      if (occupied
          && control.whileBusy() == WhileBusy.QUEUE
          && intent.control().isPresent()
          && !refusedAtOnce(control)) {
        line(name).add(house.beginLater(intent));
        return;
      }
      try {
        flights.add(new Flight(name, house.router.begin(intent)));
      } catch (FaultException e) {
        story.add("refused: " + e.getMessage());
      }
    }

    private boolean refusedAtOnce(SessionControl control) {
      Optional<BindingView> view = house.router.binding(control.session());
      boolean opening = view.isPresent() && view.get().target().isEmpty();
      boolean asksToOpen = control.action() == Action.OPEN || control.action() == Action.BIND;
      return opening
          && asksToOpen
          && line(control.session().name()).isEmpty()
          && !view.get().terms().agreesWith(Admission.terms(control));
    }

    void advanceTurn() {
      if (flights.isEmpty()) {
        return;
      }
      Flight flight = pick(flights);
      story.add("advance " + flight.name);
      try {
        if (!flight.selected) {
          int length = 1 + random.nextInt(100);
          boolean aside = random.nextInt(5) == 0;
          Selection selection = flight.guard.select(House.prompt(length), aside);
          flight.selected = true;
          if (flight.leased() && aside && selection.affinity() == Affinity.NONE) {
            asides++;
          }
        } else if (!flight.accepted && random.nextInt(12) == 0) {
          goElsewhere(flight);
        } else if (flight.guard.opens()) {
          open(flight);
        } else if (!flight.accepted && !flight.opened && random.nextInt(8) == 0) {
          tryLost(flight);
        } else if (!flight.accepted) {
          flight.guard.accepted();
          flight.accepted = true;
        } else {
          flight.guard.firstToken();
          flight.guard.generated(random.nextInt(40));
        }
      } catch (FaultException e) {
        story.add("failed: " + e.getMessage());
        end(flight);
      }
    }

    private void open(Flight flight) {
      forks += flight.guard.parent().isPresent() ? 1 : 0;
      try {
        flight.guard.open();
        flight.opened = true;
      } catch (FaultException e) {
        if (!(e.fault() instanceof Fault.Unavailable) || random.nextBoolean()) {
          throw e;
        }
        goElsewhere(flight);
      }
    }

    private void goElsewhere(Flight flight) {
      story.add("unreachable");
      flight.opened = false;
      flight.selected = false;
      flight.guard.unreachable();
      flight.selected = true;
      elsewhere++;
    }

    private void tryLost(Flight flight) {
      try {
        flight.guard.lost();
        reopened++;
      } catch (IllegalStateException e) {
        story.add("has no session to lose");
      }
    }

    void finishTurn() {
      if (!flights.isEmpty()) {
        end(pick(flights));
      }
    }

    private void end(Flight flight) {
      story.add("end " + flight.name);
      flights.remove(flight);
      if (random.nextInt(4) == 0) {
        flight.guard.close();
      } else {
        flight.guard.finish(pick(OUTCOMES));
      }
    }

    void interruptOne() throws InterruptedException {
      Deque<Later> line = line(pick(NAMES));
      if (!line.isEmpty()) {
        List<Later> all = new ArrayList<>(line);
        Later victim = pick(all);
        story.add("interrupt");
        victim.thread().interrupt();
        victim.thread().join();
        interrupted++;
      }
    }

    void passTime() {
      Duration by = Duration.ofMillis(random.nextInt(random.nextBoolean() ? 500 : 70_000));
      story.add("time passes: " + by);
      house.clock.advance(by);
      if (random.nextInt(3) > 0) {
        house.router.tick();
      }
    }

    void extend() {
      Duration idle = Duration.ofSeconds(1 + random.nextInt(90));
      story.add("extend to " + idle);
      try {
        extended += house.router.extend(House.id(pick(NAMES)), idle).isPresent() ? 1 : 0;
      } catch (FaultException e) {
        story.add("refused: " + e.getMessage());
      }
    }

    void changeFleet() {
      WorkerRank rank = pick(RANKS);
      boolean live =
          house.router.stats().ranks().stream().anyMatch(known -> known.rank().equals(rank));
      story.add("change " + rank);
      if (!live) {
        house.router.addRank(rank, House.CAPACITY);
      } else if (random.nextBoolean()) {
        house.router.drainWorker(rank.worker());
      } else {
        if (random.nextBoolean()) {
          house.engines.crash(rank.worker());
        }
        house.router.removeRank(rank);
      }
    }

    void tellOfPages() {
      long[] blocks =
          new BlockHasher(BlockHasher.DEFAULT_SEED)
              .chain(Tokens.of(IntStream.range(0, 96).toArray()));
      long block = blocks[random.nextInt(blocks.length)];
      house.router.onKvEvent(
          pick(RANKS),
          random.nextBoolean()
              ? new KvEvent.Stored(block, OptionalLong.empty(), 0, Tokens.EMPTY, Optional.empty())
              : new KvEvent.Removed(block));
    }

    void scriptFates() {
      house.engines.openFates.add(pick(FATES));
      Fate close = random.nextBoolean() ? Fate.LOST : Fate.ANSWER_LOST;
      for (int i = random.nextInt(6); i > 0; i--) {
        house.engines.closeFates.add(close);
      }
    }

    /** Waits until each line's first turn has begun, or failed, and takes it over. */
    void settle() {
      for (String name : NAMES) {
        Deque<Later> line = line(name);
        line.removeIf(later -> later.guard().isCompletedExceptionally());
        while (!line.isEmpty()
            && flights.stream().noneMatch(flight -> flight.name.equals(name) && flight.leased())) {
          Later first = line.removeFirst();
          try {
            TurnGuard guard = first.guard().orTimeout(20, TimeUnit.SECONDS).join();
            flights.add(new Flight(name, guard));
            waited++;
            story.add("its turn: " + name);
          } catch (CompletionException e) {
            assertThat(e).hasCauseInstanceOf(FaultException.class);
            story.add("refused in line: " + e.getMessage());
          }
        }
      }
    }

    void check() {
      assertThat(house.router.check()).isEmpty();
      RouterStats stats = house.router.stats();
      assertThat(stats.leasesTaken() - stats.leasesReturned())
          .as("leases")
          .isEqualTo(flights.stream().filter(Flight::leased).count());
      long booked = flights.stream().filter(flight -> flight.selected).count();
      assertThat(stats.bookings() - stats.bookingsReleased()).as("bookings").isEqualTo(booked);
      assertThat(stats.ranks().stream().mapToInt(RouterStats.RankStats::requests).sum())
          .as("booked on ranks that are there")
          .isLessThanOrEqualTo((int) booked);
      LifecycleStats lifecycle = stats.lifecycle();
      assertThat(lifecycle.opens() + lifecycle.learnt() + lifecycle.reaped())
          .as("opens: %s, bound %s", lifecycle, stats.engineBacked())
          .isEqualTo(
              lifecycle.acknowledged()
                  + lifecycle.abandoned()
                  + lifecycle.lost()
                  + lifecycle.tombstones()
                  + stats.engineBacked()
                  + flights.stream().filter(Flight::owesClose).count());
      for (String name : NAMES) {
        assertThat(
                flights.stream()
                    .filter(flight -> flight.name.equals(name) && flight.leased())
                    .count())
            .as("turns of %s at the same time", name)
            .isLessThanOrEqualTo(1);
      }
    }

    void windDown() throws InterruptedException {
      while (!flights.isEmpty()) {
        end(flights.getFirst());
        settle();
        check();
      }
      assertThat(waiting.values()).allMatch(Deque::isEmpty);
      for (String name : NAMES) {
        if (random.nextBoolean()) {
          house.router.close(House.id(name), OnClose.FREE, WhileBusy.REJECT);
        }
      }
      house.assertNothingHeld();
      // What nobody answers is given up, found again as an orphan, and closed once more.
      for (int i = 0; i < 40 || (i < 400 && house.router.nextDeadlineNanos().isPresent()); i++) {
        house.advance(Duration.ofSeconds(5));
      }
      RouterStats stats = house.router.stats();
      reached.put("expired", stats.expired());
      reached.put("hits", stats.hits());
      reached.put("moved", stats.moved());
      reached.put("broken", stats.broken());
      reached.put("refused", stats.lifecycle().refused());
      reached.put("acknowledged", stats.lifecycle().acknowledged());
      reached.put("abandoned", stats.lifecycle().abandoned());
      reached.put("lost", stats.lifecycle().lost());
      reached.put("retries", stats.lifecycle().retries());
      reached.put("interrupted", interrupted);
      reached.put("waited", waited);
      reached.put("reopened", reopened);
      reached.put("asides", asides);
      reached.put("forks", forks);
      reached.put("elsewhere", elsewhere);
      reached.put("extended", extended);
      assertThat(stats.engineBacked() + stats.routerOnly() + stats.opening()).isZero();
      assertThat(stats.lifecycle().tombstones()).isZero();
      assertThat(house.router.nextDeadlineNanos()).isEmpty();
      assertThat((long) house.engines.open.size())
          .as("engine sessions that nobody closed")
          .isLessThanOrEqualTo(stats.lifecycle().abandoned() + stats.lifecycle().lost());
      house.assertNothingHeld();
      house.close();
    }
  }

  private static final Map<String, Long> REACHED = new TreeMap<>();

  static long[] seeds() {
    return IntStream.rangeClosed(1, Math.max(150, OPERATIONS / STEPS)).asLongStream().toArray();
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void anyInterleaving_holdsExactlyWhatIsInFlight_andNothingAtTheEnd(long seed)
      throws InterruptedException {
    Run run = new Run(seed);
    try {
      for (int step = 0; step < STEPS; step++) {
        run.step();
      }
      run.windDown();
    } catch (AssertionError | RuntimeException e) {
      int from = Math.max(0, run.story.size() - 40);
      String story = String.join("\n", run.story.subList(from, run.story.size()));
      throw new AssertionError("seed " + seed + ", at the end:\n" + story, e);
    }
    run.reached.forEach((what, times) -> REACHED.merge(what, times, Long::sum));
  }

  /** A random test proves nothing about what it does not reach. */
  @AfterAll
  static void everythingHappened() {
    assertThat(REACHED).hasSize(16).allSatisfy((_, times) -> assertThat(times).isPositive());
  }
}
