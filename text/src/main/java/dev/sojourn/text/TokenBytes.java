package dev.sojourn.text;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.sojourn.text.Vocabulary.TokenType;

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

  /** Returns the table of a vocabulary. */
  public static TokenBytes of(Vocabulary vocabulary) {
    byte[][] bytes = new byte[vocabulary.tokens().size()][];
    boolean[] special = new boolean[bytes.length];
    for (int id = 0; id < bytes.length; id++) {
      bytes[id] = spell(vocabulary, id);
      special[id] = vocabulary.control(id);
    }
    return new TokenBytes(bytes, special);
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

  /** Returns {@link #raw} as text; U+FFFD for what is no character by itself. */
  public String text(int id) {
    return new String(raw(id), UTF_8);
  }

  /** Returns whether an id is a control token. */
  public boolean special(int id) {
    return id >= 0 && id < special.length && special[id];
  }

  private static byte[] spell(Vocabulary vocabulary, int id) {
    String token = vocabulary.tokens().get(id);
    TokenType type = vocabulary.types().get(id);
    boolean added = vocabulary.control(id) || type == TokenType.USER_DEFINED;
    return switch (vocabulary.kind()) {
      case BYTE_LEVEL_BPE -> added ? token.getBytes(UTF_8) : ByteAlphabet.bytes(token);
      case SENTENCE_PIECE -> {
        if (type == TokenType.BYTE) {
          yield byteNamed(token, id);
        }
        String text = vocabulary.control(id) ? token : token.replace('\u2581', ' ');
        yield text.getBytes(UTF_8);
      }
    };
  }

  /** Reads the name of a byte token: {@code <0x0A>}. */
  private static byte[] byteNamed(String token, int id) {
    if (!token.matches("<0x[0-9A-Fa-f]{2}>")) {
      throw new VocabularyException(
          "token " + id + " is of type byte, but spelled \"" + token + "\", not as <0x0A> is");
    }
    return new byte[] {(byte) Integer.parseInt(token.substring(3, 5), 16)};
  }

  private static final byte[] EMPTY = {};
}
