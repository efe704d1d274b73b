package dev.sojourn.engine.kv;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.engine.EvictionPolicy;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

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
    for (EvictionPolicy policy : List.of(EvictionPolicy.LRU, EvictionPolicy.PRIORITY)) {
      EvictionQueue queue = new EvictionQueue(2, policy);
      use(queue, 0, 1, false);
      use(queue, 1, 2, false);
      queue.prioritise(0, 5, 10);
      queue.prioritise(1, 4, 10);
      queue.expire(10);
      assertThat(queue.first(false)).isEqualTo(policy == EvictionPolicy.LRU ? 0 : 1);
    }
  }

  /** What is known of a page, and what it is worth to each policy: SGLang's keys. */
  private record Used(int page, long created, long lastUse, int hits, int priority) {

    List<Long> key(EvictionPolicy policy) {
      return switch (policy) {
        case LRU -> List.of(lastUse);
        case LFU -> List.of((long) hits, lastUse);
        case FIFO -> List.of(created);
        case MRU -> List.of(-lastUse);
        case FILO -> List.of(-created);
        case SLRU -> List.of(hits >= 2 ? 1L : 0L, lastUse);
        case PRIORITY -> List.of((long) priority, lastUse);
      };
    }
  }

  @ParameterizedTest
  @EnumSource
  void policy_ordersPagesByItsKey(EvictionPolicy policy) {
    Random random = new Random(policy.name().length());
    for (int world = 0; world < 200; world++) {
      int pages = 2 + random.nextInt(20);
      EvictionQueue queue = new EvictionQueue(pages, policy);
      List<Used> model = new ArrayList<>();
      for (int page = 0; page < pages; page++) {
        Used used =
            new Used(
                page,
                random.nextInt(1000) * 32 + page, // no two alike
                random.nextInt(1000) * 32 + page,
                random.nextInt(4),
                random.nextInt(3));
        queue.create(page, used.created);
        for (int hit = 0; hit < used.hits; hit++) {
          queue.hit(page);
        }
        queue.prioritise(page, used.priority, 10);
        use(queue, page, used.lastUse, false);
        model.add(used);
      }
      queue.expire(10);
      model.sort((a, b) -> {
        List<Long> left = a.key(policy);
        List<Long> right = b.key(policy);
        int first = Long.compare(left.getFirst(), right.getFirst());
        return first != 0 ? first : Long.compare(left.getLast(), right.getLast());
      });
      assertThat(order(queue, false)).isEqualTo(model.stream().map(Used::page).toList());
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
