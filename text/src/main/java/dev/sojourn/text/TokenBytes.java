package dev.sojourn.text;

/**
 * What each token id spells, as bytes: the table that detokenising a stream of ids needs. Immutable
 * and safe for use by any thread; {@link #of} allocates nothing.
 */
public final class TokenBytes {

  private final byte[][] bytes;
  private final boolean[] special;

  /**
   * Creates a table.
   *
   * @param bytes by id; given away by the caller
   * @param special by id: control tokens, which are never shown
   */
  public TokenBytes(byte[][] bytes, boolean[] special) {
    if (bytes.length != special.length) {
      throw new IllegalArgumentException(
          "spellings of " + bytes.length + " tokens, kinds of " + special.length);
    }
    this.bytes = bytes;
    this.special = special;
  }

  /** Returns the number of tokens. */
  public int size() {
    return bytes.length;
  }

  /**
   * Returns what a token spells; nothing for a control token and for an id beyond the vocabulary.
   * The caller does not write into it.
   */
  public byte[] of(int id) {
    return id >= 0 && id < bytes.length && !special[id] ? bytes[id] : EMPTY;
  }

  /** Returns what a token spells even if it is a control token, which {@link #of} hides. */
  public byte[] raw(int id) {
    return id >= 0 && id < bytes.length ? bytes[id] : EMPTY;
  }

  /** Returns whether an id is a control token. */
  public boolean special(int id) {
    return id >= 0 && id < special.length && special[id];
  }

  private static final byte[] EMPTY = {};
}
