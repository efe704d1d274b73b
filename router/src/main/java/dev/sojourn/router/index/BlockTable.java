package dev.sojourn.router.index;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;

/**
 * A hash table from block hashes to sets of slots, made for many blocks of which most have one
 * holder: open addressing on primitive arrays, linear probing, deletion by shifting back. A single
 * holder lives in the table itself, more of them in a bit set beside it. Thread-safe by one lock.
 *
 * <p>The keys are hashes already; their low bits choose the place.
 */
final class BlockTable {

  private static final int INITIAL = 16;

  private long[] keys = new long[INITIAL];

  /** 0: free. Positive: the one holder's slot plus 1. Negative: minus 1 minus a set's number. */
  private int[] values = new int[INITIAL];

  private int size;

  private final List<long[]> sets = new ArrayList<>();
  private final Deque<Integer> freeSets = new ArrayDeque<>();

  /** Adds a holder; returns whether it was none. */
  synchronized boolean add(long hash, int slot) {
    int at = find(hash);
    int value = values[at];
    if (value == 0) {
      keys[at] = hash;
      values[at] = slot + 1;
      if (++size * 2 > keys.length) {
        refill(keys, values, keys.length * 2);
      }
      return true;
    }
    if (value == slot + 1) {
      return false;
    }
    if (value > 0) {
      int number = newSet();
      set(number, value - 1);
      set(number, slot);
      values[at] = -1 - number;
      return true;
    }
    return set(-1 - value, slot);
  }

  /** Removes a holder; returns whether it was one. */
  synchronized boolean remove(long hash, int slot) {
    int at = find(hash);
    if (!holds(values[at], slot)) {
      return false;
    }
    values[at] = without(values[at], slot);
    if (values[at] == 0) {
      size--;
      shiftBack(at);
    }
    return true;
  }

  /** Removes a holder from all blocks. */
  synchronized void clear(int slot) {
    long[] oldKeys = keys;
    int[] oldValues = values;
    int left = 0;
    for (int at = 0; at < oldValues.length; at++) {
      if (holds(oldValues[at], slot)) {
        oldValues[at] = without(oldValues[at], slot);
      }
      left += oldValues[at] == 0 ? 0 : 1;
    }
    if (left < size) {
      refill(oldKeys, oldValues, oldKeys.length);
      size = left;
    }
  }

  /** Copies the holders as a bit set into {@code target}, as far as it goes; returns if any. */
  synchronized boolean holders(long hash, long[] target) {
    int value = values[find(hash)];
    if (value == 0) {
      return false;
    }
    Arrays.fill(target, 0);
    if (value < 0) {
      long[] set = sets.get(-1 - value);
      System.arraycopy(set, 0, target, 0, Math.min(set.length, target.length));
    } else if (value <= target.length * Long.SIZE) {
      target[(value - 1) >>> 6] |= 1L << (value - 1);
    }
    return true;
  }

  private int find(long hash) {
    int mask = keys.length - 1;
    int at = (int) hash & mask;
    while (values[at] != 0 && keys[at] != hash) {
      at = (at + 1) & mask;
    }
    return at;
  }

  private boolean holds(int value, int slot) {
    if (value >= 0) {
      return value == slot + 1;
    }
    long[] set = sets.get(-1 - value);
    return slot >>> 6 < set.length && (set[slot >>> 6] & 1L << slot) != 0;
  }

  /** Returns the value after one of its holders left. */
  private int without(int value, int slot) {
    if (value > 0) {
      return 0;
    }
    int number = -1 - value;
    long[] set = sets.get(number);
    set[slot >>> 6] &= ~(1L << slot);
    int holders = 0;
    int last = 0;
    for (int word = 0; word < set.length; word++) {
      holders += Long.bitCount(set[word]);
      last = set[word] == 0 ? last : word * Long.SIZE + Long.numberOfTrailingZeros(set[word]);
    }
    if (holders > 1) {
      return value;
    }
    set[last >>> 6] = 0;
    freeSets.push(number);
    return last + 1;
  }

  private int newSet() {
    Integer free = freeSets.poll();
    if (free != null) {
      return free;
    }
    sets.add(new long[1]);
    return sets.size() - 1;
  }

  /** Adds a slot to a set; returns whether it was not in it. */
  private boolean set(int number, int slot) {
    long[] set = sets.get(number);
    if (slot >>> 6 >= set.length) {
      set = Arrays.copyOf(set, (slot >>> 6) + 1);
      sets.set(number, set);
    }
    long before = set[slot >>> 6];
    set[slot >>> 6] = before | 1L << slot;
    return set[slot >>> 6] != before;
  }

  private void refill(long[] oldKeys, int[] oldValues, int capacity) {
    keys = new long[capacity];
    values = new int[capacity];
    for (int from = 0; from < oldValues.length; from++) {
      if (oldValues[from] != 0) {
        int at = find(oldKeys[from]);
        keys[at] = oldKeys[from];
        values[at] = oldValues[from];
      }
    }
  }

  /** Closes the gap at {@code free}, so that no probe stops before what it looks for. */
  private void shiftBack(int free) {
    int mask = keys.length - 1;
    for (int at = (free + 1) & mask; values[at] != 0; at = (at + 1) & mask) {
      int home = (int) keys[at] & mask;
      boolean reachesOverGap = ((at - home) & mask) >= ((at - free) & mask);
      if (reachesOverGap) {
        keys[free] = keys[at];
        values[free] = values[at];
        values[at] = 0;
        free = at;
      }
    }
  }
}
