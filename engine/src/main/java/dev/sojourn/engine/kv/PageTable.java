package dev.sojourn.engine.kv;

import java.util.Arrays;

/**
 * Finds a published page by its chained hash: open addressing with linear probing, at most half
 * full. Deleting shifts later entries back, so there are no tombstones and lookups stay short
 * forever.
 *
 * <p>One page per hash. The hashes are good ones already and are not mixed again.
 */
final class PageTable {

  private final long[] hashes;
  private final int[] pages; // NONE where the slot is empty
  private final int mask;

  /** Creates a table for at most this many pages. */
  PageTable(int capacity) {
    int slots = Integer.highestOneBit(Math.max(capacity, 2)) * 4;
    hashes = new long[slots];
    pages = new int[slots];
    Arrays.fill(pages, PagePool.NONE);
    mask = slots - 1;
  }

  /** Returns the page with this hash, or {@link PagePool#NONE}. */
  int get(long hash) {
    return pages[slot(hash)];
  }

  /** Adds a page under a hash that is not there yet. */
  void put(long hash, int page) {
    int slot = slot(hash);
    if (pages[slot] != PagePool.NONE) {
      throw new IllegalStateException("page " + pages[slot] + " has this hash already");
    }
    hashes[slot] = hash;
    pages[slot] = page;
  }

  /** Removes the entry of a hash that is there. */
  void remove(long hash) {
    int hole = slot(hash);
    if (pages[hole] == PagePool.NONE) {
      throw new IllegalStateException("no page has this hash");
    }
    int slot = hole;
    while (true) {
      slot = (slot + 1) & mask;
      if (pages[slot] == PagePool.NONE) {
        break;
      }
      int home = (int) hashes[slot] & mask;
      // An entry may move into the hole unless its home lies behind it, cyclically.
      if (((slot - home) & mask) >= ((slot - hole) & mask)) {
        hashes[hole] = hashes[slot];
        pages[hole] = pages[slot];
        hole = slot;
      }
    }
    pages[hole] = PagePool.NONE;
  }

  private int slot(long hash) {
    int slot = (int) hash & mask;
    while (pages[slot] != PagePool.NONE && hashes[slot] != hash) {
      slot = (slot + 1) & mask;
    }
    return slot;
  }
}
