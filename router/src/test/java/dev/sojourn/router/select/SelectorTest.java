package dev.sojourn.router.select;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.core.KvEvent;
import dev.sojourn.core.Tokens;
import dev.sojourn.core.WorkerId;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.router.index.PrefixIndex;
import dev.sojourn.router.load.Fleet;
import dev.sojourn.router.load.Rank;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

class SelectorTest {

  private final Fleet fleet = new Fleet(new PrefixIndex());
  private final Map<WorkerRank, Integer> sessions = new HashMap<>();
  private final Selector selector = new Selector(0.5, rank -> sessions.getOrDefault(rank, 0));

  private Rank rank(int number) {
    WorkerRank id = new WorkerRank(new WorkerId("w"), number);
    if (fleet.find(id).isEmpty()) {
      fleet.add(id, 100, 4);
    }
    return fleet.find(id).orElseThrow();
  }

  private int pick(int promptTokens, int... overlaps) {
    return selector
        .cheapest(fleet.ranks(), _ -> true, overlaps, new Selector.Demand(promptTokens, 0))
        .orElseThrow()
        .id()
        .rank();
  }

  @Test
  void cheapest_allEqual_firstInOrder() {
    rank(1);
    rank(0);
    assertThat(pick(160, 0, 0)).isZero();
  }

  @Test
  void cheapest_equalCost_fewerSessions() {
    rank(0);
    rank(1);
    sessions.put(rank(0).id(), 1);
    assertThat(pick(160, 0, 0)).isEqualTo(1);
  }

  @Test
  void cheapest_prefixResident_beatsFewerSessions() {
    rank(0);
    rank(1);
    sessions.put(rank(0).id(), 5);
    assertThat(pick(160, 3, 0)).isZero();
  }

  /** Dynamo's own example: 18, 10 and 11 blocks. */
  @Test
  void cheapest_overlapAgainstLoad_smallestSum() {
    rank(0).book(160, 0);
    rank(1).book(80, 0);
    rank(2).book(144, 0);
    assertThat(pick(160, 2, 5, 8)).isEqualTo(1);
  }

  @Test
  void cheapest_prefillEnds_rankIsCheapAgain() {
    Rank.Booking booking = rank(0).book(160, 160);
    rank(1).book(176, 0);
    assertThat(pick(16, 0, 0)).isEqualTo(1);
    booking.firstToken();
    assertThat(pick(16, 0, 0)).isZero();
  }

  @Test
  void cheapest_rankIsFull_newSessionsGoWhereNothingIsEvicted() {
    Rank full = rank(0);
    rank(1);
    for (long hash = 1; hash <= 100; hash++) {
      full.feed()
          .apply(new KvEvent.Stored(hash, OptionalLong.empty(), 0, Tokens.EMPTY, Optional.empty()));
    }
    assertThat(pick(320, 4, 0)).as("4 blocks saved, 16 evicted at a half each").isEqualTo(1);
    assertThat(pick(320, 15, 0)).isZero();
  }
}
