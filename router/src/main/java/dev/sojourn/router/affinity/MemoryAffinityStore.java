package dev.sojourn.router.affinity;

import dev.sojourn.core.Clock;
import dev.sojourn.core.Incarnation;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.router.affinity.AffinityStore.Initialised.Full;
import dev.sojourn.router.affinity.AffinityStore.Initialised.Present;
import dev.sojourn.router.affinity.AffinityStore.Initialised.Won;
import dev.sojourn.router.affinity.Binding.Bound;
import dev.sojourn.router.affinity.Binding.Opening;
import dev.sojourn.router.affinity.Binding.Vacant;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * Bindings in this process's memory. Thread-safe; blocks nobody for longer than one map operation.
 *
 * <p>Each change is one step of a pure function inside the map's own per-name atomicity. Expiry is
 * exact: a set ordered by deadline holds at most one slot per name. A slot is lazy: a turn that
 * ends moves the deadline of its binding, not the slot; a slot that comes due too early is put
 * where it belongs. Only one that would come due too late is moved at once. So a turn costs the
 * ordered set nothing.
 *
 * <p>Watchers are told outside of any lock: a change is queued within its step, which gives the
 * changes of a name their order, and whoever finds the queue unattended delivers it.
 */
public final class MemoryAffinityStore implements AffinityStore {

  /** How many names a store holds if nobody says otherwise; Dynamo's. */
  public static final int DEFAULT_ENTRIES = 65_536;

  private static final System.Logger LOG = System.getLogger(MemoryAffinityStore.class.getName());
  private static final Binding VACANT = new Vacant();

  private final Clock clock;
  private final int maxEntries;
  private final ConcurrentHashMap<SessionId, Cell> cells = new ConcurrentHashMap<>();
  private final ConcurrentSkipListSet<Slot> slots = new ConcurrentSkipListSet<>();
  private final AtomicInteger entries = new AtomicInteger();
  private final AtomicLong revisions = new AtomicLong();
  private final AtomicLong slotNumbers = new AtomicLong();
  private final List<Consumer<Change>> watchers = new CopyOnWriteArrayList<>();
  private final Queue<Change> changes = new ConcurrentLinkedQueue<>();
  private final AtomicInteger undelivered = new AtomicInteger();

  /** A binding and its place among the deadlines, if it has one. */
  private record Cell(Binding binding, @Nullable Slot slot) {}

  /** A moment at which to look at a name. */
  private record Slot(long deadlineNanos, long number, SessionId id) implements Comparable<Slot> {

    @Override
    public int compareTo(Slot other) {
      long later = deadlineNanos - other.deadlineNanos;
      return later != 0 ? Long.signum(later) : Long.compare(number, other.number);
    }
  }

  /** What a change started from and led to; equal if there was none. */
  private record Step(Binding before, Binding after) {

    boolean happened() {
      return !before.equals(after);
    }

    Optional<Bound> bound() {
      return happened() && after instanceof Bound bound ? Optional.of(bound) : Optional.empty();
    }
  }

  /** Creates an empty store that holds at most {@code maxEntries} names. */
  public MemoryAffinityStore(Clock clock, int maxEntries) {
    if (maxEntries < 1) {
      throw new IllegalArgumentException("a store holds at least 1 name, not " + maxEntries);
    }
    this.clock = clock;
    this.maxEntries = maxEntries;
  }

  @Override
  public Initialised initialise(SessionId id, Incarnation incarnation, Terms terms, Lease opener) {
    Step step =
        change(
            id,
            binding -> {
              if (!(binding instanceof Vacant) || !reserveEntry()) {
                return binding;
              }
              return new Opening(revisions.incrementAndGet(), incarnation, terms, opener);
            });
    if (step.happened() && step.after() instanceof Opening opening) {
      return new Won(opening);
    }
    return step.before() instanceof Vacant ? new Full(maxEntries) : new Present(step.before());
  }

  @Override
  public Optional<Bound> commit(SessionId id, long revision, WorkerRank target) {
    return change(
            id,
            binding ->
                binding instanceof Opening opening && opening.revision() == revision
                    ? opening.commit(revisions.incrementAndGet(), target)
                    : binding)
        .bound();
  }

  @Override
  public boolean adopt(
      SessionId id, Incarnation incarnation, Terms terms, WorkerRank target, Duration idle) {
    return change(
            id,
            binding -> {
              if (!(binding instanceof Vacant) || !reserveEntry()) {
                return binding;
              }
              return Bound.idle(
                  revisions.incrementAndGet(),
                  incarnation,
                  terms,
                  target,
                  clock.nanos() + idle.toNanos());
            })
        .happened();
  }

  @Override
  public Optional<Bound> acquire(SessionId id, long revision, Lease lease) {
    return changeBound(
            id, revision, bound -> bound.expiredAt(clock.nanos()) ? bound : bound.acquire(lease))
        .bound();
  }

  @Override
  public boolean release(SessionId id, Lease lease, Optional<Tip> tip) {
    return change(
            id,
            binding -> {
              if (!(binding instanceof Bound bound) || !bound.leases().contains(lease)) {
                return binding;
              }
              return tip.map(bound::at).orElse(bound).release(lease, clock.nanos());
            })
        .happened();
  }

  @Override
  public Optional<Bound> extend(SessionId id, long revision, Duration idle) {
    long now = clock.nanos();
    Binding after =
        changeBound(id, revision, bound -> bound.expiredAt(now) ? bound : bound.extend(idle, now))
            .after();
    // Not only if something changed: what is extended twice at one moment is extended.
    return after instanceof Bound bound && bound.revision() == revision && !bound.expiredAt(now)
        ? Optional.of(bound)
        : Optional.empty();
  }

  @Override
  public Binding peek(SessionId id) {
    Cell cell = cells.get(id);
    return cell == null ? VACANT : cell.binding();
  }

  @Override
  public Optional<Bound> repin(
      SessionId id, long revision, WorkerRank target, Incarnation incarnation) {
    return changeBound(
            id, revision, bound -> bound.repin(revisions.incrementAndGet(), target, incarnation))
        .bound();
  }

  @Override
  public boolean remove(SessionId id, long revision) {
    return change(id, binding -> revisionOf(binding) == revision ? VACANT : binding).happened();
  }

  @Override
  public boolean removeIdle(SessionId id, long revision) {
    return changeBound(id, revision, bound -> bound.leases().isEmpty() ? VACANT : bound).happened();
  }

  @Override
  public Optional<Bound> claimExpired(SessionId id, long revision) {
    Step step = changeBound(id, revision, bound -> bound.expiredAt(clock.nanos()) ? VACANT : bound);
    return step.happened() && step.before() instanceof Bound bound
        ? Optional.of(bound)
        : Optional.empty();
  }

  @Override
  public List<Entry> expired(int limit) {
    long now = clock.nanos();
    List<Entry> due = new ArrayList<>();
    for (Slot slot : slots) {
      if (due.size() == limit || slot.deadlineNanos() - now > 0) {
        break;
      }
      Cell cell = cells.computeIfPresent(slot.id(), (_, seen) -> replaced(seen, slot, now));
      if (cell != null && cell.binding() instanceof Bound bound && bound.expiredAt(now)) {
        due.add(new Entry(slot.id(), bound));
      }
    }
    return due;
  }

  /** Puts a slot that has come due where its binding's deadline is now, if that is later. */
  private Cell replaced(Cell cell, Slot slot, long now) {
    boolean stays = cell.binding() instanceof Bound bound && bound.expiredAt(now);
    if (!slot.equals(cell.slot()) || stays) {
      return cell;
    }
    slots.remove(slot);
    return new Cell(cell.binding(), slotFor(slot.id(), cell.binding()));
  }

  @Override
  public OptionalLong nextDeadlineNanos() {
    for (Slot slot : slots) {
      return OptionalLong.of(slot.deadlineNanos());
    }
    return OptionalLong.empty();
  }

  @Override
  public void scan(Consumer<Entry> visitor) {
    cells.forEach((id, cell) -> visitor.accept(new Entry(id, cell.binding())));
  }

  @Override
  public Watch watch(Consumer<Change> watcher) {
    watchers.add(watcher);
    return () -> watchers.remove(watcher);
  }

  @Override
  public void dropOwner(OwnerEpoch owner) {
    for (SessionId id : cells.keySet()) {
      change(id, binding -> withoutOwner(binding, owner));
    }
  }

  @Override
  public void close() {
    watchers.clear();
  }

  private Binding withoutOwner(Binding binding, OwnerEpoch owner) {
    return switch (binding) {
      case Vacant vacant -> vacant;
      case Opening opening -> opening.opener().owner().equals(owner) ? VACANT : opening;
      case Bound bound -> {
        Bound left = bound;
        for (Lease lease : bound.leases()) {
          left = lease.owner().equals(owner) ? left.release(lease, clock.nanos()) : left;
        }
        yield left;
      }
    };
  }

  private Step changeBound(
      SessionId id, long revision, java.util.function.Function<Bound, Binding> next) {
    return change(
        id,
        binding ->
            binding instanceof Bound bound && bound.revision() == revision
                ? next.apply(bound)
                : binding);
  }

  /** The one place where a binding changes; {@code next} returns its argument for no change. */
  private Step change(SessionId id, UnaryOperator<Binding> next) {
    Step[] step = new Step[1];
    cells.compute(
        id,
        (_, cell) -> {
          Binding before = cell == null ? VACANT : cell.binding();
          Binding after = next.apply(before);
          step[0] = new Step(before, after);
          if (!step[0].happened()) {
            return cell;
          }
          if (revisionOf(before) != revisionOf(after)) {
            changes.add(new Change(id, before, after));
          }
          return cellAfter(id, cell == null ? null : cell.slot(), after);
        });
    deliver();
    return Objects.requireNonNull(step[0]);
  }

  private @Nullable Cell cellAfter(SessionId id, @Nullable Slot slot, Binding after) {
    if (after instanceof Vacant) {
      if (slot != null) {
        slots.remove(slot);
      }
      entries.decrementAndGet();
      return null;
    }
    if (slot != null && isLate(slot, after)) {
      slots.remove(slot);
      return new Cell(after, slotFor(id, after));
    }
    return new Cell(after, slot != null ? slot : slotFor(id, after));
  }

  /** Returns whether a binding expires before its slot comes due: its idle time was shortened. */
  private static boolean isLate(Slot slot, Binding binding) {
    return binding instanceof Bound bound
        && bound.leases().isEmpty()
        && slot.deadlineNanos() - bound.idleDeadlineNanos() > 0;
  }

  private @Nullable Slot slotFor(SessionId id, Binding binding) {
    if (!(binding instanceof Bound bound) || !bound.leases().isEmpty()) {
      return null;
    }
    Slot slot = new Slot(bound.idleDeadlineNanos(), slotNumbers.incrementAndGet(), id);
    slots.add(slot);
    return slot;
  }

  /** Takes a place, if there is one; who finds none is never in another's way. */
  private boolean reserveEntry() {
    return entries.getAndUpdate(taken -> Math.min(taken + 1, maxEntries)) < maxEntries;
  }

  /** Revisions begin at 1; a vacant name has none. */
  private static long revisionOf(Binding binding) {
    return switch (binding) {
      case Vacant _ -> 0;
      case Opening opening -> opening.revision();
      case Bound bound -> bound.revision();
    };
  }

  private void deliver() {
    if (changes.isEmpty() || undelivered.getAndIncrement() != 0) {
      return;
    }
    int seen = 1;
    do {
      for (Change change = changes.poll(); change != null; change = changes.poll()) {
        for (Consumer<Change> watcher : watchers) {
          tell(watcher, change);
        }
      }
      seen = undelivered.addAndGet(-seen);
    } while (seen != 0);
  }

  private static void tell(Consumer<Change> watcher, Change change) {
    try {
      watcher.accept(change);
    } catch (RuntimeException e) {
      // One watcher's mistake must not keep the others from hearing of later changes.
      LOG.log(System.Logger.Level.ERROR, "a watcher of bindings failed", e);
    }
  }
}
