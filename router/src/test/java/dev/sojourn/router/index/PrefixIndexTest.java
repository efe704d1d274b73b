package dev.sojourn.router.index;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.core.KvEvent;
import dev.sojourn.core.Tokens;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Random;
import java.util.Set;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PrefixIndexTest {

  private final PrefixIndex index = new PrefixIndex();

  private static KvEvent stored(long hash) {
    return new KvEvent.Stored(hash, OptionalLong.empty(), 0, Tokens.EMPTY, Optional.empty());
  }

  @Test
  void overlaps_ranksHoldDifferentLengths_countsContiguousBlocksOfEach() {
    PrefixIndex.Feed zero = index.feed(0);
    PrefixIndex.Feed two = index.feed(2);
    PrefixIndex.Feed far = index.feed(70);
    long[] prompt = {10, 20, 30};
    for (long hash : prompt) {
      zero.apply(stored(hash));
    }
    two.apply(stored(10));
    two.apply(stored(30));
    far.apply(stored(10));
    far.apply(stored(20));
    int[] overlaps = index.overlaps(prompt, 71);
    assertThat(overlaps[0]).isEqualTo(3);
    assertThat(overlaps[1]).isZero();
    assertThat(overlaps[2]).as("a hole ends it").isEqualTo(1);
    assertThat(overlaps[70]).isEqualTo(2);
    assertThat(index.overlaps(prompt, 1)).containsExactly(3);
    assertThat(index.overlaps(new long[0], 3)).containsOnly(0);
  }

  @Test
  void apply_sameEventTwice_countsOnce() {
    PrefixIndex.Feed feed = index.feed(0);
    feed.apply(stored(1));
    feed.apply(stored(1));
    assertThat(feed.resident()).isEqualTo(1);
    feed.apply(new KvEvent.Removed(1));
    feed.apply(new KvEvent.Removed(1));
    assertThat(feed.resident()).isZero();
  }

  @Test
  void close_lateEvents_areDroppedAndTheSlotIsClean() {
    PrefixIndex.Feed feed = index.feed(0);
    feed.apply(stored(1));
    feed.close();
    feed.apply(stored(2));
    assertThat(index.overlaps(new long[] {1}, 1)).containsExactly(0);
    assertThat(index.overlaps(new long[] {2}, 1)).containsExactly(0);
  }

  /** Few distinct hashes in one stripe with equal low bits, so that probes collide and wrap. */
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5})
  void randomEvents_agreeWithPlainSets(long seed) {
    Random random = new Random(seed);
    int ranks = 130;
    long[] hashes =
        LongStream.generate(
                () -> (random.nextLong(4) << 62) | random.nextLong(40) << 4 | random.nextLong(2))
            .limit(60)
            .distinct()
            .toArray();
    List<Set<Long>> model = new ArrayList<>();
    List<PrefixIndex.Feed> feeds = new ArrayList<>();
    for (int rank = 0; rank < ranks; rank++) {
      model.add(new HashSet<>());
      feeds.add(index.feed(rank));
    }
    for (int step = 0; step < 20_000; step++) {
      int rank = random.nextInt(4) == 0 ? random.nextInt(ranks) : random.nextInt(3) * 64;
      long hash = hashes[random.nextInt(hashes.length)];
      int what = random.nextInt(200);
      if (what == 0) {
        feeds.get(rank).apply(new KvEvent.Cleared());
        model.get(rank).clear();
      } else if (what < 110) {
        feeds.get(rank).apply(stored(hash));
        model.get(rank).add(hash);
      } else {
        feeds.get(rank).apply(new KvEvent.Removed(hash));
        model.get(rank).remove(hash);
      }
      if (step % 250 == 0) {
        long[] prompt = random.ints(4, 0, hashes.length).mapToLong(i -> hashes[i]).toArray();
        int[] overlaps = index.overlaps(prompt, ranks);
        for (int each = 0; each < ranks; each++) {
          int expected = 0;
          while (expected < prompt.length && model.get(each).contains(prompt[expected])) {
            expected++;
          }
          assertThat(overlaps[each])
              .as("seed %s step %s rank %s", seed, step, each)
              .isEqualTo(expected);
          assertThat(feeds.get(each).resident()).isEqualTo(model.get(each).size());
        }
      }
    }
  }
}
