package dev.sojourn.engine.weights;

/**
 * Where in a file a tensor's rows stand that have GGUF's order: in the same, or, of each head,
 * those of its two halves apart that are neighbours in GGUF, as they are rotated together.
 *
 * @param half the rows of half a head; 0 where the order is the same
 */
public record RowOrder(long half) {

  /** Rows that stand as they do in GGUF. */
  public static final RowOrder SAME = new RowOrder(0);

  /** Returns which row of the file is this row. */
  public long stored(long row) {
    if (half == 0) {
      return row;
    }
    long inHead = row % (2 * half);
    return row - inHead + inHead / 2 + inHead % 2 * half;
  }
}
