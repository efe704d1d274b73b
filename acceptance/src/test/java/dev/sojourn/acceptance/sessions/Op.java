package dev.sojourn.acceptance.sessions;

import dev.sojourn.core.SessionControl.Action;
import java.util.Random;

/**
 * One operation on a {@link World}. Operations are data and do not depend on what came before: one
 * that does not apply where it stands does nothing. So a script can be cut anywhere.
 */
sealed interface Op {

  /** What becomes of a call to a worker. */
  enum Fate {
    WORKS,
    /** The worker says no. */
    REFUSED,
    /** The call does not get there. */
    LOST,
    /** It gets there; the answer does not come back. */
    ANSWER_LOST
  }

  /**
   * A turn of a session begins.
   *
   * @param name which session
   * @param action what happens to it
   * @param delta whether only what is new is sent
   * @param cut how many ids a full prompt leaves off the end of what is committed
   * @param fresh how many new ids there are
   * @param most the most ids to sample
   * @param stop whether an end of turn ends it
   * @param queues whether it waits for the turn before it
   * @param pin the rank that it insists on; any if negative
   */
  record Turn(
      int name,
      Action action,
      boolean delta,
      int cut,
      int fresh,
      int most,
      boolean stop,
      boolean queues,
      int pin,
      int salt)
      implements Op {}

  /**
   * A session is opened from another.
   *
   * @param shares whether it starts with the other's context, or only belongs to it
   */
  record Fork(int name, int parent, boolean shares, int fresh, int most, int salt) implements Op {}

  /** A request under a session's name that shares only the beginning with it. */
  record Side(int name, int fresh, int most, int salt) implements Op {}

  /** A regular session is opened. */
  record OpenTree(int name) implements Op {}

  /**
   * A turn of a regular session begins.
   *
   * @param base the how manyth latest of the turns that its client knows of it goes on from; it
   *     begins anew if negative
   * @param replace whether it takes the place of what follows that
   * @param drop whether it goes on from that one's prompt
   * @param offset cuts what it goes on from
   * @param last whether the session ends with it
   */
  record TreeTurn(
      int name,
      int base,
      boolean replace,
      boolean drop,
      int offset,
      int fresh,
      int most,
      boolean stop,
      boolean last,
      int salt)
      implements Op {}

  /** A request without a session. */
  record Plain(int prefix, int fresh, int most, int priority, int salt) implements Op {}

  /** A request without a session that takes a share of all pages, in tenths. */
  record FillPool(int tenths, int salt) implements Op {}

  /** A prompt that no context has room for. */
  record Overlong(int name) implements Op {}

  /** A request that only asks where it would go. */
  record Query(int name) implements Op {}

  /**
   * A turn that is on its way to a rank takes so many of the steps there: select, open, dispatch.
   */
  record Advance(int nth, int steps) implements Op {}

  /** A client hangs up: in the queue, before or while its turn runs. */
  record Abort(int nth) implements Op {}

  /** A client hangs up whose turn waits for another. */
  record Interrupt(int nth) implements Op {}

  /** A session is closed without a turn. */
  record Close(int name, boolean retain) implements Op {}

  /** A session may idle for longer, or less long, until its next turn. */
  record Extend(int name, int seconds) implements Op {}

  /** A rank does steps. */
  record Steps(int rank, int count) implements Op {}

  /** Time passes, and what is due is done. */
  record Time(int millis) implements Op {}

  /** A worker's process ends and is started anew. */
  record Crash(int rank) implements Op {}

  /** A rank's engine dies and the rank leaves; what comes back in its place is empty. */
  record Die(int rank) implements Op {}

  /**
   * The gateway begins anew.
   *
   * @param forgets whether its process ended with all that it knew, and found no time to tell
   *     anybody; else its turns end and the next one takes over its bindings
   */
  record Restart(boolean forgets) implements Op {}

  /** The last delta of a session is sent again, and is answered as before, without a rank. */
  record Repeat(int name) implements Op {}

  /** A rank leaves the fleet, or comes back with what it holds. */
  record Leave(int rank) implements Op {}

  /** A rank's worker takes no new sessions. */
  record Drain(int rank) implements Op {}

  /** What becomes of the next open. */
  record Opens(Fate fate) implements Op {}

  /** What becomes of the next closes. */
  record Closes(Fate fate, int count) implements Op {}

  /** A rank's model fails in its next step. */
  record ModelFails(int rank) implements Op {}

  /** Draws an operation; those that get turns on are the most frequent. */
  static Op draw(Random random) {
    return switch (random.nextInt(44)) {
      case 0, 1, 2, 3, 4 ->
          new Turn(
              random.nextInt(4),
              action(random),
              random.nextBoolean(),
              random.nextInt(4) == 0 ? 1 + random.nextInt(30) : 0,
              random.nextInt(30),
              1 + random.nextInt(20),
              random.nextBoolean(),
              random.nextInt(4) > 0,
              random.nextInt(16) == 0 ? random.nextInt(3) : -1,
              random.nextInt(1000));
      case 5 -> random.nextInt(2) == 0 ? fork(random) : side(random);
      case 6, 7 ->
          new Plain(
              random.nextInt(3),
              random.nextInt(30),
              1 + random.nextInt(60),
              random.nextInt(4) - 1,
              random.nextInt(1000));
      case 8 -> rare(random);
      case 9 -> random.nextInt(3) > 0 ? new Abort(random.nextInt(8)) : drawAdvance(random);
      case 10 -> new Time(random.nextInt(random.nextInt(6) > 0 ? 500 : 30_000));
      case 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21 -> drawAdvance(random);
      case 22, 23, 24 -> treeTurn(random);
      case 25 -> new OpenTree(tree(random));
      default -> new Steps(random.nextInt(3), 1 + random.nextInt(10));
    };
  }

  /** Draws the name of a regular session; {@link #any} draws that of any. */
  private static int tree(Random random) {
    return 4 + random.nextInt(2);
  }

  private static int any(Random random) {
    return random.nextInt(6);
  }

  private static Op treeTurn(Random random) {
    return new TreeTurn(
        tree(random),
        random.nextInt(5) == 0 ? -1 : random.nextBoolean() ? 0 : random.nextInt(8),
        random.nextInt(4) == 0,
        random.nextInt(6) == 0,
        switch (random.nextInt(4)) {
          case 0 -> -1;
          case 1 -> random.nextInt(60) - 20;
          default -> 0;
        },
        random.nextInt(30),
        1 + random.nextInt(20),
        random.nextBoolean(),
        random.nextInt(24) == 0,
        random.nextInt(1000));
  }

  private static Op side(Random random) {
    return new Side(
        random.nextInt(4), 1 + random.nextInt(30), 1 + random.nextInt(10), random.nextInt(1000));
  }

  private static Op fork(Random random) {
    return new Fork(
        random.nextInt(4),
        random.nextInt(4),
        random.nextInt(4) > 0,
        random.nextInt(30),
        1 + random.nextInt(20),
        random.nextInt(1000));
  }

  private static Action action(Random random) {
    return switch (random.nextInt(16)) {
      case 0 -> Action.CLOSE;
      case 1 -> Action.BIND;
      case 2, 3, 4, 5 -> Action.OPEN;
      default -> Action.CONTINUE;
    };
  }

  private static Op drawAdvance(Random random) {
    return new Advance(random.nextInt(8), 1 + random.nextInt(3));
  }

  private static Op rare(Random random) {
    return switch (random.nextInt(18)) {
      case 0 -> new FillPool(5 + random.nextInt(6), random.nextInt(1000));
      case 1 -> new Overlong(random.nextInt(4));
      case 2, 3 -> new Query(any(random));
      case 4, 5 -> new Interrupt(random.nextInt(4));
      case 6 -> new Close(any(random), random.nextBoolean());
      case 7 ->
          random.nextInt(3) == 0 ? new Crash(random.nextInt(3)) : new Leave(random.nextInt(3));
      case 8 -> new Leave(random.nextInt(3));
      case 9 -> new Drain(random.nextInt(3));
      case 10 -> new ModelFails(random.nextInt(3));
      case 14 -> new Die(random.nextInt(3));
      case 15 -> new Restart(random.nextBoolean());
      case 16 -> new Repeat(random.nextInt(4));
      case 13 -> new Extend(any(random), 1 + random.nextInt(60));
      case 11, 12 -> new Opens(Fate.values()[random.nextInt(4)]);
      default ->
          new Closes(
              random.nextBoolean() ? Fate.LOST : Fate.ANSWER_LOST,
              1 + random.nextInt(random.nextBoolean() ? 3 : 30));
    };
  }
}
