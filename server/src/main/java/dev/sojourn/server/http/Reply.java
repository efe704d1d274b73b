package dev.sojourn.server.http;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A whole answer.
 *
 * @param status its status
 * @param headers its headers, the content type among them; not the length
 * @param body its body; given away by the caller
 */
@SuppressWarnings("ArrayRecordComponent") // written once and sent; never compared
public record Reply(int status, Map<String, String> headers, byte[] body) {

  public Reply {
    headers = Map.copyOf(headers);
  }

  /** Returns a JSON answer. */
  public static Reply json(int status, byte[] body) {
    return new Reply(status, Map.of("content-type", "application/json"), body);
  }

  /** Returns a plain text answer. */
  public static Reply text(int status, String body) {
    return new Reply(
        status, Map.of("content-type", "text/plain; charset=utf-8"), body.getBytes(UTF_8));
  }

  /** Returns this with one more header. */
  public Reply with(String name, String value) {
    Map<String, String> more = new LinkedHashMap<>(headers);
    more.put(name, value);
    return new Reply(status, more, body);
  }
}
