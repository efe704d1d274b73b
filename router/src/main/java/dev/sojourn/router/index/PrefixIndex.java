package dev.sojourn.router.index;

import dev.sojourn.core.KvEvent;
import java.util.Arrays;

/**
 * Which rank holds which block: chained hash to set of ranks. Ranks are small integers,
 * <i>slots</i>.
 *
 * <p>A chained hash names a block and all before it, and a rank holds a block only while it holds
 * the one before. So the leading blocks of a prompt that a rank holds are found in one walk along
 * the prompt, for all ranks at once: the set of ranks that held everything so far is intersected
 * with the holders of the next block, and who drops out has its answer. A wrong entry costs a
 * recompute on a badly chosen rank, never a wrong answer.
 *
 * <p>Thread-safe: hashes are spread over stripes, each with its own lock, held for one block.
 */
public final class PrefixIndex {

  private static final int STRIPE_BITS = 6;

  private final BlockTable[] stripes = new BlockTable[1 << STRIPE_BITS];

  /** Creates an empty index. */
  public PrefixIndex() {
    Arrays.setAll(stripes, _ -> new BlockTable());
  }

  /** Returns a feed for a slot that holds nothing yet. */
  public Feed feed(int slot) {
    return new Feed(slot);
  }

  /**
   * Returns for each slot how many leading blocks it holds.
   *
   * @param blocks chained hashes, from the first block on
   * @param slots one more than the highest slot asked for
   */
  public int[] overlaps(long[] blocks, int slots) {
    int[] overlap = new int[slots];
    int words = (slots + Long.SIZE - 1) / Long.SIZE;
    long[] holders = new long[words];
    long[] all = new long[words];
    if (slots == 0 || blocks.length == 0 || !stripe(blocks[0]).holders(blocks[0], all)) {
      return overlap;
    }
    if (slots % Long.SIZE != 0) {
      // A rank that came after the caller counted the slots.
      all[words - 1] &= (1L << slots) - 1;
    }
    int held = 1;
    for (boolean some = true; some && held < blocks.length; held++) {
      if (!stripe(blocks[held]).holders(blocks[held], holders)) {
        break;
      }
      some = false;
      for (int word = 0; word < words; word++) {
        settle(overlap, word, all[word] & ~holders[word], held);
        all[word] &= holders[word];
        some |= all[word] != 0;
      }
    }
    for (int word = 0; word < words; word++) {
      settle(overlap, word, all[word], held);
    }
    return overlap;
  }

  private static void settle(int[] overlap, int word, long slots, int blocks) {
    for (long left = slots; left != 0; left &= left - 1) {
      overlap[word * Long.SIZE + Long.numberOfTrailingZeros(left)] = blocks;
    }
  }

  private BlockTable stripe(long hash) {
    return stripes[(int) (hash >>> (Long.SIZE - STRIPE_BITS))];
  }

  /**
   * The way of one rank's events into the index. Thread-safe, for a rank's events in the order that
   * their one source gives them.
   */
  public final class Feed {

    private final int slot;

    /** Written under the lock, read without. */
    private volatile int resident;

    private boolean closed;

    private Feed(int slot) {
      this.slot = slot;
    }

    /** Applies an event; one that says what is known already changes nothing. */
    public synchronized void apply(KvEvent event) {
      if (closed) {
        return;
      }
      switch (event) {
        case KvEvent.Stored stored -> {
          if (stripe(stored.hash()).add(stored.hash(), slot)) {
            resident = resident + 1;
          }
        }
        case KvEvent.Removed removed -> {
          if (stripe(removed.hash()).remove(removed.hash(), slot)) {
            resident = resident - 1;
          }
        }
        case KvEvent.Cleared _ -> clear();
      }
    }

    /** Returns how many blocks the rank holds. */
    public int resident() {
      return resident;
    }

    /** Forgets the rank's blocks and all events to come. The slot can then be used anew. */
    public synchronized void close() {
      closed = true;
      clear();
    }

    private void clear() {
      for (BlockTable stripe : stripes) {
        stripe.clear(slot);
      }
      resident = 0;
    }
  }
}
