package dev.sojourn.core;

import static java.util.Objects.checkIndex;

import java.util.Arrays;

/**
 * A growable run of token ids with one owner, who appends at the end and cuts from it.
 *
 * <p>A {@link #view} costs nothing and stays as it was, whatever the owner does later: appending
 * writes behind every view, and after a cut into a view the next append moves to a new array. Not
 * thread-safe; its views are.
 */
public final class TokenBuffer {

  private int[] ids;
  private int length;

  /** Ids below this index are seen by a view of the present array. */
  private int viewed;

  /** Creates an empty buffer with room for {@code capacity} ids. */
  public TokenBuffer(int capacity) {
    ids = new int[Math.max(capacity, 16)];
  }

  /** Returns the number of tokens. */
  public int length() {
    return length;
  }

  /** Returns the id at {@code index}, from 0. */
  public int get(int index) {
    return ids[checkIndex(index, length)];
  }

  /** Appends one id. */
  public void append(int id) {
    reserve(1);
    ids[length++] = id;
  }

  /** Appends ids in order. */
  public void append(Tokens more) {
    reserve(more.length());
    more.copyTo(0, more.length(), ids, length);
    length += more.length();
  }

  /** Cuts to the first {@code newLength} tokens. */
  public void truncate(int newLength) {
    if (newLength < 0 || newLength > length) {
      throw new IllegalArgumentException("cannot cut " + length + " tokens to " + newLength);
    }
    length = newLength;
  }

  /** Returns the first {@code to} tokens as they are now, without a copy. */
  public Tokens view(int to) {
    checkIndex(to, length + 1);
    viewed = Math.max(viewed, to);
    return to == 0 ? Tokens.EMPTY : new Tokens(ids, 0, to);
  }

  /** Returns all tokens as they are now, without a copy. */
  public Tokens view() {
    return view(length);
  }

  private void reserve(int more) {
    boolean wouldOverwriteView = length < viewed && more > 0;
    if (length + more > ids.length || wouldOverwriteView) {
      ids = Arrays.copyOf(ids, length + more + (length >> 1) + 16);
      viewed = 0;
    }
  }
}
