package dev.sojourn.text;

import static java.nio.charset.StandardCharsets.UTF_8;

/**
 * The alphabet in which byte-level vocabularies spell bytes: printable Latin-1 characters stand for
 * themselves, the 68 others, in order, for U+0100 to U+0143. GPT-2's.
 */
final class ByteAlphabet {

  private static final byte[] BYTE_OF = new byte[0x144];
  private static final boolean[] KNOWN = new boolean[0x144];

  static {
    char next = 0x100;
    for (int b = 0; b < 256; b++) {
      boolean printable = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xFF && b != 0xAD);
      char letter = printable ? (char) b : next++;
      BYTE_OF[letter] = (byte) b;
      KNOWN[letter] = true;
    }
  }

  private ByteAlphabet() {}

  /** Returns the bytes that a token spells; its UTF-8 if it is not wholly of this alphabet. */
  static byte[] bytes(String token) {
    byte[] bytes = new byte[token.length()];
    for (int i = 0; i < bytes.length; i++) {
      char letter = token.charAt(i);
      if (letter >= KNOWN.length || !KNOWN[letter]) {
        return token.getBytes(UTF_8);
      }
      bytes[i] = BYTE_OF[letter];
    }
    return bytes;
  }
}
