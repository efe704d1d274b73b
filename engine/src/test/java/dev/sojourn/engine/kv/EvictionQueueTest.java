package dev.sojourn.engine.kv;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.engine.EvictionPolicy;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class EvictionQueueTest {

  private final EvictionQueue queue = new EvictionQueue(8, EvictionPolicy.LRU);

  @Test
  void pagesOfEqualRank_leastRecentlyUsedFirst() {
    use(queue, 0, 3, false);
    use(queue, 1, 1, false);
    use(queue, 2, 2, false);
    assertThat(order(queue, false)).containsExactly(1, 2, 0);
  }

  @Test
  void leasedPages_goAfterUnleased_unlessOverBudget() {
    use(queue, 0, 1, true);
    use(queue, 1, 2, false);
    assertThat(queue.first(false)).isEqualTo(1);
    assertThat(queue.first(true)).isEqualTo(0);
  }

  @Test
  void effectivePriority_beatsLeaseAndUse() {
    use(queue, 0, 9, true);
    use(queue, 1, 1, false);
    queue.prioritise(1, 5, 100);
    assertThat(order(queue, false)).containsExactly(0, 1);
  }

  @Test
  void negativePriority_goesFirst() {
    use(queue, 0, 1, false);
    use(queue, 1, 2, false);
    queue.prioritise(1, -1, 100);
    assertThat(order(queue, false)).containsExactly(1, 0);
  }

  @Test
  void retentionThatRanOut_countsAsPriorityZero() {
    use(queue, 0, 1, false);
    use(queue, 1, 2, false);
    queue.prioritise(0, 5, 100);
    queue.expire(99);
    assertThat(queue.first(false)).isEqualTo(1);
    queue.expire(100);
    assertThat(queue.first(false)).isEqualTo(0);
  }

  @Test
  void weakerRequest_neitherLowersNorShortens_untilTheStrongerEnds() {
    use(queue, 0, 1, false);
    use(queue, 1, 2, false);
    queue.prioritise(1, 3, 1000);
    queue.prioritise(0, 5, 100);
    queue.prioritise(0, 3, 1000);
    queue.prioritise(0, 5, 50);
    queue.expire(99);
    assertThat(queue.first(false)).isEqualTo(1);
    queue.expire(100);
    assertThat(queue.first(false)).isEqualTo(0);
    queue.prioritise(0, 4, 1000);
    assertThat(queue.first(false)).isEqualTo(1);
  }

  @Test
  void priorityOfALease_endsWithIt() {
    use(queue, 0, 1, true);
    use(queue, 1, 2, false);
    queue.prioritise(0, 5, EvictionQueue.WHILE_LEASED);
    queue.expire(Long.MAX_VALUE - 1);
    assertThat(queue.first(false)).isEqualTo(1);
    queue.add(0, false);
    queue.leaseEnded(0);
    assertThat(queue.first(false)).isEqualTo(0);
  }

  @Test
  void retentionBesideALease_outlastsIt() {
    for (boolean leaseFirst : List.of(true, false)) {
      EvictionQueue queue = new EvictionQueue(2, EvictionPolicy.LRU);
      use(queue, 0, 1, true);
      use(queue, 1, 2, false);
      queue.prioritise(1, 3, 1000);
      queue.prioritise(0, leaseFirst ? 5 : 4, leaseFirst ? EvictionQueue.WHILE_LEASED : 100);
      queue.prioritise(0, leaseFirst ? 4 : 5, leaseFirst ? 100 : EvictionQueue.WHILE_LEASED);
      queue.add(0, false);
      queue.leaseEnded(0);
      assertThat(queue.first(false)).isEqualTo(1);
      queue.expire(100);
      assertThat(queue.first(false)).isEqualTo(0);
    }
  }

  @Test
  void leaseBesideARetention_outlastsIt() {
    use(queue, 0, 1, true);
    use(queue, 1, 2, true);
    queue.prioritise(1, 3, 1000);
    queue.prioritise(0, 4, EvictionQueue.WHILE_LEASED);
    queue.prioritise(0, 5, 100);
    queue.expire(100);
    assertThat(queue.first(false)).isEqualTo(1);
    queue.leaseEnded(0);
    assertThat(queue.first(false)).isEqualTo(0);
  }

  @Test
  void plainRequest_raisesANegativePriority() {
    use(queue, 0, 1, true);
    use(queue, 1, 2, true);
    queue.prioritise(1, -1, EvictionQueue.WHILE_LEASED);
    assertThat(queue.first(false)).isEqualTo(1);
    queue.prioritise(1, 0, 100);
    assertThat(queue.first(false)).isEqualTo(0);
    queue.expire(100);
    assertThat(queue.first(false)).isEqualTo(1);
    queue.prioritise(1, 0, EvictionQueue.WHILE_LEASED);
    assertThat(queue.first(false)).isEqualTo(0);
  }

  @Test
  void policyPriority_distinguishesPagesWhoseRetentionRanOut() {
    for (EvictionPolicy policy : EvictionPolicy.values()) {
      EvictionQueue queue = new EvictionQueue(2, policy);
      use(queue, 0, 1, false);
      use(queue, 1, 2, false);
      queue.prioritise(0, 5, 10);
      queue.prioritise(1, 4, 10);
      queue.expire(10);
      assertThat(queue.first(false)).isEqualTo(policy == EvictionPolicy.LRU ? 0 : 1);
    }
  }

  private static void use(EvictionQueue queue, int page, long stamp, boolean leased) {
    queue.touch(page, stamp);
    queue.add(page, leased);
  }

  private static List<Integer> order(EvictionQueue queue, boolean overBudget) {
    List<Integer> order = new ArrayList<>();
    for (int page = queue.first(overBudget);
        page != PagePool.NONE;
        page = queue.first(overBudget)) {
      order.add(page);
      queue.remove(page);
    }
    return order;
  }
}
