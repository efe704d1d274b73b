package dev.sojourn.router.load;

import dev.sojourn.core.BlockHasher;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.router.index.PrefixIndex;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A rank that can be chosen, and what it is booked for: prompt tokens that are still to be computed
 * (until a turn's first token) and the blocks that turns hold (until their end). Thread-safe.
 */
public final class Rank {

  private final WorkerRank id;
  private final int slot;
  private final int pages;
  private final int maxRunning;
  private final PrefixIndex.Feed feed;
  private final AtomicLong prefillTokens = new AtomicLong();
  private final AtomicLong decodeBlocks = new AtomicLong();
  private final AtomicInteger requests = new AtomicInteger();
  private volatile boolean draining;

  Rank(WorkerRank id, int slot, int pages, int maxRunning, PrefixIndex.Feed feed) {
    this.id = id;
    this.slot = slot;
    this.pages = pages;
    this.maxRunning = maxRunning;
    this.feed = feed;
  }

  /** Returns which rank it is. */
  public WorkerRank id() {
    return id;
  }

  /** Returns its number in the prefix index. */
  public int slot() {
    return slot;
  }

  /** Returns how many KV pages it has. */
  public int pages() {
    return pages;
  }

  /** Returns how many turns it runs at the same time. */
  public int maxRunning() {
    return maxRunning;
  }

  /** Returns where its KV events go. */
  public PrefixIndex.Feed feed() {
    return feed;
  }

  /** Returns whether it takes no new sessions. */
  public boolean draining() {
    return draining;
  }

  /** Says whether it takes no new sessions. */
  public void drain(boolean drain) {
    draining = drain;
  }

  /** Returns prompt tokens still to be computed for booked turns. */
  public long prefillTokens() {
    return prefillTokens.get();
  }

  /** Returns the blocks that booked turns hold. */
  public long decodeBlocks() {
    return decodeBlocks.get();
  }

  /** Returns how many turns are booked. */
  public int requests() {
    return requests.get();
  }

  /**
   * Books a turn.
   *
   * @param promptTokens its whole context
   * @param uncachedTokens the part that has to be computed
   */
  public Booking book(int promptTokens, int uncachedTokens) {
    return new Booking(promptTokens, uncachedTokens);
  }

  private static long blocks(long tokens) {
    return (tokens + BlockHasher.BLOCK - 1) / BlockHasher.BLOCK;
  }

  /**
   * What one turn is booked for. It gives back exactly what it took, also when its rank has left in
   * between. Used by one thread.
   */
  public final class Booking {

    private final int promptTokens;
    private long bookedPrefill;
    private long bookedBlocks;
    private long generated;
    private boolean released;

    private Booking(int promptTokens, int uncachedTokens) {
      this.promptTokens = promptTokens;
      bookedPrefill = uncachedTokens;
      bookedBlocks = blocks(promptTokens);
      prefillTokens.addAndGet(bookedPrefill);
      decodeBlocks.addAndGet(bookedBlocks);
      requests.incrementAndGet();
    }

    /** Ends the prefill phase. */
    public void firstToken() {
      prefillTokens.addAndGet(-bookedPrefill);
      bookedPrefill = 0;
    }

    /** Adds tokens that were sampled. */
    public void generated(int tokens) {
      if (released) {
        return;
      }
      generated += tokens;
      long more = blocks(promptTokens + generated) - bookedBlocks;
      if (more > 0) {
        bookedBlocks += more;
        decodeBlocks.addAndGet(more);
      }
    }

    /** Gives everything back. A second call does nothing. */
    public void release() {
      if (!released) {
        released = true;
        firstToken();
        decodeBlocks.addAndGet(-bookedBlocks);
        requests.decrementAndGet();
      }
    }
  }
}
