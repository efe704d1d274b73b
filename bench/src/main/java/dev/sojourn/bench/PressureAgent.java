package dev.sojourn.bench;

import java.util.Map;
import java.util.SplittableRandom;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * One agent of {@link PressureBench}, the main one or a subagent. It sends the whole conversation
 * with each turn, as coding agents do, and names its session in headers where it has one. Used by
 * one thread at a time.
 */
final class PressureAgent {

  private final GatewayClient client;
  private final String model;
  private final String name;
  private final Map<String, String> headers;
  private final int priority;
  private final SplittableRandom random;
  private final ArrayNode messages = GatewayClient.object().putArray("messages");
  private int turns;
  private int contextTokens;
  private int peakPages;

  /**
   * Creates an agent that has not said anything.
   *
   * @param headers what names its session; empty if it has none
   * @param priority 0 to name none
   */
  PressureAgent(
      GatewayClient client,
      String model,
      String name,
      Map<String, String> headers,
      int priority,
      SplittableRandom random) {
    this.client = client;
    this.model = model;
    this.name = name;
    this.headers = headers;
    this.priority = priority;
    this.random = random;
  }

  String name() {
    return name;
  }

  int turns() {
    return turns;
  }

  /** Returns the tokens that a session of it holds after its turns so far. */
  int contextTokens() {
    return contextTokens;
  }

  /** Returns the most pages that its context took after any of its turns. */
  int peakPages() {
    return peakPages;
  }

  /** Puts a system message of so many digits first. */
  void system(int tokens) {
    messages.addObject().put("role", "system").put("content", TurnsBench.digits(random, tokens));
  }

  /** Takes a turn of so many tokens in and out. */
  Answer turn(int in, int out) {
    messages.addObject().put("role", "user").put("content", TurnsBench.digits(random, in));
    ObjectNode body = GatewayClient.object().put("model", model);
    body.put("max_tokens", out)
        .put("ignore_eos", true)
        .put("temperature", 0)
        .set("messages", messages);
    if (priority != 0) {
      body.putObject("nvext").putObject("agent_hints").put("priority", priority);
    }
    Answer answer = client.stream("/v1/chat/completions", body, headers);
    messages.addObject().put("role", "assistant").put("content", answer.text());
    turns++;
    contextTokens = answer.promptTokens() + answer.completionTokens();
    int resident =
        headers.isEmpty()
            ? contextTokens - 1 // the last token has no KV yet
            : client.get("/v1/sessions/" + name).path("resident_tokens").asInt(0);
    peakPages = Math.max(peakPages, PressureBench.pages(resident));
    return answer;
  }

  /** Ends its session, if it has one. */
  void close() {
    if (!headers.isEmpty()) {
      client.delete("/v1/sessions/" + name);
    }
  }
}
