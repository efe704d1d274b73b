package dev.sojourn.server.prompt;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;

/**
 * A model's call of a tool.
 *
 * @param id names it to the client, who sends it back with the result
 * @param name the tool's
 * @param arguments a JSON object, as the model wrote it; cut short where the answer was
 */
public record ToolCall(String id, String name, String arguments) {

  private static final int ID_DIGITS = 24; // as many as OpenAI's ids have letters

  /**
   * Returns the id of one of a turn's calls: always the same, so that an answer that is told again
   * is the same answer.
   */
  public static String id(String turnId, int index) {
    try {
      byte[] digest =
          MessageDigest.getInstance("SHA-256").digest((turnId + "/" + index).getBytes(UTF_8));
      return "call_" + HexFormat.of().formatHex(digest).substring(0, ID_DIGITS);
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every JDK has SHA-256", e);
    }
  }

  /** Returns the call as it stands in a message. */
  public Map<String, ?> field() {
    return Map.of(
        "id", id, "type", "function", "function", Map.of("name", name, "arguments", arguments));
  }
}
