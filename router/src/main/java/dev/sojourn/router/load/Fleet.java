package dev.sojourn.router.load;

import dev.sojourn.core.WorkerRank;
import dev.sojourn.router.index.PrefixIndex;
import dev.sojourn.router.lifecycle.Presence;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * The ranks that are there now. Readers see an immutable list; a change replaces it. Thread-safe.
 */
public final class Fleet {

  private final PrefixIndex index;

  /** Guarded by this, as is {@link #slots}. */
  private final TreeMap<WorkerRank, Rank> ranks = new TreeMap<>();

  private final BitSet slots = new BitSet();
  private volatile Live live = new Live(List.of(), Map.of(), 0);

  private record Live(List<Rank> list, Map<WorkerRank, Rank> byId, int slots) {}

  /** Creates an empty fleet whose ranks feed {@code index}. */
  public Fleet(PrefixIndex index) {
    this.index = index;
  }

  /**
   * Adds a rank.
   *
   * @throws IllegalArgumentException if it is there already
   */
  public synchronized void add(WorkerRank id, int pages, int maxRunning) {
    if (ranks.containsKey(id)) {
      throw new IllegalArgumentException("rank " + id + " is there already");
    }
    int slot = slots.nextClearBit(0);
    slots.set(slot);
    ranks.put(id, new Rank(id, slot, pages, maxRunning, index.feed(slot)));
    publish();
  }

  /** Removes a rank, if it is there, and what the index knows of it. */
  public synchronized void remove(WorkerRank id) {
    Rank rank = ranks.remove(id);
    if (rank != null) {
      publish();
      rank.feed().close();
      slots.clear(rank.slot());
    }
  }

  /** Returns the ranks, in their order. */
  public List<Rank> ranks() {
    return live.list();
  }

  /** Returns a rank, if it is there. */
  public Optional<Rank> find(WorkerRank id) {
    return Optional.ofNullable(live.byId().get(id));
  }

  /** Returns whether a rank is there, as of one moment. */
  public Presence presence(WorkerRank id) {
    Live now = live; // a rank that comes meanwhile is not gone
    if (now.byId().containsKey(id)) {
      return Presence.LIVE;
    }
    return now.list().isEmpty() ? Presence.ABSENT : Presence.GONE;
  }

  /** Returns one more than the highest slot in use. */
  public int slots() {
    return live.slots();
  }

  private void publish() {
    live = new Live(List.copyOf(ranks.values()), Map.copyOf(ranks), slots.length());
  }
}
