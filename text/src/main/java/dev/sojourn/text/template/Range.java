package dev.sojourn.text.template;

import java.util.AbstractList;
import java.util.RandomAccess;

/** Python's range. Immutable; as long as the sandbox of jinja2 allows. */
final class Range extends AbstractList<Object> implements RandomAccess {

  /** The sandbox's own bound on the length of a range. */
  static final int LONGEST = 100_000;

  final long start;
  final long stop;
  final long step;
  private final int size;

  Range(long start, long stop, long step) {
    if (step == 0) {
      throw new TemplateException("range() arg 3 must not be zero");
    }
    this.start = start;
    this.stop = stop;
    this.step = step;
    this.size = size(start, stop, step);
  }

  private static int size(long start, long stop, long step) {
    if (step > 0 ? start >= stop : start <= stop) {
      return 0;
    }
    // The difference of two longs is a long without sign.
    long span = step > 0 ? stop - start : start - stop;
    long stride = step > 0 ? step : -step;
    long size = Long.divideUnsigned(span - 1, stride) + 1;
    if (Long.compareUnsigned(size, LONGEST) > 0) {
      throw new TemplateException(
          "range of "
              + Long.toUnsignedString(size)
              + " items; templates may have "
              + LONGEST
              + " at most");
    }
    return (int) size;
  }

  @Override
  public Object get(int index) {
    return start + step * index;
  }

  @Override
  public int size() {
    return size;
  }
}
