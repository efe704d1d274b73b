package dev.sojourn.router.load;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sojourn.core.KvEvent;
import dev.sojourn.core.Tokens;
import dev.sojourn.core.WorkerId;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.router.index.PrefixIndex;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

class RankTest {

  private static final WorkerRank ID = new WorkerRank(new WorkerId("w"), 0);

  private final PrefixIndex index = new PrefixIndex();
  private final Fleet fleet = new Fleet(index);

  private Rank rank() {
    fleet.add(ID, 100, 4);
    return fleet.find(ID).orElseThrow();
  }

  @Test
  void booking_throughItsPhases_givesBackExactlyWhatItTook() {
    Rank rank = rank();
    Rank.Booking first = rank.book(100, 40);
    Rank.Booking second = rank.book(16, 16);
    assertThat(rank.prefillTokens()).isEqualTo(56);
    assertThat(rank.decodeBlocks()).isEqualTo(7 + 1);
    first.firstToken();
    assertThat(rank.prefillTokens()).isEqualTo(16);
    first.generated(12);
    assertThat(rank.decodeBlocks()).as("the seventh block fills up").isEqualTo(7 + 1);
    first.generated(1);
    assertThat(rank.decodeBlocks()).isEqualTo(8 + 1);
    first.release();
    first.release();
    first.generated(100);
    assertThat(rank.decodeBlocks()).isEqualTo(1);
    second.release();
    assertThat(rank.prefillTokens()).isZero();
    assertThat(rank.decodeBlocks()).isZero();
    assertThat(rank.requests()).isZero();
  }

  @Test
  void fleet_rankLeavesAndAnotherTakesItsSlot_whichIsClean() {
    Rank old = rank();
    old.feed()
        .apply(new KvEvent.Stored(5, OptionalLong.empty(), 0, Tokens.EMPTY, Optional.empty()));
    fleet.remove(ID);
    assertThat(fleet.ranks()).isEmpty();
    Rank next = rank();
    assertThat(next.slot()).isEqualTo(old.slot());
    assertThat(index.overlaps(new long[] {5}, fleet.slots())).containsExactly(0);
  }

  @Test
  void fleet_sameRankTwice_isRefused() {
    rank();
    assertThatThrownBy(this::rank).hasMessageContaining("w/0");
  }
}
