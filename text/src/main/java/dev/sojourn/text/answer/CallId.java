package dev.sojourn.text.answer;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** The ids of calls. */
final class CallId {

  private static final int DIGITS = 24; // as many as OpenAI's ids have letters

  private CallId() {}

  /** Returns the id of one of an answer's calls: always the same. */
  static String of(String answerId, int index) {
    try {
      byte[] digest =
          MessageDigest.getInstance("SHA-256").digest((answerId + "/" + index).getBytes(UTF_8));
      return "call_" + HexFormat.of().formatHex(digest).substring(0, DIGITS);
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every JDK has SHA-256", e);
    }
  }
}
