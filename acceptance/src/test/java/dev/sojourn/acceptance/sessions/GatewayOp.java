package dev.sojourn.acceptance.sessions;

import dev.sojourn.core.SessionControl.Action;
import java.util.Random;

/**
 * One operation on a {@link GatewayWorld}: data, as {@link Op}. Names, gateways and ranks are
 * numbers; a salt decides what is said and what is sampled.
 */
sealed interface GatewayOp {

  /** What a client sends of a conversation. */
  enum Way {
    FULL,
    DELTA,
    /** A delta that says what it believes the session to hold. */
    EXPECTING
  }

  /** A conversation goes on. */
  record Turn(int name, int gateway, Action action, Way way, int most, boolean streams, int salt)
      implements GatewayOp {}

  /** The last answer is asked for once more. */
  record Regenerate(int name, int gateway, int most, int salt) implements GatewayOp {}

  /** The user changes what was said, and all behind it goes. */
  record Edit(int name, int gateway, int at, int salt) implements GatewayOp {}

  /**
   * A turn with tools, whose answer calls one, and the turn that brings the result.
   *
   * @param other the gateway of the second
   * @param tools which list of them
   * @param spelled how the model writes the call
   */
  record Call(int name, int gateway, int other, Way way, int tools, int spelled, int salt)
      implements GatewayOp {}

  /** A turn that wants earlier answers as they were sampled. */
  record Sampled(int name, int gateway, Way way, int salt) implements GatewayOp {}

  /**
   * The conversation is sent under another system message.
   *
   * @param goesOn whether it then goes on from the answer, which is a mere summary if not
   */
  record Instruct(int name, int gateway, boolean goesOn, int salt) implements GatewayOp {}

  /** The conversation goes on from a summary of it. */
  record Compact(int name, int gateway, int salt) implements GatewayOp {}

  /** A request under a session's name that is none of its turns. */
  record Side(int name, int gateway, int salt) implements GatewayOp {}

  /** The last delta is sent again, by a client that has not seen its answer. */
  record Repeat(int name) implements GatewayOp {}

  /**
   * A session is started from another.
   *
   * @param turn whether with its first turn, or ahead of it
   */
  record Fork(int name, int parent, int gateway, boolean turn, Way way, int salt)
      implements GatewayOp {}

  /** A client hangs up after so many steps of its turn. */
  record HangUp(int name, int gateway, Way way, boolean regenerates, int steps, int salt)
      implements GatewayOp {}

  /** A second turn comes while one runs, perhaps by another gateway. */
  record Overlap(int name, int gateway, int other, Way way, int salt) implements GatewayOp {}

  /** A session is closed without a turn. */
  record Close(int name, int gateway, boolean retain) implements GatewayOp {}

  /** A session may idle for longer, or less long, until its next turn. */
  record Extend(int name, int gateway, int seconds) implements GatewayOp {}

  /** An engine closes a session behind everybody's back. */
  record Lose(int name) implements GatewayOp {}

  /** A gateway forgets what a session said, as when memory is short. */
  record Forget(int name, int gateway) implements GatewayOp {}

  /** Time passes. */
  record Time(int seconds) implements GatewayOp {}

  /** A rank leaves, or comes back with what it holds. */
  record Leave(int rank) implements GatewayOp {}

  /** A rank's worker takes no new sessions. */
  record Drain(int rank) implements GatewayOp {}

  /** A chat without a session. */
  record Plain(int gateway, int words, int salt) implements GatewayOp {}

  /** A tree of turns is opened, in SGLang's way. */
  record OpenTree(int tree, int gateway) implements GatewayOp {}

  /**
   * A turn of a tree.
   *
   * @param at which turn it goes on from; 0 for none
   */
  record Grow(int tree, int gateway, int at, boolean replaces, boolean drops, int offset, int salt)
      implements GatewayOp {}

  /** A tree is closed. */
  record CloseTree(int tree, int gateway) implements GatewayOp {}

  /** An engine loses a tree. */
  record LoseTree(int tree) implements GatewayOp {}

  /** Draws an operation; turns are the most frequent. */
  static GatewayOp draw(Random random) {
    int name = random.nextInt(4);
    int gateway = random.nextInt(3) == 0 ? 1 : 0;
    int salt = random.nextInt(10_000);
    return switch (random.nextInt(48)) {
      case 0, 1 -> new Regenerate(name, gateway, 1 + random.nextInt(12), salt);
      case 2 -> new Edit(name, gateway, random.nextInt(8), salt);
      case 3, 4 -> new Side(name, gateway, salt);
      case 5, 6 -> new Repeat(name);
      case 7, 8 ->
          new Fork(name, random.nextInt(4), gateway, random.nextBoolean(), way(random), salt);
      case 9, 10 ->
          new HangUp(name, gateway, way(random), random.nextBoolean(), random.nextInt(4), salt);
      case 11 -> new Overlap(name, gateway, random.nextInt(2), way(random), salt);
      case 12 -> new Close(name, gateway, random.nextBoolean());
      case 13 -> new Extend(name, gateway, 1 + random.nextInt(600));
      case 14 -> random.nextBoolean() ? new Lose(name) : new Leave(random.nextInt(2));
      case 15 -> random.nextInt(3) > 0 ? new Forget(name, gateway) : new Drain(random.nextInt(2));
      case 16 -> new Time(random.nextInt(random.nextInt(3) > 0 ? 60 : 700));
      case 17, 18 -> new Plain(gateway, random.nextInt(120), salt);
      case 19, 20, 21 ->
          new Call(
              name,
              gateway,
              random.nextInt(4) == 0 ? 1 - gateway : gateway,
              way(random),
              random.nextInt(2),
              random.nextInt(3),
              salt);
      case 22, 23 -> new Sampled(name, gateway, way(random), salt);
      case 24 -> new Instruct(name, gateway, random.nextBoolean(), salt);
      case 25 -> new Compact(name, gateway, salt);
      case 26, 27 -> new OpenTree(name % 2, gateway);
      case 28, 29, 30, 31, 32, 33 ->
          new Grow(
              name % 2,
              gateway,
              random.nextInt(12),
              random.nextInt(6) == 0,
              random.nextInt(4) == 0,
              random.nextInt(3) > 0 ? 0 : random.nextInt(80) - 20,
              salt);
      case 34 -> random.nextBoolean() ? new CloseTree(name % 2, gateway) : new LoseTree(name % 2);
      default ->
          new Turn(
              name,
              gateway,
              action(random),
              way(random),
              1 + random.nextInt(16),
              random.nextBoolean(),
              salt);
    };
  }

  private static Way way(Random random) {
    return Way.values()[random.nextInt(3)];
  }

  private static Action action(Random random) {
    return switch (random.nextInt(16)) {
      case 0 -> Action.CLOSE;
      case 1 -> Action.BIND;
      case 2, 3, 4 -> Action.OPEN;
      default -> Action.CONTINUE;
    };
  }
}
