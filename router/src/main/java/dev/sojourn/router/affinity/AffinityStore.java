package dev.sojourn.router.affinity;

import dev.sojourn.core.Incarnation;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.router.affinity.Binding.Bound;
import dev.sojourn.router.affinity.Binding.Opening;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Consumer;

/**
 * Where bindings live: in memory, or on a server that several gateways share.
 *
 * <p>Plain get and put cannot be made free of races, so each operation is atomic for its name, and
 * each change names the revision it is based on: where that is no longer the present one, nothing
 * happens and the answer says so. Changes of one name are totally ordered. Operations may block;
 * the caller is a virtual thread. Thread-safe.
 */
public interface AffinityStore extends AutoCloseable {

  /** What an {@link #initialise} met. */
  sealed interface Initialised {

    /** The name was vacant and is the caller's to open. */
    record Won(Opening opening) implements Initialised {}

    /** Somebody was first. */
    record Present(Binding binding) implements Initialised {}

    /** The store holds as many names as it may. */
    record Full(int entries) implements Initialised {}
  }

  /**
   * A change that happened.
   *
   * @param id whose binding changed
   * @param before what it was
   * @param after what it is
   */
  record Change(SessionId id, Binding before, Binding after) {}

  /** A name and its binding. */
  record Entry(SessionId id, Binding binding) {}

  /** A subscription that can be ended. */
  @FunctionalInterface
  interface Watch extends AutoCloseable {

    /** Ends it. A change that is being delivered may still arrive. */
    @Override
    void close();
  }

  /** Makes a vacant name {@link Opening}, held by {@code opener}. */
  Initialised initialise(SessionId id, Incarnation incarnation, Terms terms, Lease opener);

  /** Makes an opening with this revision {@link Bound}; its opener's lease stays held. */
  Optional<Bound> commit(SessionId id, long revision, WorkerRank target);

  /**
   * Makes a vacant name {@link Bound} to a session that is there already and idle, and may idle for
   * so much longer. Returns whether it did: somebody may have been first, or the store be full.
   */
  boolean adopt(
      SessionId id, Incarnation incarnation, Terms terms, WorkerRank target, Duration idle);

  /** Takes a lease on a binding with this revision that has not expired. */
  Optional<Bound> acquire(SessionId id, long revision, Lease lease);

  /**
   * Gives a lease back, whatever revision the binding has by now. With the last one the idle time
   * begins. Returns whether it was held.
   *
   * @param tip how far the session has got, if the turn committed something
   */
  boolean release(SessionId id, Lease lease, Optional<Tip> tip);

  /** As {@link #release(SessionId, Lease, Optional)}, of a turn that committed nothing. */
  default boolean release(SessionId id, Lease lease) {
    return release(id, lease, Optional.empty());
  }

  /**
   * Lets a binding with this revision that has not expired be idle for {@code idle} until its next
   * turn: from now on, or from the moment on at which its last lease ends. After that turn the
   * timeout of its terms counts again.
   */
  Optional<Bound> extend(SessionId id, long revision, Duration idle);

  /**
   * Returns what the name stands for; refreshes nothing. It may show a binding that has expired.
   */
  Binding peek(SessionId id);

  /** Moves a binding with this revision to another rank and life; leases stay. */
  Optional<Bound> repin(SessionId id, long revision, WorkerRank target, Incarnation incarnation);

  /** Makes an opening or binding with this revision vacant, whoever holds leases on it. */
  boolean remove(SessionId id, long revision);

  /** Makes a binding with this revision vacant unless somebody holds a lease on it. */
  boolean removeIdle(SessionId id, long revision);

  /**
   * Makes a binding with this revision vacant if it has expired. Of all gateways that try exactly
   * one gets it, and has to end what it stood for.
   */
  Optional<Bound> claimExpired(SessionId id, long revision);

  /** Returns at most {@code limit} bindings that have expired, and that nobody has claimed. */
  List<Entry> expired(int limit);

  /** Returns a moment, by the store's clock, before which none expires; empty if none can. */
  OptionalLong nextDeadlineNanos();

  /** Calls {@code visitor} with each name that is not vacant, in no order, while others change. */
  void scan(Consumer<Entry> visitor);

  /**
   * Calls {@code watcher} after each change of what a name stands for, outside any lock; taking and
   * giving back leases and extending the idle time are no such changes. Changes of one name come in
   * their order. The watcher may use the store.
   */
  Watch watch(Consumer<Change> watcher);

  /** Ends the leases and openings of an owner that is gone. */
  void dropOwner(OwnerEpoch owner);

  /** Ends the connection, if there is one. */
  @Override
  void close();
}
