package dev.sojourn.engine;

import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.locks.LockSupport;

/**
 * What other threads want of the one that owns an engine: commands, which it does in the order in
 * which each thread gave them. It rests while there are none.
 *
 * <p>When the owner has ended, whoever gives a command does it, and finds that out: no command is
 * forgotten, and none is done twice. Thread-safe; {@link #drain}, {@link #rest} and {@link #end}
 * are the owner's.
 */
final class Mailbox {

  private static final Logger LOG = System.getLogger(Mailbox.class.getName());

  private final Thread owner;
  private final Queue<Runnable> commands = new ConcurrentLinkedQueue<>();
  private volatile boolean closing;
  private volatile boolean ended;

  /** Creates an empty mailbox. */
  Mailbox(Thread owner) {
    this.owner = owner;
  }

  /** Gives a command; if it throws, the owner does, until it has ended. */
  void give(Runnable command) {
    commands.add(command);
    if (ended) {
      drain(); // nobody else does any more
    } else {
      LockSupport.unpark(owner);
    }
  }

  /** Asks the owner to end. */
  void close() {
    closing = true;
    LockSupport.unpark(owner);
  }

  /** Returns whether the owner was asked to end. */
  boolean closing() {
    return closing;
  }

  /** Returns whether the owner has ended. */
  boolean ended() {
    return ended;
  }

  /** Does what was given. What a command throws goes to the caller, until the owner has ended. */
  void drain() {
    for (Runnable command = commands.poll(); command != null; command = commands.poll()) {
      try {
        command.run();
      } catch (RuntimeException e) {
        if (!ended) {
          throw e; // no sink's or subscriber's fault, nor one that an answer tells of
        }
        LOG.log(
            Level.ERROR, "a sink of engine " + owner.getName() + ", which has ended, failed", e);
      }
    }
  }

  /** Waits so long, or until something is given, or until the owner is asked to end. */
  void rest(long nanos) {
    if (commands.isEmpty() && !closing) {
      LockSupport.parkNanos(this, nanos); // returns at once if unparked since it looked
    }
  }

  /** From now on the owner does nothing that is given. */
  void end() {
    ended = true;
    drain();
  }
}
