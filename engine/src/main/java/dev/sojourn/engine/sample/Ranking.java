package dev.sojourn.engine.sample;

/**
 * Tokens in order of rank: by logit, the greatest first, and equals by id, the lowest first. It is
 * made as far as it is asked for, mostly a few tokens of many: those whose logits are not far below
 * the greatest are gathered and kept in a heap, and when all of these are ranked, those below.
 *
 * <p>Not thread-safe; allocates nothing.
 */
final class Ranking {

  /** How far below the greatest the first are, as a logarithm of their share of its probability. */
  private static final double FIRST_REACH = 4;

  /** Beyond it all others are gathered: next to nothing of them has a probability. */
  private static final double LAST_REACH = 88;

  /** Ids: a max-heap in front, and at the end what was taken from it, the likeliest last. */
  private final int[] ids;

  private float[] logits = {};
  private float[] greatest = {};
  private float most;
  private float sharpness;
  private double reach;
  private float floor;
  private int waiting; // in the heap
  private int ranked;

  /** Creates a ranking of a vocabulary. */
  Ranking(int vocabularySize) {
    ids = new int[vocabularySize];
  }

  /**
   * Begins anew.
   *
   * @param greatestOfBlocks the greatest logit of each {@link Sampler#BLOCK} of them
   * @param greatestOfAll of those
   * @param factor of the logits, whose exponentials are in proportion to probabilities
   */
  void begin(float[] of, float[] greatestOfBlocks, float greatestOfAll, float factor) {
    logits = of;
    greatest = greatestOfBlocks;
    most = greatestOfAll;
    sharpness = factor;
    reach = FIRST_REACH;
    floor = Float.POSITIVE_INFINITY;
    waiting = 0;
    ranked = 0;
  }

  /** Returns the token of a rank, which is below the size of the vocabulary. */
  int id(int rank) {
    while (ranked <= rank) {
      if (waiting == 0) {
        gather();
      } else {
        int likeliest = ids[0];
        ids[0] = ids[--waiting];
        sink(0);
        ids[ids.length - ++ranked] = likeliest;
      }
    }
    return ids[ids.length - 1 - rank];
  }

  /** Makes a heap of what is between the last floor and the next, if anything is. */
  private void gather() {
    float ceiling = floor;
    floor = reach > LAST_REACH ? Float.NEGATIVE_INFINITY : (float) (most - reach / sharpness);
    reach *= 2;
    for (int block = 0; block < greatest.length; block++) {
      if (greatest[block] >= floor) {
        int end = Math.min((block + 1) * Sampler.BLOCK, logits.length);
        for (int id = block * Sampler.BLOCK; id < end; id++) {
          if (logits[id] >= floor && logits[id] < ceiling) {
            ids[waiting++] = id;
          }
        }
      }
    }
    for (int at = waiting / 2 - 1; at >= 0; at--) {
      sink(at);
    }
  }

  private void sink(int start) {
    int id = ids[start];
    int at = start;
    while (2 * at + 1 < waiting) {
      int child = 2 * at + 1;
      if (child + 1 < waiting && ranksBefore(ids[child + 1], ids[child])) {
        child++;
      }
      if (ranksBefore(id, ids[child])) {
        break;
      }
      ids[at] = ids[child];
      at = child;
    }
    ids[at] = id;
  }

  private boolean ranksBefore(int a, int b) {
    return logits[a] > logits[b] || (logits[a] == logits[b] && a < b);
  }
}
