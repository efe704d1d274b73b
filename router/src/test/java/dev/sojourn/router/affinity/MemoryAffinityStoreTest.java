package dev.sojourn.router.affinity;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.core.Incarnation;
import dev.sojourn.core.ManualClock;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.SessionKind;
import dev.sojourn.core.Tenant;
import dev.sojourn.core.WorkerId;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.router.affinity.AffinityStore.Change;
import dev.sojourn.router.affinity.AffinityStore.Initialised.Full;
import dev.sojourn.router.affinity.AffinityStore.Initialised.Present;
import dev.sojourn.router.affinity.AffinityStore.Initialised.Won;
import dev.sojourn.router.affinity.Binding.Bound;
import dev.sojourn.router.affinity.Binding.Opening;
import dev.sojourn.router.affinity.Binding.Vacant;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MemoryAffinityStoreTest {

  private static final SessionId ID = new SessionId(Tenant.DEFAULT, "s");
  private static final OwnerEpoch US = new OwnerEpoch(1);
  private static final OwnerEpoch THEM = new OwnerEpoch(2);
  private static final WorkerRank RANK = new WorkerRank(new WorkerId("w"), 0);
  private static final WorkerRank OTHER = new WorkerRank(new WorkerId("w"), 1);
  private static final Incarnation LIFE = new Incarnation(7);
  private static final Duration TIMEOUT = Duration.ofSeconds(10);
  private static final Terms TERMS =
      new Terms(
          Terms.Kind.ENGINE_BACKED,
          TIMEOUT,
          OptionalInt.empty(),
          OnClose.FREE,
          Optional.empty(),
          false,
          SessionKind.CONVERSATION);

  private final ManualClock clock = new ManualClock();
  private final MemoryAffinityStore store = new MemoryAffinityStore(clock, 4);

  private static Lease lease(OwnerEpoch owner, long number) {
    return new Lease(owner, number, "r" + number);
  }

  private Opening opening(SessionId id) {
    return ((Won) store.initialise(id, LIFE, TERMS, lease(US, 0))).opening();
  }

  private Bound bound(SessionId id) {
    return store.commit(id, opening(id).revision(), RANK).orElseThrow();
  }

  private Bound idle(SessionId id) {
    Bound bound = bound(id);
    assertThat(store.release(id, lease(US, 0))).isTrue();
    return bound;
  }

  @Test
  void initialise_vacant_winsOnce() {
    Opening opening = opening(ID);
    assertThat(opening.incarnation()).isEqualTo(LIFE);
    assertThat(store.initialise(ID, new Incarnation(8), TERMS, lease(THEM, 1)))
        .isEqualTo(new Present(opening));
  }

  @Test
  void initialise_full_saysSoAndRecoversWithRoom() {
    for (int i = 0; i < 4; i++) {
      opening(new SessionId(Tenant.DEFAULT, "n" + i));
    }
    assertThat(store.initialise(ID, LIFE, TERMS, lease(US, 0))).isEqualTo(new Full(4));
    SessionId first = new SessionId(Tenant.DEFAULT, "n0");
    assertThat(store.remove(first, ((Opening) store.peek(first)).revision())).isTrue();
    assertThat(store.initialise(ID, LIFE, TERMS, lease(US, 0))).isInstanceOf(Won.class);
  }

  @Test
  void commit_otherRevision_changesNothing() {
    Opening opening = opening(ID);
    assertThat(store.commit(ID, opening.revision() + 1, RANK)).isEmpty();
    assertThat(store.peek(ID)).isEqualTo(opening);
    Bound bound = store.commit(ID, opening.revision(), RANK).orElseThrow();
    assertThat(bound.leases()).containsExactly(lease(US, 0));
    assertThat(store.commit(ID, opening.revision(), RANK)).as("a second time").isEmpty();
  }

  @Test
  void extend_shorterThanBefore_isFoundExpiredInTime() {
    Bound bound = idle(ID);
    assertThat(store.extend(ID, bound.revision(), TIMEOUT.dividedBy(2))).isPresent();
    assertThat(store.nextDeadlineNanos()).hasValue(TIMEOUT.dividedBy(2).toNanos());
    clock.advance(TIMEOUT.dividedBy(2));
    assertThat(store.expired(10)).extracting(AffinityStore.Entry::id).containsExactly(ID);
    assertThat(store.extend(ID, bound.revision(), TIMEOUT)).as("it is over").isEmpty();
    assertThat(store.claimExpired(ID, bound.revision())).isPresent();
    assertThat(store.nextDeadlineNanos()).isEmpty();
  }

  @Test
  void extend_whileLeased_andMoved_countsFromTheEndOfTheLease() {
    Bound bound = bound(ID);
    assertThat(store.extend(ID, bound.revision(), TIMEOUT.multipliedBy(3))).isPresent();
    Bound moved = store.repin(ID, bound.revision(), OTHER, new Incarnation(9)).orElseThrow();
    clock.advance(TIMEOUT);
    assertThat(store.release(ID, lease(US, 0))).isTrue();
    clock.advance(TIMEOUT.multipliedBy(3).minusNanos(1));
    assertThat(store.claimExpired(ID, moved.revision())).isEmpty();
    clock.advance(Duration.ofNanos(1));
    assertThat(store.claimExpired(ID, moved.revision())).isPresent();
  }

  @Test
  void tip_isThatOfTheLastTurnThatCommitted_alsoWhereTheSessionMoved() {
    Bound bound = bound(ID);
    assertThat(bound.tip()).isEmpty();
    Tip tip = new Tip(30, 7);
    assertThat(store.release(ID, lease(THEM, 0), Optional.of(new Tip(9, 9)))).isFalse();
    assertThat(store.release(ID, lease(US, 0), Optional.of(tip))).isTrue();
    Bound held = store.acquire(ID, bound.revision(), lease(US, 1)).orElseThrow();
    assertThat(held.tip()).hasValue(tip);
    Bound moved = store.repin(ID, bound.revision(), OTHER, new Incarnation(9)).orElseThrow();
    assertThat(moved.tip()).hasValue(tip);
    assertThat(store.release(ID, lease(US, 1))).isTrue();
    assertThat(store.peek(ID))
        .isInstanceOfSatisfying(Bound.class, b -> assertThat(b.tip()).hasValue(tip));
  }

  @Test
  void removeIdle_thatSomebodyTookALeaseOnSince_changesNothing() {
    Bound seen = idle(ID);
    assertThat(store.acquire(ID, seen.revision(), lease(US, 5))).isPresent();
    assertThat(store.removeIdle(ID, seen.revision())).isFalse();
    assertThat(store.peek(ID)).isInstanceOf(Bound.class);
    assertThat(store.release(ID, lease(US, 5))).isTrue();
    assertThat(store.removeIdle(ID, seen.revision() + 1)).isFalse();
    assertThat(store.removeIdle(ID, seen.revision())).isTrue();
    assertThat(store.nextDeadlineNanos()).isEmpty();
  }

  @Test
  void staleRevision_afterARemoveAndANewOpening_isANoOp() {
    Bound old = idle(ID);
    assertThat(store.remove(ID, old.revision())).isTrue();
    Bound next = bound(ID);
    assertThat(store.remove(ID, old.revision())).isFalse();
    assertThat(store.repin(ID, old.revision(), OTHER, LIFE)).isEmpty();
    assertThat(store.acquire(ID, old.revision(), lease(US, 5))).isEmpty();
    assertThat(store.extend(ID, old.revision(), TIMEOUT)).isEmpty();
    clock.advance(TIMEOUT.multipliedBy(2));
    assertThat(store.claimExpired(ID, old.revision())).isEmpty();
    assertThat(store.peek(ID)).isEqualTo(next);
  }

  @Test
  void repin_keepsLeases_andOnlyOneWins() {
    Bound bound = bound(ID);
    Bound moved = store.repin(ID, bound.revision(), OTHER, new Incarnation(9)).orElseThrow();
    assertThat(moved.leases()).isEqualTo(bound.leases());
    assertThat(moved.target()).isEqualTo(OTHER);
    assertThat(store.repin(ID, bound.revision(), RANK, new Incarnation(10))).isEmpty();
  }

  @Test
  void release_twice_onlyTheFirstCounts() {
    idle(ID);
    Binding once = store.peek(ID);
    clock.advance(Duration.ofSeconds(1));
    assertThat(store.release(ID, lease(US, 0))).isFalse();
    assertThat(store.peek(ID)).isEqualTo(once);
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 1, Long.MAX_VALUE - 1, Long.MAX_VALUE - 5_000_000_000L})
  void expiry_isExactAtTheDeadline_whereverTheClockStarts(long start) {
    clock.advance(Duration.ofNanos(start));
    Bound bound = idle(ID);
    assertThat(store.nextDeadlineNanos()).hasValue(start + TIMEOUT.toNanos());
    clock.advance(TIMEOUT.minusNanos(1));
    assertThat(store.expired(10)).isEmpty();
    assertThat(store.claimExpired(ID, bound.revision())).isEmpty();
    clock.advance(Duration.ofNanos(1));
    assertThat(store.acquire(ID, bound.revision(), lease(US, 1))).isEmpty();
    assertThat(store.expired(10)).hasSize(1);
    assertThat(store.claimExpired(ID, bound.revision())).isPresent();
    assertThat(store.claimExpired(ID, bound.revision())).as("a second gateway").isEmpty();
    assertThat(store.peek(ID)).isInstanceOf(Vacant.class);
    assertThat(store.nextDeadlineNanos()).isEmpty();
  }

  @Test
  void expiry_afterMoreTurns_countsFromTheLastOnesEnd() {
    Bound bound = idle(ID);
    for (int turn = 1; turn <= 3; turn++) {
      clock.advance(TIMEOUT.dividedBy(2));
      assertThat(store.acquire(ID, bound.revision(), lease(US, turn))).isPresent();
      clock.advance(TIMEOUT.multipliedBy(3));
      assertThat(store.expired(10)).as("leased").isEmpty();
      assertThat(store.release(ID, lease(US, turn))).isTrue();
    }
    long end = clock.nanos();
    assertThat(store.expired(10)).isEmpty();
    assertThat(store.nextDeadlineNanos()).hasValue(end + TIMEOUT.toNanos());
    clock.advance(TIMEOUT);
    assertThat(store.expired(10)).hasSize(1);
  }

  @Test
  void expired_manyDue_givesAtMostTheLimitEarliestFirst() {
    for (String name : List.of("b", "a", "c")) {
      idle(new SessionId(Tenant.DEFAULT, name));
      clock.advance(Duration.ofSeconds(1));
    }
    clock.advance(TIMEOUT);
    assertThat(store.expired(2)).extracting(entry -> entry.id().name()).containsExactly("b", "a");
  }

  @Test
  void remove_idle_leavesNoDeadline() {
    assertThat(store.remove(ID, idle(ID).revision())).isTrue();
    assertThat(store.nextDeadlineNanos()).isEqualTo(OptionalLong.empty());
  }

  @Test
  void dropOwner_endsItsOpeningsAndLeasesOnly() {
    SessionId shared = new SessionId(Tenant.DEFAULT, "shared");
    opening(ID);
    Bound bound = bound(shared);
    assertThat(store.acquire(shared, bound.revision(), lease(THEM, 1))).isPresent();
    store.dropOwner(US);
    assertThat(store.peek(ID)).isInstanceOf(Vacant.class);
    assertThat(((Bound) store.peek(shared)).leases()).containsExactly(lease(THEM, 1));
    store.dropOwner(THEM);
    assertThat(store.nextDeadlineNanos()).hasValue(TIMEOUT.toNanos());
  }

  @Test
  void watch_reentrantWatcher_seesChangesInOrderAndNoLeases() {
    List<Change> seen = new ArrayList<>();
    try (var _ =
        store.watch(change -> {
          seen.add(change);
          if (change.after() instanceof Opening opening) {
            assertThat(store.commit(change.id(), opening.revision(), RANK)).isPresent();
          }
        })) {
      opening(ID);
      assertThat(store.release(ID, lease(US, 0))).isTrue();
      assertThat(store.remove(ID, ((Bound) store.peek(ID)).revision())).isTrue();
    }
    opening(ID);
    assertThat(seen)
        .extracting(change -> change.after().getClass().getSimpleName())
        .containsExactly("Opening", "Bound", "Vacant");
    assertThat(seen.get(1).before()).isEqualTo(seen.get(0).after());
  }

  @Test
  void watch_watcherFails_othersStillHear() {
    List<Change> seen = new ArrayList<>();
    store.watch(_ -> {
      throw new IllegalStateException("on purpose");
    });
    store.watch(seen::add);
    bound(ID);
    assertThat(seen).hasSize(2);
  }
}
