package dev.sojourn.cli;

import dev.sojourn.bench.Answer;
import dev.sojourn.bench.GatewayClient;
import dev.sojourn.bench.GatewayException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Consumer;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * One agent and its subagent, against a gateway that may serve others at the same time: so it looks
 * at its own two sessions alone, under names that nobody else has.
 */
final class SmokeTest {

  private static final String CHAT = "/v1/chat/completions";
  private static final int MAX_TOKENS = 12;

  private final GatewayClient client;
  private final List<Check> checks = new ArrayList<>();
  private Consumer<Check> listener = check -> {};

  /**
   * One thing that was looked at.
   *
   * @param ok whether it was as it should be
   * @param what what should be
   * @param seen what was
   */
  record Check(boolean ok, String what, String seen) {}

  SmokeTest(GatewayClient client) {
    this.client = client;
  }

  /** Calls {@code listener} with each check as it is made. */
  void onCheck(Consumer<Check> listener) {
    this.listener = listener;
  }

  /** Runs all of it; a gateway that cannot be reached is a check that failed. */
  List<Check> run() {
    try {
      walk();
    } catch (GatewayException e) {
      check(false, "the gateway answers every request", String.valueOf(e.getMessage()));
    }
    return List.copyOf(checks);
  }

  private void walk() {
    client.get("/health");
    String model = client.model();
    check(true, "the gateway is healthy and serves " + model, model);
    String suffix = HexFormat.of().toHexDigits(ThreadLocalRandom.current().nextLong());
    Agent main = new Agent("smoke-main-" + suffix, model);
    Agent sub = new Agent("smoke-sub-" + suffix, model);
    try {
      main.turn("Plan a walk through the town.", "open");
      main.turn("Where does it begin?", "");
      sub.turn("You look things up. What is the oldest house?", "open");
      sub.turn("And the next?", "");
      Answer last = sub.turn("Thank you, that is all.", "close");
      check(
          last.session().has("tokens_freed"),
          "the close says what was freed",
          String.valueOf(last.session()));
      sub.isGone();
      main.turn("Where does it end?", "");
      main.turn("Thank you.", "close");
      main.isGone();
    } finally {
      main.discard();
      sub.discard();
    }
  }

  private void check(boolean ok, String what, String seen) {
    Check check = new Check(ok, what, seen);
    checks.add(check);
    listener.accept(check);
  }

  /** One session, with the conversation as its client knows it. */
  private final class Agent {

    private final String name;
    private final String model;
    private final ArrayNode messages = GatewayClient.object().putArray("messages");
    private int context; // tokens after the last turn
    private String place = "";

    Agent(String name, String model) {
      this.name = name;
      this.model = model;
    }

    /** Takes a turn, and checks what should be true of every turn of a session. */
    Answer turn(String content, String action) {
      messages.addObject().put("role", "user").put("content", content);
      ObjectNode body = GatewayClient.object().put("model", model).put("max_tokens", MAX_TOKENS);
      body.put("temperature", 0).set("messages", messages);
      ObjectNode control = body.putObject("nvext").putObject("session_control");
      control.put("session_id", name).put("timeout", 60);
      if (!action.isEmpty()) {
        control.put("action", action);
      }
      Answer answer = client.stream(CHAT, body);
      messages.addObject().put("role", "assistant").put("content", answer.text());
      if (context > 0) {
        check(
            answer.cachedTokens() == context - 1,
            name + ": all but the last of " + context + " tokens are reused",
            answer.cachedTokens() + " reused");
        check(
            place(answer).equals(place),
            name + ": the turn runs where the session lives, on " + place,
            place(answer));
      } else {
        check(
            !answer.session().isMissingNode(),
            name + ": the session opens",
            String.valueOf(answer.session()));
      }
      context = answer.promptTokens() + answer.completionTokens();
      place = place(answer);
      return answer;
    }

    /** Checks that the gateway does not know the session any more. */
    void isGone() {
      try {
        client.get(SessionsCommand.path(name));
        check(false, name + ": is gone after its close", "it is still listed");
      } catch (GatewayException e) {
        check(e.status() == 404, name + ": is gone after its close", "status " + e.status());
      }
    }

    /** Closes what a failed check may have left. */
    void discard() {
      try {
        client.delete(SessionsCommand.path(name));
      } catch (GatewayException e) {
        // 404: it is gone, as it should be; anything else has been reported by a check
      }
    }

    private static String place(Answer answer) {
      return answer.session().path("worker").asString("?")
          + "/"
          + answer.session().path("rank").asInt(-1);
    }
  }
}
