package dev.sojourn.router;

import static dev.sojourn.router.House.A;
import static dev.sojourn.router.House.control;
import static dev.sojourn.router.House.dispatch;
import static dev.sojourn.router.House.id;
import static dev.sojourn.router.House.prompt;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.core.Clock;
import dev.sojourn.core.KvEvent;
import dev.sojourn.core.SessionControl.Action;
import dev.sojourn.core.Tokens;
import dev.sojourn.router.affinity.Binding.Bound;
import dev.sojourn.router.affinity.Lease;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Queue;
import java.util.Random;
import org.assertj.core.api.Assertions;
import org.junit.jupiter.api.Test;

class BooksTest {

  private final House house = new House();

  @Test
  void check_atEveryStepOfATurn_findsNothing() throws InterruptedException {
    house.turn("other", Action.BIND);
    try (TurnGuard guard = house.begin("s", Action.OPEN)) {
      assertThat(house.router.check()).isEmpty();
      guard.select(prompt(100));
      assertThat(house.router.check()).isEmpty();
      guard.open();
      assertThat(house.router.check()).isEmpty();
      guard.accepted();
      guard.firstToken();
      guard.generated(40);
      assertThat(house.router.check()).isEmpty();
    }
    assertThat(house.router.check()).isEmpty();
  }

  @Test
  void check_leaseThatSomebodyElseGaveBack_isFound() throws InterruptedException {
    try (TurnGuard guard = house.begin("s", Action.OPEN)) {
      dispatch(guard);
      Bound bound = (Bound) house.store.peek(id("s"));
      Lease lease = bound.leases().iterator().next();
      house.store.release(id("s"), lease);
      long before = house.clock.nanos();
      assertThat(house.router.check()).containsExactly("leases held: 1 counted, 0 found");
      assertThat(house.clock.nanos() - before).isEqualTo(Duration.ofMillis(255).toNanos());
    }
  }

  /** A thread that has no core between two of its counts leaves numbers that do not agree. */
  @Test
  void check_whatAgreesAMomentLater_isNoFault() throws InterruptedException {
    Meanwhile clock = new Meanwhile();
    try (Router router =
        new Router(
            RouterConfig.defaults(),
            clock,
            new Random(7),
            house.store,
            house.engines,
            Runnable::run)) {
      router.addRank(A, House.CAPACITY);
      try (TurnGuard guard = router.begin(house.intent(control("s", Action.OPEN)))) {
        dispatch(guard);
        Bound bound = (Bound) house.store.peek(id("s"));
        Lease lease = bound.leases().iterator().next();
        house.store.release(id("s"), lease);
        clock.events.add(() -> {});
        clock.events.add(() -> house.store.acquire(id("s"), bound.revision(), lease));
        clock.events.add(() -> Assertions.fail("looked on though nothing was wrong"));
        assertThat(router.check()).isEmpty();
        assertThat(clock.events).hasSize(1);
      }
    }
  }

  @Test
  void check_indexThatMissedAnEvent_isFound() {
    house.router.onKvEvent(A, stored(1));
    house.router.onKvEvent(A, stored(2));
    house.engines.blocks.put(A, 2);
    assertThat(house.router.check()).isEmpty();
    house.engines.blocks.put(A, 4);
    assertThat(house.router.check())
        .containsExactly("the index has -2 blocks of rank " + A + " beside those it holds");
  }

  @Test
  void check_rankThatTellsOfAPageMeanwhile_isNoFault() {
    Meanwhile clock = new Meanwhile();
    try (Router router =
        new Router(
            RouterConfig.defaults(),
            clock,
            new Random(7),
            house.store,
            house.engines,
            Runnable::run)) {
      router.addRank(A, House.CAPACITY);
      router.onKvEvent(A, stored(1));
      house.engines.blocks.put(A, 0);
      clock.events.add(() -> house.engines.blocks.put(A, 1));
      assertThat(router.check()).isEmpty();
      assertThat(clock.events).isEmpty();
    }
  }

  private static KvEvent stored(long hash) {
    return new KvEvent.Stored(
        hash, OptionalLong.empty(), 0, Tokens.of(new int[16]), Optional.empty());
  }

  /** A clock that stands still, and during whose pauses something happens. */
  private static final class Meanwhile implements Clock {

    private final Queue<Runnable> events = new ArrayDeque<>();

    @Override
    public long nanos() {
      return 0;
    }

    @Override
    public Instant now() {
      return Instant.EPOCH;
    }

    @Override
    public void pause(Duration time) {
      events.remove().run();
    }
  }

  @Test
  void check_bindingThatWentWithoutAClose_isFound() throws InterruptedException {
    house.turn("s", Action.OPEN);
    house.store.remove(id("s"), ((Bound) house.store.peek(id("s"))).revision());
    assertThat(house.router.check())
        .containsExactly("engine sessions that were opened and did not end: 1 counted, 0 found");
  }
}
