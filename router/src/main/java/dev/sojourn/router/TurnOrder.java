package dev.sojourn.router;

import dev.sojourn.core.Counted;
import dev.sojourn.core.Fault;
import dev.sojourn.core.FaultException;
import dev.sojourn.core.SessionId;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * One line of turns per session: the first runs, the others wait in order. Turns that may run side
 * by side, those of a tree, run with the first if all before them are such, too. However many turns
 * wait, a close finds a place. A session without turns takes no room. Thread-safe.
 */
final class TurnOrder implements AutoCloseable {

  /** What a place in the line is for. */
  enum Kind {
    /** A turn that runs alone. */
    ALONE,
    /** A turn that runs beside others of the kind. */
    SHARED,
    /** A turn that ends the session. */
    LAST,
    /** A close that somebody waits for. */
    CLOSE,
    /** A close that was promised. */
    PROMISED;

    private boolean ends() {
      return this == LAST || isClose();
    }

    private boolean isClose() {
      return this == CLOSE || this == PROMISED;
    }
  }

  private final int maxWaiting;
  private final int maxWaitingInAll;

  /** The first of each line has its turn. Lines change only within the map's atomic operations. */
  private final Map<SessionId, ArrayDeque<Place>> lines = new ConcurrentHashMap<>();

  private final AtomicInteger turnsWaiting = new AtomicInteger();
  private final AtomicInteger closesWaiting = new AtomicInteger();
  private volatile boolean closed;

  /**
   * Creates empty lines, in each of which and in all of which so many turns may wait. Beside one
   * turn as many may run as may wait; they take no place of those that wait. A close without a turn
   * waits however many do.
   */
  TurnOrder(int maxWaiting, int maxWaitingInAll) {
    this.maxWaiting = maxWaiting;
    this.maxWaitingInAll = maxWaitingInAll;
  }

  /** A turn's place in its session's line. */
  final class Place {

    private final SessionId id;
    private final Kind kind;
    private final CountDownLatch turn = new CountDownLatch(1);
    private boolean counted; // among those that wait; its owner's

    private Place(SessionId id, Kind kind) {
      this.id = id;
      this.kind = kind;
    }

    /** Returns whether its turn has come. */
    boolean hasTurn() {
      return !counted || turn.getCount() == 0;
    }

    /**
     * Waits for its turn. Whoever has joined a line does so once; where it fails, the place is
     * left.
     */
    void await() throws InterruptedException {
      if (!counted) {
        return;
      }
      boolean granted = false;
      try {
        turn.await();
        granted = !closed;
      } finally {
        waiting(kind).decrementAndGet();
        if (!granted) {
          leave();
        }
      }
      if (!granted) {
        throw shuttingDown();
      }
    }

    /** Returns whether others may run beside it. */
    boolean isShared() {
      return kind == Kind.SHARED;
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
            line.stream()
                .takeWhile(next -> next.kind == Kind.SHARED)
                .forEach(next -> next.turn.countDown());
            return line;
          });
    }
  }

  /**
   * Waits for a session's turn.
   *
   * @param mayWait whether to wait, or to fail with {@code session_busy}
   */
  Place enter(SessionId id, boolean mayWait, Kind kind) throws InterruptedException {
    Place place = join(id, mayWait, kind).orElseThrow();
    place.await();
    return place;
  }

  /**
   * Takes a place for a close that is promised. Two of them in a row are one: nothing comes between
   * that the second could end.
   *
   * @return nothing if there is one at the end of the line already
   */
  Optional<Place> promise(SessionId id) {
    return join(id, true, Kind.PROMISED);
  }

  private Optional<Place> join(SessionId id, boolean mayWait, Kind kind) {
    Place place = new Place(id, kind);
    int[] before = new int[1];
    Entry[] entry = new Entry[1];
    lines.compute(
        id,
        (_, line) -> {
          ArrayDeque<Place> joined = line == null ? new ArrayDeque<>() : line;
          before[0] = joined.size();
          entry[0] = entry(joined, mayWait, kind);
          if (entry[0] == Entry.RUNS || entry[0] == Entry.WAITS) {
            joined.addLast(place);
          }
          return joined;
        });
    if (closed) {
      place.leave();
      throw shuttingDown();
    }
    return switch (entry[0]) {
      case RUNS -> Optional.of(place);
      case WAITS -> Optional.of(counted(place));
      case IS_THERE -> Optional.empty();
      case BUSY -> throw busy(id, before[0]).asException();
      case TOO_MANY_RUN -> throw tooMany(id, "turn", "running").asException();
      case TOO_MANY_WAIT ->
          throw tooMany(id, kind.isClose() ? "close" : "turn", "waiting").asException();
    };
  }

  /** What becomes of somebody who would join a line. */
  private enum Entry {
    RUNS,
    WAITS,
    IS_THERE,
    BUSY,
    TOO_MANY_RUN,
    TOO_MANY_WAIT
  }

  private Entry entry(ArrayDeque<Place> line, boolean mayWait, Kind kind) {
    if (line.isEmpty()) {
      return Entry.RUNS;
    }
    if (kind == Kind.SHARED && line.stream().allMatch(place -> place.kind == Kind.SHARED)) {
      return line.size() <= maxWaiting ? Entry.RUNS : Entry.TOO_MANY_RUN;
    }
    if (!mayWait) {
      return Entry.BUSY;
    }
    if (kind == Kind.PROMISED) {
      return line.getLast().kind == Kind.PROMISED ? Entry.IS_THERE : Entry.WAITS;
    }
    // Closes have places of their own, one at least.
    long others =
        line.stream().skip(running(line)).filter(p -> p.kind.isClose() == kind.isClose()).count();
    return others < maxWaiting + (kind.isClose() ? 1L : 0L) ? Entry.WAITS : Entry.TOO_MANY_WAIT;
  }

  private Place counted(Place place) {
    if (waiting(place.kind).getAndIncrement() >= maxWaitingInAll && !place.kind.isClose()) {
      waiting(place.kind).decrementAndGet();
      place.leave();
      throw new Fault.Overloaded(
              "no more than "
                  + new Counted(maxWaitingInAll, "turn")
                  + " may wait for their sessions",
              Duration.ofSeconds(1))
          .asException();
    }
    place.counted = true;
    return place;
  }

  /** Returns how many of a line have their turn. */
  private static int running(ArrayDeque<Place> line) {
    return line.isEmpty()
        ? 0
        : (int) Math.max(1, line.stream().takeWhile(place -> place.kind == Kind.SHARED).count());
  }

  private static FaultException shuttingDown() {
    return new Fault.Unavailable("the router is shutting down").asException();
  }

  private static Fault busy(SessionId id, int turns) {
    return new Fault.Conflict(
        "session_busy",
        "session " + id.name() + " runs another turn; wait for its end, or ask to be queued",
        Map.of("turns", turns));
  }

  private Fault tooMany(SessionId id, String what, String doing) {
    return new Fault.Overloaded(
        "session %s has %s %s, the most there may be"
            .formatted(id.name(), new Counted(maxWaiting, what), doing),
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

  /** Returns whether a close is among a session's turns, running or not. */
  boolean ends(SessionId id) {
    boolean[] ends = new boolean[1];
    lines.computeIfPresent(
        id,
        (_, line) -> {
          ends[0] = line.stream().anyMatch(place -> place.kind.ends());
          return line;
        });
    return ends[0];
  }

  /** Returns how many turns and closes wait, of all sessions. */
  int waiting() {
    return turnsWaiting.get() + closesWaiting.get();
  }

  /** Closes, which find a place however many wait, take none of those of turns. */
  private AtomicInteger waiting(Kind kind) {
    return kind.isClose() ? closesWaiting : turnsWaiting;
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
