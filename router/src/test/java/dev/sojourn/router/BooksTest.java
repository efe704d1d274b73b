package dev.sojourn.router;

import static dev.sojourn.router.House.dispatch;
import static dev.sojourn.router.House.id;
import static dev.sojourn.router.House.prompt;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.core.SessionControl.Action;
import dev.sojourn.router.affinity.Binding.Bound;
import dev.sojourn.router.affinity.Lease;
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
      assertThat(house.router.check()).containsExactly("leases held: 1 counted, 0 found");
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
