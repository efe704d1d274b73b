package dev.sojourn.engine.kv;

import dev.sojourn.engine.EvictionPolicy;
import java.util.Arrays;
import java.util.function.IntBinaryOperator;

/**
 * Which page goes first when room is needed. Holds the pages that may go, which are those without a
 * user and without a resident child; so a chain is taken from its tail.
 *
 * <p>The order: effective priority; then unleased before leased, or the other way round while
 * sessions hold more than their budget; then the policy's key; then the last use; then page number.
 * A use is what counts as a hit: of a page that was found in the cache, that a session still had,
 * or that a turn which was retracted came back to. Two heaps, one for each side of the lease, so
 * that passing the budget reorders nothing.
 *
 * <p>A page has two priorities, each that of the strongest request that used it: one for as long as
 * a session leases the page, one until its retention runs out. The effective priority is the
 * greater of those that last, and 0 without any.
 */
final class EvictionQueue {

  /** A retention that lasts as long as a session leases the page. */
  static final long WHILE_LEASED = Long.MAX_VALUE;

  private static final long ENDED = -1;

  private final int[] priority; // effective at the last use
  private final int[] effective;
  private final boolean[] bound; // whether a priority hangs on the lease
  private final int[] ofLease; // which, then
  private final long[] until; // nanoseconds; ENDED without a retention
  private final int[] retainedAt; // the priority until then
  private final long[] lastUse;
  private final long[] created;
  private final int[] hits; // how often a turn took a page that had its KV already
  private final IntBinaryOperator key; // compares two pages as the policy does
  private final PageHeap cached;
  private final PageHeap leased;
  private final PageHeap retained;

  EvictionQueue(int capacity, EvictionPolicy policy) {
    priority = new int[capacity];
    effective = new int[capacity];
    bound = new boolean[capacity];
    ofLease = new int[capacity];
    until = new long[capacity];
    retainedAt = new int[capacity];
    lastUse = new long[capacity];
    created = new long[capacity];
    hits = new int[capacity];
    Arrays.fill(until, ENDED);
    key = key(policy);
    cached = new PageHeap(capacity, this::goesBefore);
    leased = new PageHeap(capacity, this::goesBefore);
    retained = new PageHeap(capacity, (a, b) -> until[a] != until[b] ? until[a] < until[b] : a < b);
  }

  /** Notes that a page is new. */
  void create(int page, long stamp) {
    created[page] = stamp;
  }

  /** Notes that a turn takes a page that has its KV already; the page may not go now. */
  void hit(int page) {
    hits[page]++;
  }

  /** Makes a page one that may go. */
  void add(int page, boolean isLeased) {
    (isLeased ? cached : leased).remove(page);
    (isLeased ? leased : cached).put(page);
  }

  /** Makes a page one that may not go. */
  void remove(int page) {
    cached.remove(page);
    leased.remove(page);
  }

  boolean contains(int page) {
    return cached.contains(page) || leased.contains(page);
  }

  /** Forgets what is known of a page that was freed. */
  void forget(int page) {
    remove(page);
    retained.remove(page);
    priority[page] = 0;
    effective[page] = 0;
    bound[page] = false;
    until[page] = ENDED;
    lastUse[page] = 0;
    created[page] = 0;
    hits[page] = 0;
  }

  /** Returns the page that goes first, or {@link PagePool#NONE}. */
  int first(boolean overBudget) {
    int unheld = cached.first();
    int held = leased.first();
    if (unheld == PagePool.NONE || held == PagePool.NONE) {
      return unheld == PagePool.NONE ? held : unheld;
    }
    if (effective[unheld] != effective[held]) {
      return effective[unheld] < effective[held] ? unheld : held;
    }
    return overBudget ? held : unheld;
  }

  /** Notes a use of a page; a later one has a greater stamp. */
  void touch(int page, long stamp) {
    lastUse[page] = stamp;
    reorder(page);
  }

  /**
   * Notes that the last child of a page goes, whose later use is the page's own from now on. So it
   * is enough to {@link #touch} the tail of a chain.
   */
  void inherit(int page, int child) {
    lastUse[page] = Math.max(lastUse[page], lastUse[child]);
  }

  /**
   * Notes the priority of a request that used the page. A weaker one changes nothing while a
   * stronger one lasts, and of equals the longer lasts; but what hangs on a lease and what lasts
   * for a time do not displace each other.
   */
  void prioritise(int page, int by, long retainedUntil) {
    if (retainedUntil == WHILE_LEASED) {
      ofLease[page] = bound[page] ? Math.max(by, ofLease[page]) : by;
      bound[page] = true;
    } else if (isNews(page, by, retainedUntil)) {
      retainedAt[page] = by;
      until[page] = retainedUntil;
      retained.put(page);
    }
    effective[page] = lasting(page);
    priority[page] = effective[page];
    reorder(page);
  }

  /** Returns whether a retention changes something; priority 0 is what pages have without one. */
  private boolean isNews(int page, int by, long retainedUntil) {
    if (until[page] == ENDED) {
      return by != 0 || effective[page] < 0;
    }
    return by > retainedAt[page] || (by == retainedAt[page] && retainedUntil > until[page]);
  }

  /** Ends the priority of a page that nobody leases any more, if it hung on the lease. */
  void leaseEnded(int page) {
    if (bound[page]) {
      bound[page] = false;
      effective[page] = lasting(page);
      reorder(page);
    }
  }

  /** Ends all retentions whose time has come. */
  void expire(long now) {
    for (int page = retained.first();
        page != PagePool.NONE && until[page] <= now;
        page = retained.first()) {
      retained.remove(page);
      until[page] = ENDED;
      effective[page] = lasting(page);
      reorder(page);
    }
  }

  private int lasting(int page) {
    boolean isRetained = until[page] != ENDED;
    if (bound[page] && isRetained) {
      return Math.max(ofLease[page], retainedAt[page]);
    }
    return bound[page] ? ofLease[page] : isRetained ? retainedAt[page] : 0;
  }

  private void reorder(int page) {
    if (cached.contains(page)) {
      cached.put(page);
    } else if (leased.contains(page)) {
      leased.put(page);
    }
  }

  private IntBinaryOperator key(EvictionPolicy policy) {
    return switch (policy) {
      case LRU -> (a, b) -> 0;
      case LFU -> (a, b) -> Integer.compare(hits[a], hits[b]);
      case FIFO -> (a, b) -> Long.compare(created[a], created[b]);
      case MRU -> (a, b) -> Long.compare(lastUse[b], lastUse[a]);
      case FILO -> (a, b) -> Long.compare(created[b], created[a]);
      case SLRU -> (a, b) -> Boolean.compare(hits[a] >= 2, hits[b] >= 2);
      case PRIORITY -> (a, b) -> Integer.compare(priority[a], priority[b]);
    };
  }

  private boolean goesBefore(int a, int b) {
    if (effective[a] != effective[b]) {
      return effective[a] < effective[b];
    }
    int byKey = key.applyAsInt(a, b);
    if (byKey != 0) {
      return byKey < 0;
    }
    return lastUse[a] != lastUse[b] ? lastUse[a] < lastUse[b] : a < b;
  }
}
