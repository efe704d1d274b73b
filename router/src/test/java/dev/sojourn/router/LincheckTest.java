package dev.sojourn.router;

import dev.sojourn.core.Incarnation;
import dev.sojourn.core.KvEvent;
import dev.sojourn.core.ManualClock;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.SessionKind;
import dev.sojourn.core.Tenant;
import dev.sojourn.core.Tokens;
import dev.sojourn.core.WorkerId;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.router.TurnOrder.Kind;
import dev.sojourn.router.affinity.AffinityStore.Change;
import dev.sojourn.router.affinity.Binding;
import dev.sojourn.router.affinity.Lease;
import dev.sojourn.router.affinity.MemoryAffinityStore;
import dev.sojourn.router.affinity.OwnerEpoch;
import dev.sojourn.router.affinity.Terms;
import dev.sojourn.router.index.PrefixIndex;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.jetbrains.lincheck.Lincheck;
import org.junit.jupiter.api.Test;

/**
 * What waits and is woken, in the interleavings that Lincheck enumerates. A thread that nobody
 * wakes is found as a deadlock.
 */
class LincheckTest {

  private static final int INTERLEAVINGS = Integer.getInteger("sojourn.lincheck.interleavings", 30);
  private static final SessionId ID = new SessionId(Tenant.DEFAULT, "s");
  private static final WorkerRank RANK = new WorkerRank(new WorkerId("w"), 0);
  private static final KvEvent.Stored STORED =
      new KvEvent.Stored(
          7,
          OptionalLong.empty(),
          0,
          Tokens.of(IntStream.range(0, 16).toArray()),
          Optional.empty());
  private static final Lease LEASE = new Lease(new OwnerEpoch(1), 1, "r");
  private static final Terms TERMS =
      new Terms(
          Terms.Kind.ENGINE_BACKED,
          Duration.ofSeconds(60),
          OptionalInt.empty(),
          OnClose.FREE,
          Optional.empty(),
          false,
          SessionKind.CONVERSATION);

  /** A thread's work, which may be interrupted. */
  @FunctionalInterface
  private interface Work {
    void run() throws InterruptedException;
  }

  @Test
  void turnsOfOneSession_enterAndLeaveAtOnce_runOneAfterTheOther() {
    Lincheck.runConcurrentTest(
        INTERLEAVINGS,
        () -> {
          TurnOrder order = new TurnOrder(4, 8);
          AtomicInteger first = new AtomicInteger();
          Work turn =
              () -> {
                TurnOrder.Place place = order.enter(ID, true, Kind.ALONE);
                assertAlone(first.incrementAndGet());
                first.decrementAndGet();
                place.leave();
              };
          together(turn, turn);
          assertAlone(order.turns(ID) + order.waiting() + 1);
        });
  }

  @Test
  void turnThatIsInterruptedInLine_whileTheFirstLeaves_leavesNoPlaceBehind() {
    Lincheck.runConcurrentTest(
        INTERLEAVINGS,
        () -> {
          TurnOrder order = new TurnOrder(4, 8);
          TurnOrder.Place running = enter(order);
          Thread waiting = Thread.ofPlatform().unstarted(() -> tryToEnter(order));
          waiting.start();
          waiting.interrupt();
          running.leave();
          join(waiting);
          assertAlone(order.turns(ID) + order.waiting() + 1);
        });
  }

  @Test
  void openingThatIsCommitted_whileSomebodyBeginsToWait_wakesIt() {
    Lincheck.runConcurrentTest(
        INTERLEAVINGS,
        () -> {
          MemoryAffinityStore store = new MemoryAffinityStore(new ManualClock(), 2);
          Settling settling = new Settling(store);
          store.watch(change -> settling.changed(change.id()));
          store.initialise(ID, new Incarnation(1), TERMS, LEASE);
          together(
              () -> {
                if (!(settling.settled(ID) instanceof Binding.Bound)) {
                  throw new AssertionError("woken, but not settled");
                }
              },
              () -> store.commit(ID, 1, RANK));
        });
  }

  @Test
  void changesOfOneName_byTwoThreads_areToldInTheirOrder() {
    Lincheck.runConcurrentTest(
        INTERLEAVINGS,
        () -> {
          MemoryAffinityStore store = new MemoryAffinityStore(new ManualClock(), 2);
          Placements placements = new Placements();
          List<Change> told = new ArrayList<>();
          store.watch(placements::changed);
          store.watch(told::add);
          store.initialise(ID, new Incarnation(1), TERMS, LEASE);
          together(() -> store.commit(ID, 1, RANK), () -> store.remove(ID, 1));
          for (int i = 1; i < told.size(); i++) {
            if (!told.get(i).before().equals(told.get(i - 1).after())) {
              throw new AssertionError("out of order: " + told);
            }
          }
          Binding now = store.peek(ID);
          if (!told.getLast().after().equals(now)) {
            throw new AssertionError("the last change is not what there is: " + told);
          }
          if (placements.on(RANK) != (now instanceof Binding.Bound ? 1 : 0)
              || placements.opening() != 0) {
            throw new AssertionError("counted wrong");
          }
        });
  }

  @Test
  void twoRanksThatHoldOneBlock_storeAndRemoveAtOnce_areCountedOneByOne() {
    Lincheck.runConcurrentTest(
        INTERLEAVINGS,
        () -> {
          PrefixIndex index = new PrefixIndex();
          PrefixIndex.Feed left = index.feed(0);
          PrefixIndex.Feed right = index.feed(1);
          left.apply(STORED);
          together(() -> left.apply(new KvEvent.Removed(STORED.hash())), () -> right.apply(STORED));
          int[] overlaps = index.overlaps(new long[] {STORED.hash()}, 2);
          if (overlaps[0] != 0 || overlaps[1] != 1 || left.resident() + right.resident() != 1) {
            throw new AssertionError("counted wrong: " + overlaps[0] + ", " + overlaps[1]);
          }
        });
  }

  private static void assertAlone(int turns) {
    if (turns != 1) {
      throw new AssertionError(turns + " turns at once");
    }
  }

  private static void tryToEnter(TurnOrder order) {
    try {
      order.enter(ID, true, Kind.ALONE).leave();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static TurnOrder.Place enter(TurnOrder order) {
    try {
      return order.enter(ID, true, Kind.ALONE);
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  private static void together(Work one, Work other) {
    Throwable[] failure = new Throwable[1];
    List<Thread> threads = new ArrayList<>();
    for (Work work : List.of(one, other)) {
      threads.add(
          Thread.ofPlatform()
              .start(() -> {
                try {
                  work.run();
                } catch (InterruptedException | RuntimeException | AssertionError e) {
                  failure[0] = e;
                }
              }));
    }
    threads.forEach(LincheckTest::join);
    if (failure[0] != null) {
      throw new AssertionError(failure[0]);
    }
  }

  private static void join(Thread thread) {
    try {
      thread.join();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }
}
