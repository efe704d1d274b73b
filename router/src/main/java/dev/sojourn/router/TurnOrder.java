package dev.sojourn.router;

import dev.sojourn.core.Fault;
import dev.sojourn.core.FaultException;
import dev.sojourn.core.SessionId;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * One line of turns per session: the first runs, the others wait in order. Turns that may run side
 * by side, those of a tree, run with the first if all before them are such, too. A session without
 * turns takes no room. Thread-safe.
 */
final class TurnOrder implements AutoCloseable {

  private final int maxWaiting;
  private final int maxWaitingInAll;

  /** The first of each line has its turn. Lines change only within the map's atomic operations. */
  private final Map<SessionId, ArrayDeque<Place>> lines = new ConcurrentHashMap<>();

  private final AtomicInteger waiting = new AtomicInteger();
  private volatile boolean closed;

  /**
   * Creates empty lines, in each of which and in all of which so many turns may wait. Beside one
   * turn as many may run as may wait; they take no place of those that wait.
   */
  TurnOrder(int maxWaiting, int maxWaitingInAll) {
    this.maxWaiting = maxWaiting;
    this.maxWaitingInAll = maxWaitingInAll;
  }

  /** A turn's place in its session's line. */
  final class Place {

    private final SessionId id;
    private final boolean shared;
    private final CountDownLatch turn = new CountDownLatch(1);

    private Place(SessionId id, boolean shared) {
      this.id = id;
      this.shared = shared;
    }

    /** Returns whether others may run beside it. */
    boolean isShared() {
      return shared;
    }

    /**
     * Leaves the line; the turns come of those that nothing keeps any more. A second call is a
     * no-op.
     */
    void leave() {
      lines.computeIfPresent(
          id,
          (_, line) -> {
            line.remove(this);
            if (line.isEmpty()) {
              return null;
            }
            line.getFirst().turn.countDown();
            line.stream().takeWhile(next -> next.shared).forEach(next -> next.turn.countDown());
            return line;
          });
    }
  }

  /**
   * Waits for a session's turn.
   *
   * @param mayWait whether to wait, or to fail with {@code session_busy}
   * @param shared whether it may run beside others that may
   */
  Place enter(SessionId id, boolean mayWait, boolean shared) throws InterruptedException {
    Place place = new Place(id, shared);
    int[] before = new int[2]; // how many are in the line, how many of them run
    boolean[] outcome = new boolean[2]; // whether it runs at once, whether it is in the line
    lines.compute(
        id,
        (_, line) -> {
          ArrayDeque<Place> joined = line == null ? new ArrayDeque<>() : line;
          before[0] = joined.size();
          before[1] = running(joined);
          outcome[0] = joined.isEmpty() || (shared && joined.stream().allMatch(p -> p.shared));
          outcome[1] =
              outcome[0] ? before[0] <= maxWaiting : mayWait && before[0] - before[1] < maxWaiting;
          if (outcome[1]) {
            joined.addLast(place);
          }
          return joined;
        });
    if (closed) {
      place.leave();
      throw shuttingDown();
    }
    if (!outcome[1]) {
      throw (outcome[0] ? tooMany(id, "running") : refusal(id, mayWait, before[0])).asException();
    }
    if (!outcome[0]) {
      await(place);
    }
    return place;
  }

  /** Returns how many of a line have their turn. */
  private static int running(ArrayDeque<Place> line) {
    return line.isEmpty()
        ? 0
        : (int) Math.max(1, line.stream().takeWhile(place -> place.shared).count());
  }

  private void await(Place place) throws InterruptedException {
    boolean granted = false;
    int others = waiting.getAndIncrement();
    try {
      if (others >= maxWaitingInAll) {
        throw new Fault.Overloaded(
                maxWaitingInAll + " turns wait for their sessions, the most there may be",
                Duration.ofSeconds(1))
            .asException();
      }
      place.turn.await();
      granted = !closed;
    } finally {
      waiting.decrementAndGet();
      if (!granted) {
        place.leave();
      }
    }
    if (!granted) {
      throw shuttingDown();
    }
  }

  private static FaultException shuttingDown() {
    return new Fault.Unavailable("the router is shutting down").asException();
  }

  private Fault refusal(SessionId id, boolean mayWait, int turns) {
    return mayWait
        ? tooMany(id, "waiting")
        : new Fault.Conflict(
            "session_busy",
            "session " + id.name() + " runs another turn; wait for its end, or ask to be queued",
            Map.of("turns", turns));
  }

  private Fault tooMany(SessionId id, String doing) {
    return new Fault.Overloaded(
        "session "
            + id.name()
            + " has "
            + maxWaiting
            + " turns "
            + doing
            + ", the most there may be",
        Duration.ofSeconds(1));
  }

  /** Returns how many turns a session has, the running one included. */
  int turns(SessionId id) {
    int[] turns = new int[1];
    lines.computeIfPresent(
        id,
        (_, line) -> {
          turns[0] = line.size();
          return line;
        });
    return turns[0];
  }

  /** Returns how many turns wait, of all sessions. */
  int waiting() {
    return waiting.get();
  }

  /** Sends away all who wait. */
  @Override
  public void close() {
    closed = true;
    for (SessionId id : lines.keySet()) {
      lines.computeIfPresent(
          id,
          (_, line) -> {
            line.forEach(place -> place.turn.countDown());
            return line;
          });
    }
  }
}
