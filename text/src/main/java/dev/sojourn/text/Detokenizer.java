package dev.sojourn.text;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import java.util.Arrays;

/**
 * Turns one stream of token ids into text as it comes: whole characters only, and never more than
 * the stream's maker lets be seen. All that it returned, joined, is what decoding the visible bytes
 * at once would give; bytes that are no UTF-8 become U+FFFD, as in Java's and the web's decoders.
 *
 * <p>Control tokens spell nothing. A SentencePiece answer that begins with a space keeps it: the
 * bytes are those that follow the prompt. Not thread-safe.
 */
public final class Detokenizer {

  private final TokenBytes spelling;
  private final CharsetDecoder decoder =
      UTF_8
          .newDecoder()
          .onMalformedInput(CodingErrorAction.REPLACE)
          .onUnmappableCharacter(CodingErrorAction.REPLACE);

  /** Bytes that have not been decoded; only the first {@code held} count. */
  private byte[] bytes = new byte[64];

  private int held;

  /** How many bytes of the stream came before those held. */
  private int decoded;

  /** Creates a detokenizer at the start of a stream. */
  public Detokenizer(TokenBytes spelling) {
    this.spelling = spelling;
  }

  /**
   * Takes the next token, and returns what can be shown now and was not before.
   *
   * @param visibleBytes how many bytes of the stream so far, this token included, may be seen; does
   *     not shrink from call to call
   */
  public String append(int id, int visibleBytes) {
    byte[] spelled = spelling.of(id);
    if (held + spelled.length > bytes.length) {
      bytes = Arrays.copyOf(bytes, (held + spelled.length) * 2);
    }
    System.arraycopy(spelled, 0, bytes, held, spelled.length);
    held += spelled.length;
    return decode(visibleBytes, false);
  }

  /**
   * Ends the stream, and returns what is visible of it and was not shown: characters that were held
   * back, and U+FFFD for a character that never became whole.
   *
   * @param visibleBytes how many bytes of the stream may be seen
   */
  public String finish(int visibleBytes) {
    return decode(visibleBytes, true);
  }

  /** Returns how many bytes came in that are not part of what was returned so far. */
  public int pending() {
    return held;
  }

  private String decode(int visibleBytes, boolean end) {
    int visible = visibleBytes - decoded;
    if (visible < 0 || visible > held) {
      throw new IllegalArgumentException(
          visibleBytes + " bytes visible, but " + decoded + " are shown and " + held + " held");
    }
    ByteBuffer in = ByteBuffer.wrap(bytes, 0, visible);
    CharBuffer out = CharBuffer.allocate(visible + 1);
    decoder.decode(in, out, end);
    if (end) {
      decoder.flush(out);
    }
    int taken = in.position();
    System.arraycopy(bytes, taken, bytes, 0, held - taken);
    held -= taken;
    decoded += taken;
    return out.flip().toString();
  }
}
