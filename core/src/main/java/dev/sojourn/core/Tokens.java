package dev.sojourn.core;

import static java.util.Objects.checkFromToIndex;
import static java.util.Objects.checkIndex;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * A run of token ids that never changes: a window on an array that nobody writes to within it.
 * Slices and {@link TokenBuffer#view} share the array, so passing a context of any length on costs
 * nothing. Safe for use by any thread.
 */
public final class Tokens {

  /** No tokens. */
  public static final Tokens EMPTY = new Tokens(new int[0], 0, 0);

  private final int[] ids;
  private final int offset;
  private final int length;

  Tokens(int[] ids, int offset, int length) {
    this.ids = ids;
    this.offset = offset;
    this.length = length;
  }

  /** Returns these ids, copied. */
  public static Tokens of(int... ids) {
    return ids.length == 0 ? EMPTY : new Tokens(ids.clone(), 0, ids.length);
  }

  /** Returns the number of tokens. */
  public int length() {
    return length;
  }

  /** Returns whether there are none. */
  public boolean isEmpty() {
    return length == 0;
  }

  /** Returns the id at {@code index}, from 0. */
  public int get(int index) {
    return ids[offset + checkIndex(index, length)];
  }

  /** Returns the ids from {@code from} (inclusive) to {@code to} (exclusive), without a copy. */
  public Tokens slice(int from, int to) {
    checkFromToIndex(from, to, length);
    return from == to ? EMPTY : new Tokens(ids, offset + from, to - from);
  }

  /** Returns the ids from {@code from} on, without a copy. */
  public Tokens from(int from) {
    return slice(from, length);
  }

  /** Copies the ids from {@code from} to {@code to} into {@code target} at {@code at}. */
  public void copyTo(int from, int to, int[] target, int at) {
    checkFromToIndex(from, to, length);
    System.arraycopy(ids, offset + from, target, at, to - from);
  }

  /** Returns a new array of the ids. */
  public int[] toArray() {
    return Arrays.copyOfRange(ids, offset, offset + length);
  }

  /** Returns the ids as a stream. */
  public IntStream stream() {
    return Arrays.stream(ids, offset, offset + length);
  }

  /** Returns the index of the first token in which the two differ; the shorter length if none. */
  public int mismatch(Tokens other) {
    int at =
        Arrays.mismatch(
            ids, offset, offset + length, other.ids, other.offset, other.offset + other.length);
    return at < 0 ? length : at;
  }

  /** Returns these tokens followed by {@code more}, copied unless one of them is empty. */
  public Tokens concat(Tokens more) {
    if (more.isEmpty()) {
      return this;
    }
    if (isEmpty()) {
      return more;
    }
    int[] joined = Arrays.copyOfRange(ids, offset, offset + length + more.length);
    more.copyTo(0, more.length, joined, length);
    return new Tokens(joined, 0, joined.length);
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof Tokens tokens && length == tokens.length && mismatch(tokens) == length;
  }

  @Override
  public int hashCode() {
    int hash = 1;
    for (int i = 0; i < length; i++) {
      hash = 31 * hash + ids[offset + i];
    }
    return hash;
  }

  /** Shows the length and at most the first eight ids: contexts are long, and prompts private. */
  @Override
  public String toString() {
    String shown = Arrays.toString(Arrays.copyOfRange(ids, offset, offset + Math.min(length, 8)));
    return length <= 8 ? shown : shown.substring(0, shown.length() - 1) + ", … " + length + "]";
  }
}
