package dev.sojourn.acceptance.sessions;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.core.SessionControl.Action;
import dev.sojourn.server.TestFleet;
import dev.sojourn.server.TestGateway;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Speaks to the gateways of a fleet, and knows what stateless requests are answered. */
final class GatewayClient implements AutoCloseable {

  static final String CHAT = "/v1/chat/completions";
  static final List<String> IDS = List.of("prompt_token_ids", "completion_token_ids");
  private static final String[] WORDS = {
    "the", "sea ", " of", "\n", "it. ", "ä🙂", "<|im_end|>", "walk", " and", "  ", "</think>", "(x)"
  };

  private final TestFleet fleet;
  private final HttpClient http = HttpClient.newHttpClient();

  GatewayClient(TestFleet fleet) {
    this.fleet = fleet;
  }

  @Override
  public void close() {
    http.close();
  }

  /** Returns a chat of these messages. */
  static Map<String, Object> body(List<? extends Map<String, ?>> messages, int most, int salt) {
    Map<String, Object> body = new LinkedHashMap<>();
    body.put("model", TestGateway.MODEL);
    body.put("messages", messages);
    body.put("max_tokens", most);
    body.put("temperature", 0.8);
    body.put("seed", salt);
    if (salt % 5 == 0) {
      body.put("stop", List.of("e"));
    }
    return body;
  }

  /** Makes a chat a turn. */
  static void control(Map<String, Object> body, Agent agent, Action action, Map<String, ?> more) {
    Map<String, Object> control = new LinkedHashMap<>(more);
    control.put("session_id", agent.name);
    if (action != Action.CONTINUE) {
      control.put("action", action.name().toLowerCase(Locale.ROOT));
    }
    body.put("nvext", Map.of("session_control", control, "extra_fields", IDS));
  }

  static Map<String, ?> user(String content) {
    return Map.of("role", "user", "content", content);
  }

  /** Returns some words. */
  static String text(int salt) {
    Random random = new Random(salt);
    StringBuilder text = new StringBuilder();
    for (int i = random.nextInt(12); i >= 0; i--) {
      text.append(WORDS[random.nextInt(WORDS.length)]);
    }
    return text.toString();
  }

  /** Sends a chat. */
  Reply send(int gateway, Map<String, ?> body) throws Exception {
    return Reply.of(request(gateway, "POST", CHAT, body));
  }

  /** Sends anything. */
  HttpResponse<String> request(int gateway, String method, String path, Map<String, ?> body)
      throws IOException, InterruptedException {
    return http.send(asked(gateway, method, path, body), HttpResponse.BodyHandlers.ofString());
  }

  /** Sends a chat and waits for nothing. */
  CompletableFuture<HttpResponse<String>> sendAsync(int gateway, Map<String, ?> body) {
    return http.sendAsync(asked(gateway, "POST", CHAT, body), HttpResponse.BodyHandlers.ofString());
  }

  private HttpRequest asked(int gateway, String method, String path, Map<String, ?> body) {
    int port = fleet.address(gateway).getPort();
    String text = JsonMapper.shared().writeValueAsString(body);
    return HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path))
        .timeout(Duration.ofSeconds(30))
        .method(method, HttpRequest.BodyPublishers.ofString(text))
        .build();
  }

  /** Returns the prompt of a stateless request of a conversation. */
  JsonNode rendered(List<Map<String, ?>> conversation) throws Exception {
    Map<String, Object> body = body(conversation, 1, 1);
    body.put("nvext", Map.of("annotations", List.of("query_instance_id:")));
    Reply reply = send(0, body);
    assertThat(reply.status()).as("%s", reply).isEqualTo(200);
    return reply.body().path("nvext").path("token_ids");
  }

  /** Checks an answer against one over the same ids that shares no KV with it. */
  void expectStateless(int gateway, Map<String, ?> asked, Reply reply) throws Exception {
    Map<String, Object> body = new LinkedHashMap<>(asked);
    body.remove("messages");
    body.remove("stream");
    body.put("prompt", reply.prompt());
    body.put("nvext", Map.of("cache_salt", "apart", "extra_fields", IDS));
    Reply stateless = Reply.of(request(gateway, "POST", "/v1/completions", body));
    assertThat(stateless.completion()).as("8: %s", reply).isEqualTo(reply.completion());
    assertThat(stateless.finish()).as("8: %s", reply).isEqualTo(reply.finish());
  }
}
