package dev.sojourn.router.affinity;

import dev.sojourn.core.Incarnation;
import dev.sojourn.core.WorkerRank;
import java.time.Duration;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;

/**
 * What a session's name stands for at one moment. Immutable; the transitions return what follows.
 *
 * <pre>
 *         initialise                 commit
 * Vacant ────────────► Opening ────────────────► Bound ◄──┐ acquire, release, extend, repin
 *   ▲                     │ remove                 │ └─────┘
 *   └─────────────────────┴────────────────────────┘ remove, or claimed when idle for too long
 * </pre>
 *
 * A session that an engine holds and nobody binds may be adopted: Vacant becomes Bound at once.
 *
 * <p>A <b>revision</b> is new with each initialise, commit and repin, and never comes again for any
 * name; taking and giving back leases and extending the idle time keep it. Whoever changes a
 * binding names the revision that it saw.
 */
public sealed interface Binding {

  /** Nobody has opened the name. */
  record Vacant() implements Binding {}

  /**
   * One turn opens the session; there is no target yet that others could use.
   *
   * @param revision see {@link Binding}
   * @param incarnation the life that begins
   * @param terms what it is opened with
   * @param opener the lease of the turn that opens it
   */
  record Opening(long revision, Incarnation incarnation, Terms terms, Lease opener)
      implements Binding {

    /** Returns the binding after a worker accepted the opener's dispatch. */
    public Bound commit(long nextRevision, WorkerRank target) {
      return new Bound(
          nextRevision,
          incarnation,
          terms,
          target,
          Set.of(opener),
          0,
          Optional.empty(),
          Optional.empty());
    }
  }

  /**
   * The session lives on a rank.
   *
   * @param revision see {@link Binding}
   * @param incarnation which life of the session
   * @param terms what it was opened with
   * @param target where it lives
   * @param leases the turns that run
   * @param idleDeadlineNanos when it ends, by the store's clock; means nothing while there are
   *     leases
   * @param allowance the idle time that begins when the last lease ends, where it was extended
   *     while there was one; else it is the timeout of the terms
   * @param tip how far its last turn got, if that is known
   */
  record Bound(
      long revision,
      Incarnation incarnation,
      Terms terms,
      WorkerRank target,
      Set<Lease> leases,
      long idleDeadlineNanos,
      Optional<Duration> allowance,
      Optional<Tip> tip)
      implements Binding {

    public Bound {
      leases = Set.copyOf(leases);
    }

    /** Returns the binding of a session that is there and idle. */
    public static Bound idle(
        long revision,
        Incarnation incarnation,
        Terms terms,
        WorkerRank target,
        long idleDeadlineNanos) {
      return new Bound(
          revision,
          incarnation,
          terms,
          target,
          Set.of(),
          idleDeadlineNanos,
          Optional.empty(),
          Optional.empty());
    }

    /** Returns the binding with one more lease. */
    public Bound acquire(Lease lease) {
      Set<Lease> more = new HashSet<>(leases);
      more.add(lease);
      return with(more, idleDeadlineNanos, allowance);
    }

    /** Returns the binding of a session that has got further. */
    public Bound at(Tip reached) {
      return new Bound(
          revision,
          incarnation,
          terms,
          target,
          leases,
          idleDeadlineNanos,
          allowance,
          Optional.of(reached));
    }

    /** Returns the binding without a lease; its idle time begins if that was the last. */
    public Bound release(Lease lease, long nowNanos) {
      if (!leases.contains(lease)) {
        return this;
      }
      Set<Lease> fewer = new HashSet<>(leases);
      fewer.remove(lease);
      return fewer.isEmpty()
          ? with(fewer, nowNanos + allowance.orElse(terms.timeout()).toNanos(), Optional.empty())
          : with(fewer, idleDeadlineNanos, allowance);
    }

    /**
     * Returns the binding with this idle time until its next turn, from now on or from the moment
     * on at which the last lease ends.
     */
    public Bound extend(Duration idle, long nowNanos) {
      return leases.isEmpty()
          ? with(leases, nowNanos + idle.toNanos(), Optional.empty())
          : with(leases, idleDeadlineNanos, Optional.of(idle));
    }

    /** Returns the binding after its session moved; the new place is a new life of it. */
    public Bound repin(long nextRevision, WorkerRank nextTarget, Incarnation nextIncarnation) {
      return new Bound(
          nextRevision,
          nextIncarnation,
          terms,
          nextTarget,
          leases,
          idleDeadlineNanos,
          allowance,
          tip);
    }

    /** Returns whether it has ended by idling: no lease, and the deadline is now or past. */
    public boolean expiredAt(long nowNanos) {
      return leases.isEmpty() && idleDeadlineNanos - nowNanos <= 0;
    }

    private Bound with(Set<Lease> nextLeases, long nextDeadline, Optional<Duration> nextAllowance) {
      return new Bound(
          revision, incarnation, terms, target, nextLeases, nextDeadline, nextAllowance, tip);
    }
  }
}
