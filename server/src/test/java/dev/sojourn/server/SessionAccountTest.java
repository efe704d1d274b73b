package dev.sojourn.server;

import static dev.sojourn.server.TestGateway.MODEL;
import static org.assertj.core.api.Assertions.assertThat;

import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** What a session holds, and what is told of that. */
@Timeout(60)
@NullUnmarked // the gateway is started before each test
final class SessionAccountTest {

  private static final String CHAT = "/v1/chat/completions";

  @TempDir static Path dir;
  private TestGateway gateway;

  @BeforeEach
  void start() throws Exception {
    gateway = new TestGateway(dir, 1, config -> config);
  }

  @AfterEach
  void nothingIsHeld() throws Exception {
    gateway.send("DELETE", "/v1/sessions/s?wait=true", "");
    gateway.expectNothingHeld();
    gateway.close();
  }

  @Test
  void show_tellsWhatTheTurnsCameTo() throws Exception {
    JsonNode first = chat("'action': 'open'", user("Remember the sea."), "");
    JsonNode second =
        chat(
            "'input': 'delta'",
            user("And the sand."),
            "'agent_hints': {'priority': 7}, 'cache_control': {'type': 'ephemeral'}, ");
    JsonNode title = chat("'input': 'full'", user("Name this conversation."), "");
    JsonNode shown = gateway.get("/v1/sessions/s");
    assertThat(shown.path("turns").asInt()).isEqualTo(2);
    assertThat(shown.path("turns_by_mode"))
        .isEqualTo(TestGateway.json("{\"opened\": 1, \"append\": 1, \"aside\": 1}"));
    long reused = 0;
    long prompts = 0;
    for (JsonNode answer : List.of(first, second, title)) {
      reused += session(answer).path("reused_tokens").asInt();
      prompts += answer.path("usage").path("prompt_tokens").asInt();
    }
    assertThat(shown.path("reused_tokens").asLong()).isEqualTo(reused);
    assertThat(shown.path("computed_tokens").asLong()).isEqualTo(prompts - reused);
    assertThat(shown.path("lost").isEmpty()).isTrue();
    assertThat(shown.path("moves").asInt()).isZero();
    assertThat(shown.path("resident_pages").asInt())
        .isEqualTo((shown.path("resident_tokens").asInt() + 15) / 16);
    JsonNode last = shown.path("last_turn");
    assertThat(last.path("mode").asString()).isEqualTo("aside");
    assertThat(last.path("priority").asInt()).isZero();
    assertThat(last.path("prompt_tokens")).isEqualTo(title.path("usage").path("prompt_tokens"));
    assertThat(gateway.metric("sojourn_turns_total")).isEqualTo(3);
  }

  @Test
  void rewind_isALossByDivergence() throws Exception {
    JsonNode first = chat("'action': 'open'", user("Remember the sea."), "");
    String kept = user("Remember the sea.") + ", " + echo(first);
    chat("'input': 'delta'", user("Now count all the shells that you can think of."), "");
    JsonNode rewound = chat("'input': 'full'", kept + ", " + user("No."), "");
    assertThat(session(rewound).path("mode").asString()).isEqualTo("rewind");
    JsonNode loss = session(rewound).path("losses").get(0);
    assertThat(loss.path("cause").asString()).isEqualTo("diverged");
    assertThat(loss.path("tokens")).isEqualTo(session(rewound).path("lost_tokens"));
    JsonNode shown = gateway.get("/v1/sessions/s");
    assertThat(shown.path("lost").path("diverged")).isEqualTo(loss.path("tokens"));
    assertThat(gateway.metric("sojourn_lost_tokens_total"))
        .isEqualTo(loss.path("tokens").asDouble());
  }

  @Test
  void boundSession_keepsTheIdsItSampled() throws Exception {
    List<String> messages = new ArrayList<>();
    List<Integer> context = List.of();
    for (int turn = 0; turn < 4; turn++) {
      messages.add(user("Turn " + turn));
      JsonNode answer = chat("'action': 'bind'", String.join(", ", messages), "");
      assertThat(session(answer).path("promise").asString()).isEqualTo("none");
      List<Integer> ids = ids(answer, "prompt_token_ids");
      assertThat(ids.subList(0, context.size())).isEqualTo(context);
      ids.addAll(ids(answer, "completion_token_ids"));
      context = ids;
      messages.add(echo(answer));
    }
  }

  @Test
  void promptOverTheSessionsCapacity_isRefused_andTheSessionGoesOn() throws Exception {
    chat("'action': 'open', 'capacity': 60", user("Hi."), "");
    HttpResponse<String> refused =
        gateway.send("POST", CHAT, body("'input': 'delta'", user("word ".repeat(60)), ""));
    assertThat(refused.statusCode()).isEqualTo(400);
    JsonNode error = TestGateway.json(refused.body()).path("error");
    assertThat(error.path("message").asString()).contains("the session's capacity of 60 tokens");
    String side = user("word ".repeat(60));
    assertThat(session(chat("'input': 'full'", side, "")).path("mode").asString())
        .isEqualTo("aside");
    assertThat(session(chat("'input': 'delta'", user("And?"), "")).path("mode").asString())
        .isEqualTo("append");
  }

  @Test
  void closeThatIsRefused_closesNothing() throws Exception {
    chat("'action': 'open'", user("Hi."), "");
    String close = "'action': 'close', 'input': 'delta'";
    assertRefused(400, body(close, user("Bye."), "").replace("0.9", "9"));
    assertRefused(400, body(close, user("Good bye. ".repeat(10_000)), ""));
    assertRefused(409, body(close + ", 'expected_tip': 1", user("Bye."), ""));
    assertThat(gateway.get("/v1/sessions/s").path("state").asString()).isEqualTo("idle");
    assertThat(session(chat("'input': 'delta'", user("And?"), "")).path("mode").asString())
        .isEqualTo("append");
  }

  private void assertRefused(int status, String body) throws Exception {
    var refused = gateway.send("POST", CHAT, body);
    assertThat(refused.statusCode()).as(refused.body()).isEqualTo(status);
  }

  private JsonNode chat(String control, String messages, String nvext) throws Exception {
    return gateway.post(CHAT, body(control, messages, nvext));
  }

  private static String body(String control, String messages, String nvext) {
    return ("{'model': '"
            + MODEL
            + "', 'max_tokens': 6, 'seed': 4, 'temperature': 0.9, 'messages': ["
            + messages
            + "], 'nvext': {"
            + nvext
            + "'extra_fields': ['prompt_token_ids', 'completion_token_ids'],"
            + " 'session_control': {'session_id': 's', "
            + control
            + "}}}")
        .replace('\'', '"');
  }

  private static String user(String content) {
    return "{'role': 'user', 'content': '" + content + "'}";
  }

  private static String echo(JsonNode answer) {
    String content = answer.path("choices").get(0).path("message").path("content").asString();
    return "{'role': 'assistant', 'content': "
        + JsonMapper.shared().writeValueAsString(content).replace("'", "\\u0027")
        + "}";
  }

  private static List<Integer> ids(JsonNode answer, String field) {
    List<Integer> ids = new ArrayList<>();
    answer.path("nvext").path(field).forEach(id -> ids.add(id.asInt()));
    return ids;
  }

  private static JsonNode session(JsonNode answer) {
    return answer.path("nvext").path("session");
  }
}
