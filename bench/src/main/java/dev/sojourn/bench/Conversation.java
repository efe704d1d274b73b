package dev.sojourn.bench;

import java.util.SplittableRandom;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * One agent of {@link TurnsBench}: what it has said and heard, and how it sends that. Used by one
 * thread at a time.
 */
final class Conversation {

  private final GatewayClient client;
  private final String model;
  private final String session;
  private final Way way;
  private final SplittableRandom random;
  private final ArrayNode messages = GatewayClient.object().putArray("messages");
  private boolean opened;

  Conversation(
      GatewayClient client, String model, String session, Way way, SplittableRandom random) {
    this.client = client;
    this.model = model;
    this.session = session;
    this.way = way;
    this.random = random;
  }

  /** Takes the next turn; the last one closes the session. */
  Answer turn(boolean last) {
    if (way == Way.SESSION_DELTA) {
      messages.removeAll();
    }
    messages
        .addObject()
        .put("role", "user")
        .put("content", TurnsBench.digits(random, TurnsBench.TOKENS_IN));
    ObjectNode body = GatewayClient.object().put("model", model);
    body.put("max_tokens", TurnsBench.TOKENS_OUT)
        .put("ignore_eos", true)
        .put("temperature", 0)
        .set("messages", messages);
    if (way != Way.STATELESS) {
      ObjectNode control = body.putObject("nvext").putObject("session_control");
      control.put("session_id", session);
      control.put("input", way == Way.SESSION_DELTA ? "delta" : "full");
      if (!opened) {
        control.put("action", "open");
        opened = true;
      } else if (last) {
        control.put("action", "close");
      }
    }
    Answer answer = client.stream("/v1/chat/completions", body);
    opened &= !last;
    messages.addObject().put("role", "assistant").put("content", answer.text());
    return answer;
  }

  /** Closes the session that a run which failed has left open. */
  void discard() {
    if (opened) {
      try {
        client.delete("/v1/sessions/" + session);
      } catch (GatewayException e) {
        // The gateway is gone, or the session is: it ends by its timeout, and the first failure
        // is the one to report.
      }
      opened = false;
    }
  }
}
