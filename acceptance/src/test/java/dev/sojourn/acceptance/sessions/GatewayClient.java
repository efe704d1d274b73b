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
import java.util.stream.IntStream;
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

  /** What the model is made to say to one request after another; empty where it samples. */
  String speech = "";

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
    if (!"delta".equals(control.get("input")) && !agent.tools.isEmpty()) {
      body.putIfAbsent("tools", agent.tools);
    }
    control.put("session_id", agent.name);
    if (action != Action.CONTINUE) {
      control.put("action", action.name().toLowerCase(Locale.ROOT));
    }
    body.put("nvext", Map.of("session_control", control, "extra_fields", IDS));
  }

  /** Returns one of two lists of tools. */
  static List<Map<String, ?>> tools(int which) {
    Map<String, ?> first = tool("f");
    return which == 0 ? List.of(first) : List.of(first, tool("g"));
  }

  /** Returns the tools of a chat. */
  static List<Map<String, ?>> tools(Map<String, ?> body) {
    return IntStream.range(0, 2)
        .mapToObj(GatewayClient::tools)
        .filter(tools -> tools.equals(body.get("tools")))
        .findFirst()
        .orElse(List.of());
  }

  private static Map<String, ?> tool(String name) {
    return Map.of("type", "function", "function", Map.of("name", name));
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
    return send(gateway, CHAT, body);
  }

  /** Sends a chat or a completion. */
  Reply send(int gateway, String path, Map<String, ?> body) throws Exception {
    fleet.say(speech);
    return Reply.of(request(gateway, "POST", path, body));
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
  JsonNode rendered(List<Map<String, ?>> conversation, List<Map<String, ?>> tools)
      throws Exception {
    Map<String, Object> body = body(conversation, 1, 1);
    if (!tools.isEmpty()) {
      body.put("tools", tools);
    }
    body.put("nvext", Map.of("annotations", List.of("query_instance_id:")));
    Reply reply = send(0, body);
    assertThat(reply.status()).as("%s", reply).isEqualTo(200);
    return reply.body().path("nvext").path("token_ids");
  }

  /** Checks an answer against one over the same ids that shares no KV with it. */
  void expectStateless(int gateway, Map<String, ?> asked, Reply reply) throws Exception {
    Map<String, Object> body = new LinkedHashMap<>(asked);
    body.keySet().removeAll(List.of("messages", "tools", "stream", "session_params"));
    body.put("prompt", reply.prompt());
    body.put("nvext", Map.of("cache_salt", "apart", "extra_fields", IDS));
    Reply stateless = send(gateway, "/v1/completions", body);
    assertThat(stateless.completion()).as("8: %s", reply).isEqualTo(reply.completion());
    String finish = reply.calls().isEmpty() ? reply.finish() : "stop";
    assertThat(stateless.finish()).as("8: %s", reply).isEqualTo(finish);
  }
}
