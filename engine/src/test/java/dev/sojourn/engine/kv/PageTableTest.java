package dev.sojourn.engine.kv;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class PageTableTest {

  @Test
  void randomPutsAndRemoves_withCrowdedHashes_agreeWithAHashMap() {
    for (long seed = 0; seed < 10; seed++) {
      Random random = new Random(seed);
      PageTable table = new PageTable(12);
      Map<Long, Integer> expected = new HashMap<>();
      for (int i = 0; i < 2000; i++) {
        // Few low bits, so that homes coincide and runs wrap around the end.
        long hash = (random.nextInt(3) * 13L) | ((long) random.nextInt(8) << 40);
        if (expected.containsKey(hash)) {
          table.remove(hash);
          expected.remove(hash);
        } else if (expected.size() < 12) {
          table.put(hash, i);
          expected.put(hash, i);
        }
        for (long low = 0; low < 3; low++) {
          for (long high = 0; high < 8; high++) {
            long each = (low * 13) | (high << 40);
            assertThat(table.get(each))
                .as("seed %d, hash %x", seed, each)
                .isEqualTo(expected.getOrDefault(each, PagePool.NONE));
          }
        }
      }
    }
  }

  @Test
  void put_hashThatIsThere_throws() {
    PageTable table = new PageTable(4);
    table.put(7, 1);
    assertThatThrownBy(() -> table.put(7, 2)).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void remove_hashThatIsNotThere_throws() {
    PageTable table = new PageTable(4);
    assertThatThrownBy(() -> table.remove(7)).isInstanceOf(IllegalStateException.class);
  }
}
