package dev.sojourn.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.bench.GatewayClient;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * A main agent and its subagents at the same time over two ranks: each session stays on its rank,
 * and each answer equals, bit for bit, what a request without a session answers over the same token
 * ids.
 */
class InterleavedAgentsTest {

  private static final int TURNS = 8;
  private static final int SUBAGENTS = 3;
  private static final int MAX_TOKENS = 12;

  @TempDir Path directory;

  @Test
  void agentsInterleaved_stayOnTheirRanks_andAnswerAsStateless() throws Exception {
    try (House house = House.open(directory, 2, 512);
        ExecutorService threads = Executors.newFixedThreadPool(SUBAGENTS + 1)) {
      List<Callable<List<JsonNode>>> agents = new ArrayList<>();
      agents.add(() -> converse(house.client(), "main", TURNS, "full"));
      for (int i = 0; i < SUBAGENTS; i++) {
        String name = "sub-" + i;
        String input = i % 2 == 0 ? "delta" : "full";
        agents.add(() -> converse(house.client(), name, TURNS / 2, input));
      }
      List<JsonNode> answers = new ArrayList<>();
      Set<Integer> ranks = new HashSet<>();
      for (Future<List<JsonNode>> agent : threads.invokeAll(agents)) {
        Set<Integer> ranksOfOne = new HashSet<>();
        for (JsonNode answer : agent.get()) {
          ranksOfOne.add(answer.path("nvext").path("rank").asInt(-1));
          answers.add(answer);
        }
        assertThat(ranksOfOne).as("ranks of one session").hasSize(1);
        ranks.addAll(ranksOfOne);
      }
      assertThat(ranks).as("both ranks take part").containsExactlyInAnyOrder(0, 1);
      house.assertNothingHeld();
      for (JsonNode answer : answers) {
        assertEqualsStateless(house.client(), answer);
      }
      house.assertNothingHeld();
    }
  }

  /** Walks one session from open to close, and returns the answers with their ids. */
  private static List<JsonNode> converse(
      GatewayClient client, String name, int turns, String input) {
    ArrayNode messages = GatewayClient.object().putArray("messages");
    messages.addObject().put("role", "system").put("content", "You are " + name + ".");
    List<JsonNode> answers = new ArrayList<>();
    for (int turn = 1; turn <= turns; turn++) {
      messages.addObject().put("role", "user").put("content", name + " asks, turn " + turn);
      ObjectNode body = GatewayClient.object().put("model", House.MODEL);
      body.put("max_tokens", MAX_TOKENS).put("temperature", 0.8).put("seed", 7 + turn);
      body.put("logprobs", true).set("messages", messages);
      ObjectNode nvext = body.putObject("nvext");
      nvext.putArray("extra_fields").add("prompt_token_ids").add("completion_token_ids");
      ObjectNode control = nvext.putObject("session_control");
      control.put("session_id", name).put("input", input);
      if (turn == 1) {
        control.put("action", "open");
      } else if (turn == turns) {
        control.put("action", "close");
      }
      JsonNode answer = client.post("/v1/chat/completions", body);
      ((ObjectNode) answer).put("seed_sent", 7 + turn);
      answers.add(answer);
      if (input.equals("delta")) {
        messages.removeAll();
      } else {
        String text = answer.path("choices").path(0).path("message").path("content").asString("");
        messages.addObject().put("role", "assistant").put("content", text);
      }
    }
    return answers;
  }

  private static void assertEqualsStateless(GatewayClient client, JsonNode answer) {
    ObjectNode body = GatewayClient.object().put("model", House.MODEL);
    body.put("max_tokens", MAX_TOKENS).put("temperature", 0.8);
    body.put("seed", answer.path("seed_sent").asInt(0)).put("logprobs", 1);
    body.set("prompt", answer.path("nvext").path("prompt_token_ids"));
    body.putObject("nvext").putArray("extra_fields").add("completion_token_ids");
    JsonNode stateless = client.post("/v1/completions", body);
    JsonNode ids = answer.path("nvext").path("completion_token_ids");
    assertThat(ids.size()).isPositive();
    assertThat(stateless.path("nvext").path("completion_token_ids")).isEqualTo(ids);
    List<Double> inSession = new ArrayList<>();
    answer
        .path("choices")
        .path(0)
        .path("logprobs")
        .path("content")
        .forEach(token -> inSession.add(token.path("logprob").asDouble()));
    List<Double> alone = new ArrayList<>();
    stateless
        .path("choices")
        .path(0)
        .path("logprobs")
        .path("token_logprobs")
        .forEach(logprob -> alone.add(logprob.asDouble()));
    assertThat(inSession).isNotEmpty().isEqualTo(alone);
  }
}
