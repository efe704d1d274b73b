package dev.sojourn.engine.kv;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Comparator;
import java.util.Random;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

class PageHeapTest {

  @Test
  void randomOperations_agreeWithASortedSet() {
    for (long seed = 0; seed < 50; seed++) {
      Random random = new Random(seed);
      int[] key = new int[20];
      PageHeap heap = new PageHeap(20, (a, b) -> key[a] != key[b] ? key[a] < key[b] : a < b);
      TreeSet<Integer> expected =
          new TreeSet<>(
              Comparator.comparingInt((Integer page) -> key[page]).thenComparingInt(page -> page));
      for (int i = 0; i < 1000; i++) {
        int page = random.nextInt(20);
        expected.remove(page);
        if (random.nextBoolean()) {
          key[page] = random.nextInt(6);
          heap.put(page);
          expected.add(page);
        } else {
          heap.remove(page);
        }
        assertThat(heap.contains(page)).isEqualTo(expected.contains(page));
        assertThat(heap.first())
            .as("seed %d", seed)
            .isEqualTo(expected.isEmpty() ? PagePool.NONE : expected.first());
      }
    }
  }
}
