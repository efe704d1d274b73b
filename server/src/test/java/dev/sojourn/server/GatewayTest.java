package dev.sojourn.server;

import static dev.sojourn.server.TestGateway.MODEL;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sojourn.server.http.RawClient;
import dev.sojourn.server.sessions.SessionEndpoints;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** The OpenAI surface, over sockets, on a tiny real model with two ranks. */
@Timeout(60)
@NullUnmarked // one gateway for all tests, started before them
final class GatewayTest {

  private static final String CHAT = "/v1/chat/completions";
  private static final String TEXT = "/v1/completions";

  @TempDir static Path dir;
  private static TestGateway gateway;

  @BeforeAll
  static void start() throws Exception {
    gateway = new TestGateway(dir, 2, config -> config);
  }

  @AfterAll
  static void stop() {
    gateway.close();
  }

  @AfterEach
  void nothingIsHeld() throws Exception {
    for (JsonNode session : gateway.get("/v1/sessions").path("data")) {
      gateway.send("DELETE", "/v1/sessions/" + session.path("id").asString() + "?wait=true", "");
    }
    gateway.expectNothingHeld();
  }

  @Test
  void chat_whole_answersWithUsageAndHeaders() throws Exception {
    HttpResponse<String> response = gateway.send("POST", CHAT, chat("'max_tokens': 5"));
    assertThat(response.statusCode()).isEqualTo(200);
    assertThat(response.headers().firstValue("x-sojourn-worker")).isPresent();
    assertThat(response.headers().firstValue("x-sojourn-affinity")).contains("none");
    assertThat(response.headers().firstValue("x-request-id")).isPresent();
    JsonNode answer = TestGateway.json(response.body());
    assertThat(answer.path("object").asString()).isEqualTo("chat.completion");
    assertThat(answer.path("choices").get(0).path("message").path("role").asString())
        .isEqualTo("assistant");
    assertThat(answer.path("choices").get(0).path("finish_reason").asString())
        .isIn("stop", "length");
    assertThat(answer.path("usage").path("prompt_tokens").asInt()).isPositive();
    assertThat(answer.path("usage").path("prompt_tokens_details").has("cached_tokens")).isTrue();
    assertThat(answer.path("nvext").has("seed")).isTrue();
  }

  @Test
  void chat_streamed_saysWhatTheWholeAnswerSays() throws Exception {
    String fields = "'max_tokens': 12, 'seed': 5, 'temperature': 1.3";
    String whole = content(gateway.post(CHAT, chat(fields)));
    List<JsonNode> events =
        gateway.stream(
            CHAT, chat(fields + ", 'stream': true, 'stream_options': {'include_usage': true}"));
    StringBuilder text = new StringBuilder();
    for (JsonNode event : events) {
      text.append(event.path("choices").path(0).path("delta").path("content").asString(""));
    }
    assertThat(text.toString()).isEqualTo(whole);
    assertThat(events.getFirst().path("choices").get(0).path("delta").path("role").asString())
        .isEqualTo("assistant");
    JsonNode last = events.getLast();
    assertThat(last.path("choices").isEmpty()).isTrue();
    assertThat(last.path("usage").path("completion_tokens").asInt()).isPositive();
    assertThat(
            events.get(events.size() - 2).path("choices").get(0).path("finish_reason").asString())
        .isIn("stop", "length");
  }

  /** The usual loop reads {@code choices[0]} of every chunk. */
  @Test
  void stream_inASession_hasAChoiceInEveryChunk_andTellsNvextWithTheLast() throws Exception {
    String control = "'nvext': {'session_control': {'session_id': 'loop'%s}}";
    String open = control.formatted(", 'action': 'open'");
    String close = control.formatted(", 'action': 'close'");
    expectChoices(gateway.stream(CHAT, chat("'max_tokens': 4, 'stream': true, " + open)), "mode");
    expectChoices(
        gateway.stream(CHAT, chat("'max_tokens': 4, 'stream': true, " + close)), "tokens_freed");
    String prompt = "'prompt': 'Once', 'max_tokens': 4, 'stream': true, ";
    expectChoices(gateway.stream(TEXT, body(prompt + open)), "mode");
    expectChoices(gateway.stream(TEXT, body(prompt + close)), "tokens_freed");
  }

  @Test
  void stream_withUsageOfAChat_endsWithAChunkOfUsageAlone() throws Exception {
    String fields = "'n': 2, 'max_tokens': 4, 'stream': true, 'nvext': {},";
    List<JsonNode> events =
        gateway.stream(CHAT, chat(fields + "'stream_options': {'include_usage': true}"));
    JsonNode usage = events.getLast();
    assertThat(usage.path("choices").isEmpty()).isTrue();
    assertThat(usage.path("usage").path("total_tokens").asInt()).isPositive();
    assertThat(usage.has("nvext")).isFalse();
    List<JsonNode> told = events.stream().filter(event -> event.has("nvext")).toList();
    assertThat(told).containsExactly(events.get(events.size() - 2));
    List<JsonNode> finished =
        events.stream().filter(event -> event.at("/choices/0/finish_reason").isString()).toList();
    assertThat(finished).hasSize(2).contains(told.getFirst());
  }

  /** Expects a choice in each chunk, and that the last one says why it ended, and what happened. */
  private static void expectChoices(List<JsonNode> events, String tells) {
    assertThat(events).allSatisfy(event -> assertThat(event.path("choices")).hasSize(1));
    JsonNode last = events.getLast();
    assertThat(last.at("/choices/0/finish_reason").asString()).isIn("stop", "length");
    assertThat(last.path("nvext").path("session").has(tells)).as(last.toString()).isTrue();
    assertThat(events.stream().filter(event -> event.has("nvext"))).hasSize(1);
  }

  @Test
  void chat_withLogprobs_tellsThemForEveryTokenThatCounts() throws Exception {
    String fields = "'max_tokens': 6, 'temperature': 0, 'logprobs': true, 'top_logprobs': 3,";
    fields += "'nvext': {'extra_fields': ['completion_token_ids']}";
    JsonNode whole = gateway.post(CHAT, chat(fields));
    JsonNode content = whole.path("choices").get(0).path("logprobs").path("content");
    assertThat(content).hasSize(whole.path("nvext").path("completion_token_ids").size());
    for (JsonNode token : content) {
      assertThat(token.path("top_logprobs")).hasSize(3);
      assertThat(token.path("top_logprobs").get(0).path("logprob").asDouble())
          .isEqualTo(token.path("logprob").asDouble());
    }
    List<JsonNode> told = new ArrayList<>();
    for (JsonNode event : gateway.stream(CHAT, chat(fields + ", 'stream': true"))) {
      event.path("choices").path(0).path("logprobs").path("content").forEach(told::add);
    }
    assertThat(told).containsExactlyElementsOf(content);
  }

  @Test
  void chat_withStopString_isCutAndNothingBehindIsToldOfIt() throws Exception {
    String sampled = "'max_tokens': 12, 'temperature': 1.2, 'seed': ";
    int seed = 0;
    String plain = "";
    while (plain.length() < 6 || plain.contains("\uFFFD")) {
      plain = content(gateway.post(CHAT, chat(sampled + ++seed)));
    }
    String stop = plain.substring(3, 5);
    String cut = plain.substring(0, plain.indexOf(stop));
    String fields = sampled + seed + ", 'logprobs': true, 'stop': [" + quoted(stop) + "]";
    JsonNode answer = gateway.post(CHAT, chat(fields));
    assertThat(content(answer)).isEqualTo(cut);
    assertThat(answer.path("choices").get(0).path("finish_reason").asString()).isEqualTo("stop");
    StringBuilder text = new StringBuilder();
    StringBuilder tokens = new StringBuilder();
    for (JsonNode event : gateway.stream(CHAT, chat(fields + ", 'stream': true"))) {
      JsonNode choice = event.path("choices").path(0);
      text.append(choice.path("delta").path("content").asString(""));
      for (JsonNode token : choice.path("logprobs").path("content")) {
        tokens.append(token.path("token").asString());
      }
    }
    assertThat(text.toString()).isEqualTo(cut);
    assertThat(cut).startsWith(tokens.toString());
  }

  @Test
  void chat_withSeveralChoices_drawsEachAnewAndRepeatably() throws Exception {
    String fields = "'n': 3, 'max_tokens': 8, 'temperature': 1.5, 'seed': 11";
    JsonNode first = gateway.post(CHAT, chat(fields));
    JsonNode second = gateway.post(CHAT, chat(fields));
    assertThat(first.path("choices")).hasSize(3);
    for (int i = 0; i < 3; i++) {
      assertThat(first.path("choices").get(i)).isEqualTo(second.path("choices").get(i));
    }
    assertThat(first.path("choices").get(0).path("message"))
        .isNotEqualTo(first.path("choices").get(1).path("message"));
    List<JsonNode> events = gateway.stream(CHAT, chat(fields + ", 'stream': true"));
    for (int i = 0; i < 3; i++) {
      StringBuilder text = new StringBuilder();
      for (JsonNode event : events) {
        JsonNode choice = event.path("choices").path(0);
        if (choice.path("index").asInt(-1) == i) {
          text.append(choice.path("delta").path("content").asString(""));
        }
      }
      assertThat(text.toString())
          .isEqualTo(first.path("choices").get(i).path("message").path("content").asString());
    }
  }

  @Test
  void seed_thatIsReported_repeatsTheAnswer() throws Exception {
    JsonNode drawn = gateway.post(CHAT, chat("'max_tokens': 8, 'temperature': 1.5"));
    long seed = drawn.path("nvext").path("seed").asLong();
    JsonNode again =
        gateway.post(CHAT, chat("'max_tokens': 8, 'temperature': 1.5, 'seed': " + seed));
    assertThat(content(again)).isEqualTo(content(drawn));
  }

  @Test
  void completion_takesTextIdsAndListsOfEither() throws Exception {
    String fields = "'max_tokens': 4, 'temperature': 0, ";
    String ids = "'nvext': {'extra_fields': ['prompt_token_ids', 'completion_token_ids']}, ";
    JsonNode text = gateway.post(TEXT, body(fields + ids + "'prompt': 'Hello there'"));
    String prompt = text.path("nvext").path("prompt_token_ids").toString();
    JsonNode byIds = gateway.post(TEXT, body(fields + ids + "'prompt': " + prompt));
    assertThat(byIds.path("choices")).isEqualTo(text.path("choices"));
    assertThat(byIds.path("nvext").path("completion_token_ids"))
        .isEqualTo(text.path("nvext").path("completion_token_ids"));
    JsonNode both = gateway.post(TEXT, body(fields + "'prompt': ['Hello there', 'And you?']"));
    JsonNode idLists =
        gateway.post(TEXT, body(fields + "'prompt': [" + prompt + "," + prompt + "]"));
    String said = text.path("choices").get(0).path("text").asString();
    assertThat(both.path("choices").get(0).path("text").asString()).isEqualTo(said);
    assertThat(both.path("choices")).hasSize(2);
    assertThat(idLists.path("choices").get(1).path("text").asString()).isEqualTo(said);
    JsonNode logprobs = gateway.post(TEXT, body(fields + "'prompt': 'Hello there', 'logprobs': 2"));
    JsonNode told = logprobs.path("choices").get(0).path("logprobs");
    assertThat(told.path("tokens").size()).isEqualTo(told.path("token_logprobs").size());
    assertThat(told.path("text_offset").get(0).asInt()).isZero();
  }

  @Test
  void session_ofThreeTurns_computesOnlyWhatIsNewAndEndsWithItsClose() throws Exception {
    int context = 0;
    List<String> messages = new ArrayList<>();
    String[] actions = {"'action': 'open',", "", "'action': 'close',"};
    for (String action : actions) {
      messages.add("{'role': 'user', 'content': 'Turn " + messages.size() + "'}");
      String control = "'nvext': {'session_control': {" + action + "'session_id': 'a'}}";
      List<JsonNode> events =
          gateway.stream(
              CHAT,
              body(
                  "'messages': ["
                      + String.join(",", messages)
                      + "], 'max_tokens': 6, 'stream': true,"
                      + "'stream_options': {'include_usage': true}, "
                      + control));
      StringBuilder text = new StringBuilder();
      events.forEach(
          e -> text.append(e.path("choices").path(0).path("delta").path("content").asString("")));
      messages.add("{'role': 'assistant', 'content': " + quoted(text.toString()) + "}");
      JsonNode last = events.getLast();
      JsonNode session = events.get(events.size() - 2).path("nvext").path("session");
      int cached = last.path("usage").path("prompt_tokens_details").path("cached_tokens").asInt();
      assertThat(session.path("mode").asString()).isEqualTo(context == 0 ? "opened" : "append");
      assertThat(session.path("promise").asString()).isEqualTo("leased");
      assertThat(cached).isEqualTo(Math.max(0, context - 1));
      context = last.path("usage").path("total_tokens").asInt();
      if (action.contains("close")) {
        assertThat(session.path("existed").asBoolean()).isTrue();
        assertThat(session.path("tokens_freed").asInt()).isPositive();
      } else {
        assertThat(session.path("held_tokens").asInt()).isEqualTo(context);
        JsonNode shown = gateway.get("/v1/sessions/a");
        assertThat(shown.path("tokens").asInt()).isEqualTo(context);
        assertThat(shown.path("state").asString()).isEqualTo("idle");
      }
    }
    assertThat(gateway.send("GET", "/v1/sessions/a", "").statusCode()).isEqualTo(404);
  }

  @Test
  void session_ofDeltas_answersAsOneOfFullPrompts() throws Exception {
    List<String> delta = new ArrayList<>();
    List<String> full = new ArrayList<>();
    List<String> said = new ArrayList<>();
    for (int turn = 0; turn < 4; turn++) {
      String user = "{'role': 'user', 'content': 'Question " + turn + "'}";
      String open = turn == 0 ? "'action': 'open', " : "";
      said.add(user);
      delta.add(turn("delta", open + "'input': 'delta', ", "[" + user + "]", said, false));
      full.add(turn("full", open, "[" + String.join(",", said) + "]", said, true));
    }
    assertThat(delta).isEqualTo(full);
  }

  private static String turn(
      String name, String control, String messages, List<String> said, boolean remember)
      throws Exception {
    JsonNode answer =
        gateway.post(
            CHAT,
            body(
                "'messages': "
                    + messages
                    + ", 'max_tokens': 5, 'temperature': 0,"
                    + "'nvext': {'extra_fields': ['prompt_token_ids', 'completion_token_ids'],"
                    + "'session_control': {"
                    + control
                    + "'session_id': '"
                    + name
                    + "'}}"));
    if (remember) {
      said.add("{'role': 'assistant', 'content': " + quoted(content(answer)) + "}");
    }
    return answer.path("nvext").path("prompt_token_ids").toString()
        + answer.path("nvext").path("completion_token_ids");
  }

  @Test
  void session_answers_asAStatelessRunOverItsIds() throws Exception {
    String fields = "'max_tokens': 6, 'temperature': 0.9, 'seed': 3, 'logprobs': true, ";
    String extra = "'extra_fields': ['prompt_token_ids', 'completion_token_ids']";
    String control = "'session_control': {'session_id': 's', 'action': 'open'}";
    gateway.post(CHAT, chat(fields + "'nvext': {" + control + "}"));
    JsonNode second =
        gateway.post(
            CHAT,
            body(
                fields
                    + "'messages': [{'role':'user','content':'more'}], 'nvext': {"
                    + extra
                    + ", 'session_control': {'session_id': 's', 'input': 'delta'}}"));
    assertThat(second.path("nvext").path("session").path("mode").asString()).isEqualTo("append");
    JsonNode stateless =
        gateway.post(
            TEXT,
            body(
                "'max_tokens': 6, 'temperature': 0.9, 'seed': 3, 'logprobs': 0, 'prompt': "
                    + second.path("nvext").path("prompt_token_ids")
                    + ", 'nvext': {"
                    + extra
                    + ", 'cache_salt': 'apart'}"));
    assertThat(stateless.path("usage").path("prompt_tokens_details").path("cached_tokens").asInt())
        .isZero();
    assertThat(stateless.path("nvext").path("completion_token_ids"))
        .isEqualTo(second.path("nvext").path("completion_token_ids"));
    List<Double> logprobs = new ArrayList<>();
    second
        .path("choices")
        .get(0)
        .path("logprobs")
        .path("content")
        .forEach(token -> logprobs.add(token.path("logprob").asDouble()));
    List<Double> expected = new ArrayList<>();
    stateless
        .path("choices")
        .get(0)
        .path("logprobs")
        .path("token_logprobs")
        .forEach(logprob -> expected.add(logprob.asDouble()));
    assertThat(logprobs).isEqualTo(expected).isNotEmpty();
  }

  @Test
  void session_namedByHeader_isOpenedImplicitlyAndEndsWhenTheHeaderSaysSo() throws Exception {
    String[] last = {"x-dynamo-session-id", "h", "x-dynamo-session-final", "true"};
    JsonNode first = gateway.post(CHAT, chat("'max_tokens': 3"), "x-dynamo-session-id", "h");
    assertThat(first.path("nvext").path("session").path("mode").asString()).isEqualTo("opened");
    assertThat(first.path("nvext").path("session").path("reason").asString()).isEqualTo("unknown");
    assertThat(gateway.get("/v1/sessions/h").path("kind").asString()).isEqualTo("open");
    JsonNode end = gateway.post(CHAT, chat("'max_tokens': 3"), last);
    assertThat(end.path("nvext").path("session").path("existed").asBoolean()).isTrue();
    JsonNode unknown = gateway.post(CHAT, chat("'max_tokens': 3"), last);
    assertThat(unknown.path("nvext").path("session").path("existed").asBoolean()).isFalse();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '~',
      value = {
        "'nvext': {'session_control': {'session_id': 'f'}}",
        "'nvext': {'session_control': {'session_id': 'f', 'input': 'delta'}}",
        "'nvext': {'session_control': {'session_id': 'f', 'action': 'close'}}",
        "'nvext': {'session_params': {'id': 'f'}}",
        "'session_id': 'f'",
      })
  void session_namedByTheBody_endsWhenTheHeaderSaysSo(String named) throws Exception {
    gateway.post(
        CHAT,
        chat(
            "'max_tokens': 3, 'nvext': {'session_control': {'session_id': 'f', 'action': 'open'}}"));
    String turn = chat("'max_tokens': 3, " + named);
    JsonNode end = gateway.post(CHAT, turn, "x-dynamo-session-final", "true");
    assertThat(end.path("nvext").path("session").path("existed").asBoolean()).isTrue();
    assertThat(gateway.send("GET", "/v1/sessions/f", "").statusCode()).isEqualTo(404);
  }

  @Test
  void session_namedByAnAgentsHeader_endsWhenTheHeaderSaysSo() throws Exception {
    String turn = chat("'max_tokens': 3");
    gateway.post(CHAT, turn, "x-session-id", "f");
    gateway.post(CHAT, turn, "x-session-id", "f", "x-dynamo-session-final", "true");
    assertThat(gateway.send("GET", "/v1/sessions/f", "").statusCode()).isEqualTo(404);
  }

  @ParameterizedTest
  @CsvSource({"true, open", "true, bind", "false, close"})
  void finalHeader_thatTheBodyContradicts_isRefusedAndChangesNothing(String last, String action)
      throws Exception {
    gateway.post(CHAT, chat("'max_tokens': 3"), "x-dynamo-session-id", "f");
    String control =
        "'nvext': {'session_control': {'session_id': 'f', 'action': '" + action + "'}}";
    String[] header = {"x-dynamo-session-final", last};
    HttpResponse<String> refused = gateway.send("POST", CHAT, chat(control), header);
    assertThat(refused.statusCode()).isEqualTo(400);
    assertThat(error(refused).path("param").asString()).isEqualTo("nvext.session_control.action");
    assertThat(error(refused).path("message").asString())
        .isEqualTo(
            "header x-dynamo-session-final is %s, but nvext.session_control.action is %s"
                .formatted(last, action));
    assertThat(gateway.get("/v1/sessions/f").path("turns").asInt()).isEqualTo(1);
  }

  @Test
  void finalHeader_ofNoSession_isRefused() throws Exception {
    String[] last = {"x-dynamo-session-final", "true"};
    HttpResponse<String> refused = gateway.send("POST", CHAT, chat("'max_tokens': 3"), last);
    assertThat(refused.statusCode()).isEqualTo(400);
    assertThat(error(refused).path("message").asString())
        .isEqualTo("x-dynamo-session-final is true, but the request names no session");
    gateway.post(CHAT, chat("'max_tokens': 3"), "x-dynamo-session-final", "false");
  }

  @Test
  void session_boundAlone_isExpectedWhereItsTurnsHereGotTo() throws Exception {
    String control = "'max_tokens': 3, 'nvext': {'session_control': {'session_id': 'b', %s}}";
    String bind = control.formatted("'action': 'bind', 'expected_tip': %d");
    assertThat(code(gateway.send("POST", CHAT, chat(bind.formatted(1))))).isEqualTo("tip_mismatch");
    JsonNode bound = gateway.post(CHAT, chat(bind.formatted(0)));
    int tip = bound.path("usage").path("total_tokens").asInt();
    String next = control.formatted("'expected_tip': %d");
    HttpResponse<String> wrong = gateway.send("POST", CHAT, chat(next.formatted(0)));
    assertThat(error(wrong).path("observed").path("tip").asInt()).isEqualTo(tip);
    gateway.post(CHAT, chat(next.formatted(tip)));
  }

  @Test
  void session_ofACodingAgent_isKnownByItsOwnHeaders() throws Exception {
    gateway.post(
        CHAT,
        chat("'max_tokens': 2"),
        "x-claude-code-session-id",
        "root",
        "x-claude-code-agent-id",
        "agent-1");
    assertThat(gateway.get("/v1/sessions").path("data").get(0).path("id").asString())
        .isEqualTo("agent-1");
  }

  @Test
  void conflicts_tellWhatWasFoundAndAreNotToBeRepeated() throws Exception {
    gateway.post(
        CHAT,
        chat(
            "'max_tokens': 3, 'nvext': {'session_control':"
                + "{'session_id': 'c', 'action': 'open', 'timeout': 60}}"));
    HttpResponse<String> other =
        gateway.send(
            "POST",
            CHAT,
            chat(
                "'nvext': {'session_control':"
                    + "{'session_id': 'c', 'action': 'open', 'timeout': 61}}"));
    assertThat(other.statusCode()).isEqualTo(409);
    assertThat(other.headers().firstValue("x-should-retry")).contains("false");
    assertThat(code(other)).isEqualTo("session_settings");
    assertThat(error(other).path("message").asString())
        .isEqualTo(
            "session c is open with other settings: timeout 60 s (this request says 61 s); close it"
                + " first, or open it with the same");
    HttpResponse<String> several =
        gateway.send(
            "POST",
            CHAT,
            chat(
                "'nvext': {'session_control': {'session_id': 'c', 'action': 'open', 'timeout': 60,"
                    + " 'capacity': 90, 'on_close': 'retain'}}"));
    assertThat(error(several).path("message").asString())
        .contains(
            ": on_close free (this request says retain), capacity none (this request says 90);");
    HttpResponse<String> tip =
        gateway.send(
            "POST",
            CHAT,
            chat(
                "'nvext': {'session_control':"
                    + "{'session_id': 'c', 'input': 'delta', 'expected_tip': 1}}"));
    assertThat(tip.statusCode()).isEqualTo(409);
    assertThat(code(tip)).isEqualTo("tip_mismatch");
    int held = error(tip).path("observed").path("tip").asInt();
    assertThat(held).isPositive();
    assertThat(error(tip).path("message").asString())
        .isEqualTo(
            "the session holds %d tokens, but nvext.session_control.expected_tip is 1"
                .formatted(held));
    assertThat(error(tip).path("param").asString()).endsWith("expected_tip");
    HttpResponse<String> digest =
        gateway.send(
            "POST",
            CHAT,
            chat(
                "'nvext': {'session_control': {'session_id': 'c', 'input': 'delta',"
                    + " 'expected_tip': "
                    + held
                    + ", 'expected_digest': '00000000000000ff'}}"));
    assertThat(error(digest).path("message").asString())
        .contains(error(digest).path("observed").path("digest").asString(), "00000000000000ff");
    assertThat(error(digest).path("param").asString()).endsWith("expected_digest");
    HttpResponse<String> atFork =
        gateway.send(
            "POST",
            CHAT,
            chat(
                "'nvext': {'session_control': {'session_id': 'c2', 'action': 'open', 'parent': 'c',"
                    + " 'input': 'delta', 'expected_tip': 1}}"));
    assertThat(error(atFork).path("message").asString())
        .startsWith("parent session c holds " + held + " tokens");
  }

  @Test
  void divergence_thatIsRejected_saysWhichMessageDiffers() throws Exception {
    String open = "'max_tokens': 2, 'nvext': {'session_control': {'session_id': 'v', %s}}, ";
    gateway.post(CHAT, chat(open.formatted("'action': 'open'") + talk("Hello.")));
    HttpResponse<String> other =
        gateway.send(
            "POST",
            CHAT,
            chat(open.formatted("'on_divergence': 'reject'") + talk("Good bye, all of you.")));
    assertThat(other.statusCode()).isEqualTo(409);
    assertThat(code(other)).isEqualTo("diverged");
    assertThat(error(other).path("param").asString())
        .isEqualTo("nvext.session_control.on_divergence");
    assertThat(error(other).path("message").asString())
        .startsWith("the prompt does not go on from what session v holds: message 1 (user)")
        .doesNotContain("default/");
    assertThat(error(other).path("observed").path("tip").asInt()).isPositive();
  }

  private static String talk(String text) {
    return "'messages': [{'role': 'system', 'content': 'Be brief.'},"
        + " {'role': 'user', 'content': '"
        + text
        + "'}]";
  }

  @Test
  void delta_ofASessionThatNeverWas_isNotFound() throws Exception {
    HttpResponse<String> response =
        gateway.send(
            "POST",
            CHAT,
            chat("'nvext': {'session_control':" + "{'session_id': 'never', 'input': 'delta'}}"));
    assertThat(response.statusCode()).isEqualTo(404);
    assertThat(code(response)).isEqualTo("session_not_found");
  }

  @Test
  void queryOnly_tellsWhereItWouldGoAndChangesNothing() throws Exception {
    JsonNode answer =
        gateway.post(
            CHAT,
            chat(
                "'nvext': {'annotations': ['query_instance_id:'],"
                    + "'session_control': {'session_id': 'q', 'action': 'open'}}"));
    assertThat(answer.path("choices").isEmpty()).isTrue();
    assertThat(answer.path("nvext").path("worker").asString()).isEqualTo("embedded");
    assertThat(answer.path("nvext").path("token_ids").isEmpty()).isFalse();
    assertThat(gateway.get("/v1/sessions").path("data").isEmpty()).isTrue();
    List<JsonNode> events =
        gateway.stream(
            CHAT, chat("'stream': true, 'nvext': {'annotations': ['query_instance_id:']}"));
    assertThat(events).hasSize(1);
    assertThat(events.getFirst().path("object").asString()).isEqualTo("chat.completion.chunk");
    assertThat(events.getFirst().path("nvext").path("worker").asString()).isEqualTo("embedded");
  }

  @Test
  void pin_putsTheTurnOnItsRank() throws Exception {
    for (int rank = 0; rank < 2; rank++) {
      JsonNode answer =
          gateway.post(CHAT, chat("'max_tokens': 1, 'nvext': {'dp_rank': " + rank + "}"));
      assertThat(answer.path("nvext").path("rank").asInt()).isEqualTo(rank);
    }
  }

  @Test
  void pin_inHeaders_winsOverTheBody() throws Exception {
    String body = chat("'max_tokens': 1, 'nvext': {'dp_rank': 0}");
    for (String header : List.of("x-dynamo-dp-rank", "x-dp-rank", "x-data-parallel-rank")) {
      JsonNode answer = gateway.post(CHAT, body, header, "1");
      assertThat(answer.path("nvext").path("rank").asInt()).as(header).isEqualTo(1);
      HttpResponse<String> wrong = gateway.send("POST", CHAT, body, header, "one");
      assertThat(wrong.statusCode()).isEqualTo(400);
      assertThat(error(wrong).path("param").asString()).isEqualTo(header);
      assertThat(error(gateway.send("POST", CHAT, body, header, "7")).path("message").asString())
          .isEqualTo(header + " must be 0 to 1, a rank of worker embedded, but is 7");
    }
    for (String header : List.of("x-dynamo-worker-instance-id", "x-worker-instance-id")) {
      assertThat(gateway.send("POST", CHAT, body, header, "embedded").statusCode()).isEqualTo(200);
      HttpResponse<String> unknown = gateway.send("POST", CHAT, body, header, "w9");
      assertThat(unknown.statusCode()).isEqualTo(400);
      assertThat(error(unknown).path("param").asString()).isEqualTo(header);
    }
  }

  @Test
  void priority_inAHeader_winsOverTheBody() throws Exception {
    String body = chat("'max_tokens': 1, 'nvext': {'agent_hints': {'priority': 1}}");
    JsonNode answer = gateway.post(CHAT, body, "x-dynamo-request-priority", "1000");
    assertThat(answer.path("nvext").path("hints").path("priority").asString()).isEqualTo("clipped");
    assertThat(gateway.send("POST", CHAT, body, "x-dynamo-request-priority", "high").statusCode())
        .isEqualTo(400);
  }

  @Test
  void delta_afterTheTranscriptWasForgotten_goesOn() throws Exception {
    try (TestGateway forgetful = new TestGateway(dir, 1, c -> withTranscripts(c, 1))) {
      String open = "'max_tokens': 2, 'nvext': {'session_control': {'session_id': 'f', ";
      JsonNode first = forgetful.post(CHAT, chat(open + "'action': 'open'}}"));
      int tip = first.path("nvext").path("session").path("held_tokens").asInt();
      String digest = first.path("nvext").path("session").path("digest").asString();
      String expected = "'expected_tip': " + tip + ", 'expected_digest': '" + digest + "'";
      assertThat(forgetful.send("POST", CHAT, chat(open + expected + "}}")).statusCode())
          .isEqualTo(200);
      HttpResponse<String> other = forgetful.send("POST", CHAT, chat(open + "'expected_tip': 1}}"));
      assertThat(code(other)).isEqualTo("tip_mismatch");
      assertThat(error(other).path("observed").path("tip").asInt()).isGreaterThan(1);
      String next =
          "'messages': [{'role': 'user', 'content': 'And?'}], 'max_tokens': 2, 'nvext': {"
              + "'extra_fields': ['prompt_token_ids', 'completion_token_ids'],"
              + "'session_control': {'session_id': 'f', 'input': 'delta'}}";
      JsonNode second = forgetful.post(CHAT, chat(next));
      assertThat(second.path("nvext").path("session").path("mode").asString()).isEqualTo("append");
      int held = second.path("nvext").path("session").path("held_tokens").asInt();
      JsonNode third = forgetful.post(CHAT, chat(next));
      JsonNode ids = third.path("nvext").path("prompt_token_ids");
      assertThat(ids.size()).isGreaterThan(held);
      List<Integer> said = new ArrayList<>();
      second.path("nvext").path("prompt_token_ids").forEach(id -> said.add(id.asInt()));
      second.path("nvext").path("completion_token_ids").forEach(id -> said.add(id.asInt()));
      for (int i = 0; i < said.size(); i++) {
        assertThat(ids.get(i).asInt()).isEqualTo(said.get(i));
      }
    }
  }

  @Test
  void full_afterTheTranscriptWasForgotten_keepsTheSampledIds() throws Exception {
    try (TestGateway forgetful = new TestGateway(dir, 1, c -> withTranscripts(c, 1))) {
      List<String> messages = new ArrayList<>();
      int held = 0;
      for (int turn = 0; turn < 4; turn++) {
        messages.add("{'role': 'user', 'content': 'Turn " + turn + "'}");
        JsonNode answer =
            forgetful.post(
                CHAT,
                chat(
                    "'messages': ["
                        + String.join(", ", messages)
                        + "], 'max_tokens': 6, 'temperature': 1.2, 'seed': 3,"
                        + "'nvext': {'session_control': {'session_id': 'f'}}"));
        JsonNode session = answer.path("nvext").path("session");
        assertThat(session.path("mode").asString()).isEqualTo(turn == 0 ? "opened" : "append");
        assertThat(session.path("reused_tokens").asInt()).isEqualTo(Math.max(0, held - 1));
        held = session.path("held_tokens").asInt();
        messages.add("{'role': 'assistant', 'content': " + quoted(content(answer)) + "}");
      }
    }
  }

  @Test
  void start_withoutItsFileOfKeys_closesTheRunners() {
    List<GatedRunner> runners = new ArrayList<>();
    assertThatThrownBy(
            () -> new TestGateway(dir, 2, runners, c -> withKeys(c, dir.resolve("nowhere.yaml"))))
        .hasMessageContaining("nowhere.yaml");
    assertThat(runners).hasSize(2).allMatch(GatedRunner::closed);
  }

  @Test
  void hints_areReportedOneByOne() throws Exception {
    JsonNode hints =
        gateway
            .post(
                CHAT,
                chat(
                    "'max_tokens': 1, 'nvext': {'agent_hints': {'priority': 1000,"
                        + "'osl': 4, 'speculative_prefill': true},"
                        + "'cache_control': {'type': 'ephemeral', 'ttl': '1h'}}"))
            .path("nvext")
            .path("hints");
    assertThat(hints.path("priority").asString()).isEqualTo("clipped");
    assertThat(hints.path("osl").asString()).isEqualTo("accepted");
    assertThat(hints.path("speculative_prefill").asString()).isEqualTo("rejected");
    assertThat(hints.path("cache_control").asString()).isEqualTo("accepted");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '~',
      value = {
        "model                  | 404 | model_not_found | 'model': 'other'",
        "messages               | 400 | | 'messages': []",
        "messages[0].role       | 400 | | 'messages': [{'role': 'boss', 'content': 'x'}]",
        "messages[0].role       | 400 | | 'messages': [{'role': 'function', 'name': 'f', 'content': 'x'}]",
        "messages[0].tool_calls | 400 | | 'messages': [{'role': 'user', 'content': 'x', 'tool_calls': [{'id': 'c', 'function': {'name': 'f', 'arguments': '{}'}}]}]",
        "messages[2].tool_call_id | 400 | | 'messages': [{'role': 'assistant', 'tool_calls': [{'id': 'c', 'function': {'name': 'f', 'arguments': '{}'}}]}, {'role': 'tool', 'tool_call_id': 'c', 'content': '1'}, {'role': 'tool', 'tool_call_id': 'c', 'content': '2'}]",
        "reasoning_effort       | 400 | | 'reasoning_effort': 'enormous'",
        "prediction             | 400 | | 'prediction': {'type': 'content', 'content': 'x'}",
        "web_search_options     | 400 | | 'web_search_options': {}",
        "store                  | 400 | | 'store': true",
        "messages[0].content    | 400 | | 'messages': [{'role': 'user'}]",
        "messages[0].content[0].type | 400 | | 'messages': [{'role': 'user', 'content': [{'type': 'image_url'}]}]",
        "tools[0].function      | 400 | | 'tools': [{'type': 'function'}]",
        "tools[0].type          | 400 | | 'tools': [{'type': 'search'}]",
        "tools[0].function.name | 400 | | 'tools': [{'type': 'function', 'function': {'name': 'a b'}}]",
        "tools[1].function.name | 400 | | 'tools': [{'type': 'function', 'function': {'name': 'a'}}, {'type': 'function', 'function': {'name': 'a'}}]",
        "tools[0].function.parameters | 400 | | 'tools': [{'type': 'function', 'function': {'name': 'a', 'parameters': 3}}]",
        "tool_choice            | 400 | | 'tool_choice': 'sometimes'",
        "tool_choice            | 400 | | 'tool_choice': 'required'",
        "tool_choice.function.name | 400 | | 'tool_choice': {'type': 'function', 'function': {'name': 'b'}}, 'tools': [{'type': 'function', 'function': {'name': 'a'}}]",
        "parallel_tool_calls    | 400 | | 'parallel_tool_calls': 'no'",
        "functions              | 400 | | 'functions': [{'name': 'f'}]",
        "chat_template_kwargs.tools | 400 | | 'chat_template_kwargs': {'tools': []}",
        "messages[0].tool_call_id | 400 | | 'messages': [{'role': 'tool', 'content': 'x'}]",
        "messages[1].tool_call_id | 400 | | 'messages': [{'role': 'user', 'content': 'x'}, {'role': 'tool', 'tool_call_id': 'call_9', 'content': 'x'}]",
        "messages[0].tool_calls[0].id | 400 | | 'messages': [{'role': 'assistant', 'tool_calls': [{'function': {'name': 'f', 'arguments': '{}'}}]}]",
        "messages[0].tool_calls[0].function.arguments | 400 | | 'messages': [{'role': 'assistant', 'tool_calls': [{'id': 'c', 'function': {'name': 'f', 'arguments': {}}}]}]",
        "messages[0].tool_calls[0].function.arguments | 400 | | 'messages': [{'role': 'assistant', 'tool_calls': [{'id': 'c', 'function': {'name': 'f'}}]}]",
        "response_format        | 400 | | 'response_format': {'type': 'json_object'}",
        "logit_bias             | 400 | | 'logit_bias': {'5': 1}",
        "frequency_penalty      | 400 | | 'frequency_penalty': 0.5",
        "temperature            | 400 | | 'temperature': 3",
        "top_p                  | 400 | | 'top_p': 0",
        "max_tokens             | 400 | | 'max_tokens': 0",
        "n                      | 400 | | 'n': 2, 'nvext': {'session_control': {'session_id':"
            + " 'x'}}",
        "stop                   | 400 | | 'stop': ['a','b','c','d','e']",
        "stop                   | 400 | | 'stop': ''",
        "top_logprobs           | 400 | | 'top_logprobs': 3",
        "stream                 | 400 | | 'stream': 'yes'",
        "nvext.session_control.action | 400 | | 'nvext': {'session_control': {'session_id': 'x',"
            + " 'action': 'pause'}}",
        "nvext.session_control.session_id | 400 | | 'nvext': {'session_control': {'action':"
            + " 'open'}}",
        "nvext.session_control.timeout | 400 | | 'nvext': {'session_control': {'session_id': 'x',"
            + " 'action': 'open', 'timeout': 0}}",
        "nvext.session_control.parent | 400 | | 'nvext': {'session_control': {'session_id': 'x',"
            + " 'parent': 'y'}}",
        "nvext.session_control.parent | 400 | | 'nvext': {'session_control': {'session_id': 'x',"
            + " 'action': 'bind', 'parent': 'y'}}",
        "nvext.session_control.parent | 400 | | 'nvext': {'session_control': {'session_id': 'x',"
            + " 'action': 'open', 'parent': 'x'}}",
        "nvext.session_control.parent | 400 | | 'nvext': {'session_control': {'session_id': 'x',"
            + " 'action': 'open', 'parent': ''}}",
        "nvext.session_control.capacity | 400 | | 'nvext': {'session_control': {'session_id': 'x',"
            + " 'action': 'bind', 'capacity': 30}}",
        "nvext.session_control.input | 400 | | 'nvext': {'session_control': {'session_id': 'x',"
            + " 'input': 'half'}}",
        "nvext.session_control.expected_digest | 400 | | 'nvext': {'session_control':"
            + " {'session_id': 'x', 'expected_digest': 'zz'}}",
        "nvext.session_control.history | 400 | | 'nvext': {'session_control': {'session_id': 'x',"
            + " 'history': 'raw'}}",
        "session_params.id      | 400 | | 'session_params': {'id': 'x', 'offset': 3}",
        "nvext.session_params.id | 400 | | 'nvext': {'session_params': {'id': 'x', 'replace': true}}",
        "session_params.id      | 400 | | 'session_params': {'drop_previous_output': true}",
        "session_params.id      | 400 | | 'session_params': {'rid': 'y'}, 'nvext': {'session_control':"
            + " {'session_id': 'x'}}",
        "guided_json            | 400 | | 'guided_json': {'type': 'object'}",
        "min_tokens             | 400 | | 'min_tokens': 4",
        "nvext.cache_control.ttl | 400 | | 'nvext': {'cache_control': {'type': 'ephemeral', 'ttl':"
            + " '2h'}}",
        "nvext.extra_fields[0]  | 400 | | 'nvext': {'extra_fields': ['zzz']}",
        "nvext.dp_rank          | 400 | | 'nvext': {'dp_rank': 2}",
        "nvext.backend_instance_id | 400 | | 'nvext': {'backend_instance_id': 'w9'}",
        "nvext.backend_instance_id | 400 | | 'nvext': {'backend_instance_id': ''}",
        "nvext.dp_rank          | 400 | | 'nvext': {'dp_rank': -1}",
      })
  void badInput_isRefusedByItsName(String param, int status, String code, String fields)
      throws Exception {
    HttpResponse<String> response = gateway.send("POST", CHAT, chat(fields));
    assertThat(response.statusCode()).as(response.body()).isEqualTo(status);
    if (status == 400) {
      assertThat(error(response).path("param").asString()).isEqualTo(param);
      assertThat(error(response).path("type").asString()).isEqualTo("invalid_request_error");
    } else {
      assertThat(code(response)).isEqualTo(code);
    }
    assertThat(response.headers().firstValue("x-should-retry")).contains("false");
  }

  @Test
  void badInput_thatIsNoJsonObject_saysWhere() throws Exception {
    HttpResponse<String> broken = gateway.send("POST", CHAT, "{\"model\": \"m\",\n  oops}");
    assertThat(broken.statusCode()).isEqualTo(400);
    assertThat(error(broken).path("message").asString()).contains("line 2");
    assertThat(gateway.send("POST", CHAT, "").statusCode()).isEqualTo(400);
    assertThat(gateway.send("POST", CHAT, "[1]").statusCode()).isEqualTo(400);
    assertThat(gateway.send("POST", CHAT, "[".repeat(100_000)).statusCode()).isEqualTo(400);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '~',
      value = {
        "{'model': 'a', 'model': 'b'}   | line 1, column",
        "{'model': 'a', 'model': 'b'}   | Duplicate",
        "{'a': NaN}                     | NaN",
        "{'a': [1, 2                    | end-of-input",
        "{'a': 1} {                     | line 1",
        "{'top_p': 0}                   | model is required",
        "{'a': 'x\ty'}                 | line 1",
      })
  void badInput_thatIsNoJson_saysWhyWithoutTheParsersNames(String body, String part)
      throws Exception {
    HttpResponse<String> response = gateway.send("POST", CHAT, body.replace('\'', '"'));
    assertThat(response.statusCode()).isEqualTo(400);
    assertThat(error(response).path("message").asString())
        .contains(part)
        .doesNotContain("`", "Feature", "Source", "jackson", "Constraints");
  }

  @Test
  void badInput_nestedTooDeep_saysHowDeepItMayBe() throws Exception {
    HttpResponse<String> response = gateway.send("POST", CHAT, "{\"a\":" + "[".repeat(100));
    assertThat(error(response).path("message").asString())
        .contains("at most 64 levels")
        .doesNotContain("Constraints");
  }

  @Test
  void halfOfASurrogatePair_isReadAsTheReplacementCharacter() throws Exception {
    String half =
        "'max_tokens': 2, 'temperature': 0, 'nvext': {'extra_fields':"
            + " ['prompt_token_ids']}, 'messages': [{'role': 'user', 'content': 'a%sb'}]";
    JsonNode cut = gateway.post(CHAT, chat(half.formatted("\\ud83d")));
    JsonNode replaced = gateway.post(CHAT, chat(half.formatted("\ufffd")));
    assertThat(cut.path("nvext").path("prompt_token_ids"))
        .isEqualTo(replaced.path("nvext").path("prompt_token_ids"));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '~',
      value = {
        "'top_p': 0             | top_p must be above 0 and at most 1, but is 0",
        "'max_tokens': 1.5      | max_tokens must be a whole number, but is 1.5",
        "'messages': [null]     | messages[0] must be an object, but is null",
        "'messages': null       | messages is required",
        "'stop': 7              | stop must be a string or a list of strings, but is a whole number",
        "'tool_choice': 7       | tool_choice must be none, auto, required or an object that names a function, but is a whole number",
        "'seed': 99999999999999999999 | seed must be -9223372036854775808 to 9223372036854775807, but is 99999999999999999999",
        "'nvext': {'dp_rank': 7} | nvext.dp_rank must be 0 to 1, a rank of worker embedded, but is 7",
        "'nvext': {'backend_instance_id': 'w9'} | nvext.backend_instance_id must be the name of a worker (embedded), but is \"w9\"",
      })
  void badInput_isToldAsWhatItMustBe(String fields, String message) throws Exception {
    HttpResponse<String> response = gateway.send("POST", CHAT, chat(fields));
    assertThat(error(response).path("message").asString()).isEqualTo(message);
  }

  @Test
  void badInput_promptOfAnotherKind_isToldAllItMayBe() throws Exception {
    HttpResponse<String> response = gateway.send("POST", TEXT, body("'prompt': 7"));
    assertThat(error(response).path("message").asString())
        .isEqualTo(
            "prompt must be a string, a list of token ids, or a list of either, but is a whole number");
  }

  @Test
  void fieldsThatChangeNothing_areTaken() throws Exception {
    gateway.post(
        CHAT,
        chat(
            "'max_tokens': 1, 'reasoning_effort': 'low', 'verbosity': 'low', 'store': false,"
                + " 'service_tier': 'flex', 'user': 'u', 'metadata': {'a': 'b'}"));
  }

  @Test
  void faultOfARequest_isNoFailedTurn() throws Exception {
    double failed = gateway.metric("sojourn_router_failed_turns_total");
    double refused = gateway.metric("sojourn_router_refused_turns_total");
    String wrong = "'nvext': {'session_control': {'session_id': 'm', 'expected_tip': 7}}";
    assertThat(gateway.send("POST", CHAT, chat(wrong)).statusCode()).isEqualTo(409);
    assertThat(gateway.metric("sojourn_router_refused_turns_total")).isEqualTo(refused + 1);
    assertThat(gateway.metric("sojourn_router_failed_turns_total")).isEqualTo(failed);
  }

  @Test
  void badPathOrMethod_hasACodeOfItsOwn() throws Exception {
    assertThat(code(gateway.send("GET", CHAT, ""))).isEqualTo("method_not_allowed");
    assertThat(code(gateway.send("GET", "/v1/nothing", ""))).isEqualTo("not_found");
  }

  @Test
  void reason_isToldToContinuationsAndClosesOnly() throws Exception {
    for (String action : List.of("'open'", "'close'", "null")) {
      String control = "{'session_id': 'r" + action.length() + "', 'action': " + action + "}";
      JsonNode answer =
          gateway.post(
              CHAT, chat("'max_tokens': 2, 'nvext': {'session_control': " + control + "}"));
      assertThat(answer.path("nvext").path("session").path("reason").asString("none"))
          .isEqualTo(action.equals("'open'") ? "none" : "unknown");
    }
  }

  @Test
  void badInput_nameOf257Bytes_isRefused() throws Exception {
    HttpResponse<String> response =
        gateway.send(
            "POST",
            CHAT,
            chat("'nvext': {'session_control': {'session_id': '" + "é".repeat(128) + "x'}}"));
    assertThat(response.statusCode()).isEqualTo(400);
    assertThat(error(response).path("message").asString()).contains("257");
    assertThat(gateway.send("POST", CHAT, chat(""), "x-session-id", "y".repeat(257)).statusCode())
        .isEqualTo(400);
  }

  @Test
  void badInput_promptLongerThanTheContext_saysBothNumbers() throws Exception {
    HttpResponse<String> response =
        gateway.send(
            "POST",
            TEXT,
            body("'prompt': [" + "5,".repeat(TestGateway.CONTEXT - 1) + "5], 'max_tokens': 1"));
    assertThat(response.statusCode()).isEqualTo(400);
    assertThat(error(response).path("message").asString())
        .contains("prompt has " + TestGateway.CONTEXT + " tokens")
        .contains("room for " + TestGateway.CONTEXT);
    // Agents look for this code to shorten their conversation.
    assertThat(code(response)).isEqualTo("context_length_exceeded");
    assertThat(error(response).path("param").asString()).isEqualTo("prompt");
  }

  @Test
  void badInput_chatLongerThanTheContext_namesMessages() throws Exception {
    String turn = "'messages': [{'role': 'user', 'content': '" + "many words ".repeat(400) + "'}]";
    String open = "'nvext': {'session_control': {'session_id': 'long', 'action': 'open'}}";
    String delta = "'nvext': {'session_control': {'session_id': 'long', 'input': 'delta'}}";
    List<HttpResponse<String>> refused = new ArrayList<>();
    refused.add(gateway.send("POST", CHAT, chat(turn)));
    refused.add(gateway.send("POST", CHAT, chat(turn + ", " + open)));
    gateway.post(CHAT, chat("'max_tokens': 2, " + open));
    refused.add(gateway.send("POST", CHAT, chat(turn + ", " + delta)));
    refused.add(gateway.send("POST", CHAT, chat(turn + ", 'stream': true, " + delta)));
    for (HttpResponse<String> response : refused) {
      assertThat(response.statusCode()).as(response.body()).isEqualTo(400);
      assertThat(code(response)).isEqualTo("context_length_exceeded");
      assertThat(error(response).path("param").asString()).isEqualTo("messages");
    }
  }

  @Test
  void badInput_headerAndBodyDisagree_isRefused() throws Exception {
    String body = chat("'nvext': {'session_control': {'session_id': 'one'}}");
    HttpResponse<String> response = gateway.send("POST", CHAT, body, "x-dynamo-session-id", "two");
    assertThat(response.statusCode()).isEqualTo(400);
    assertThat(error(response).path("message").asString()).contains("one").contains("two");
  }

  @Test
  void models_areListedAndFoundByIdsWithSlashes() throws Exception {
    assertThat(gateway.get("/v1/models").path("data").get(0).path("id").asString())
        .isEqualTo(MODEL);
    assertThat(gateway.get("/v1/models/" + MODEL).path("id").asString()).isEqualTo(MODEL);
    assertThat(gateway.get("/v1/models/" + MODEL).path("max_model_len").asInt())
        .isEqualTo(TestGateway.CONTEXT);
    assertThat(gateway.send("GET", "/v1/models/none", "").statusCode()).isEqualTo(404);
  }

  @Test
  void health_liveAndReady_answer() throws Exception {
    assertThat(gateway.get("/health").path("status").asString()).isEqualTo("ok");
    assertThat(gateway.send("GET", "/live", "").statusCode()).isEqualTo(200);
    assertThat(gateway.send("GET", "/ready", "").statusCode()).isEqualTo(200);
  }

  @Test
  void delete_ofASession_saysWhatItFreed() throws Exception {
    gateway.post(
        CHAT,
        chat(
            "'max_tokens': 20, 'nvext': {'session_control':"
                + "{'session_id': 'd/1', 'action': 'open'}}"));
    HttpResponse<String> deleted = gateway.send("DELETE", "/v1/sessions/d%2F1?wait=true", "");
    assertThat(deleted.statusCode()).isEqualTo(200);
    assertThat(TestGateway.json(deleted.body()).path("existed").asBoolean()).isTrue();
    assertThat(gateway.send("DELETE", "/v1/sessions/d%2F1", "").statusCode()).isEqualTo(404);
  }

  @Test
  void runOfBadAndAbortedRequests_leavesNothingBehind() throws Exception {
    String bad = chat("'nvext': {'session_control': {'session_id': 'z', 'timeout': 0}}");
    String delta = chat("'nvext': {'session_control': {'session_id': 'z', 'input': 'delta'}}");
    String good =
        chat(
            "'max_tokens': 40, 'stream': true, 'nvext': {'session_control':"
                + "{'session_id': 'z', 'action': 'open'}}");
    for (int i = 0; i < 100; i++) {
      assertThat(gateway.send("POST", CHAT, bad).statusCode()).isEqualTo(400);
      assertThat(gateway.send("POST", CHAT, "{").statusCode()).isEqualTo(400);
      assertThat(gateway.send("POST", CHAT, delta, "x-session-id", "y").statusCode())
          .isEqualTo(400);
      try (RawClient client = new RawClient(gateway.address())) {
        client.post(CHAT, good);
        if (i % 3 == 1) {
          client.lineWith("data:"); // hung up between tokens; otherwise at once
        }
      }
      try (RawClient client = new RawClient(gateway.address())) {
        client.say("POST " + CHAT + " HTTP/1.1\r\nContent-Length: 100\r\n\r\n{\"half");
        if (i % 2 == 0) {
          client.reset();
        }
      }
    }
    gateway.send("DELETE", "/v1/sessions/z?wait=true&abort=true", "");
  }

  @Test
  void keys_decideTheTenantWhoSeesOnlyItsOwnSessions() throws Exception {
    Path keys = Files.writeString(dir.resolve("keys.yaml"), "key-a: team-a\nkey-b: team-b\n");
    try (TestGateway closed = new TestGateway(dir, 1, c -> withKeys(c, keys))) {
      String open =
          chat(
              "'max_tokens': 2, 'nvext': {'session_control':"
                  + "{'session_id': 'mine', 'action': 'open'}}");
      String[] a = {"authorization", "Bearer key-a"};
      String[] b = {"x-api-key", "key-b"};
      assertThat(closed.send("POST", CHAT, open).statusCode()).isEqualTo(401);
      HttpResponse<String> wrong = closed.send("POST", CHAT, open, "authorization", "Bearer key-c");
      assertThat(wrong.statusCode()).isEqualTo(401);
      assertThat(wrong.body()).doesNotContain("key-c");
      assertThat(wrong.headers().firstValue("www-authenticate")).contains("Bearer");
      closed.post(CHAT, open, a);
      assertThat(closed.get("/v1/sessions/mine", a).path("id").asString()).isEqualTo("mine");
      assertThat(closed.get("/v1/sessions", b).path("data").isEmpty()).isTrue();
      assertThat(closed.send("GET", "/v1/sessions/mine", "", b).statusCode()).isEqualTo(404);
      assertThat(closed.send("DELETE", "/v1/sessions/mine", "", b).statusCode()).isEqualTo(404);
      JsonNode other = closed.post(CHAT, open, b);
      assertThat(other.path("usage").path("prompt_tokens_details").path("cached_tokens").asInt())
          .isZero();
    }
  }

  @Test
  void lease_put_countsIdleTimeAnew_andIsReadBack() throws Exception {
    gateway.post(
        CHAT,
        chat(
            "'max_tokens': 1, 'nvext': {'session_control':"
                + "{'session_id': 'kept', 'action': 'open', 'timeout': 60}}"));
    HttpResponse<String> put =
        gateway.send("PUT", "/v1/sessions/kept/lease", "{\"idle_seconds\": 7200}");
    assertThat(put.statusCode()).as(put.body()).isEqualTo(200);
    JsonNode kept = TestGateway.json(put.body());
    JsonNode shown = gateway.get("/v1/sessions/kept");
    assertThat(kept.path("id").asString()).isEqualTo("kept");
    assertThat(kept.path("incarnation")).isEqualTo(shown.path("incarnation"));
    assertThat(kept.path("remaining_seconds").asInt()).isBetween(7100, 7200);
    assertThat(shown.path("remaining_seconds").asInt()).isBetween(7100, 7200);
    assertThat(SessionEndpoints.seconds(Duration.ofSeconds(2).minusNanos(1))).isEqualTo(2);
    assertThat(SessionEndpoints.seconds(Duration.ofSeconds(2))).isEqualTo(2);
    assertThat(shown.path("timeout").asInt()).isEqualTo(60);
    gateway.send("DELETE", "/v1/sessions/kept?wait=true", "");
    HttpResponse<String> gone =
        gateway.send("PUT", "/v1/sessions/kept/lease", "{\"idle_seconds\": 7200}");
    assertThat(gone.statusCode()).isEqualTo(404);
    assertThat(TestGateway.json(gone.body()).path("error").path("code").asString())
        .isEqualTo("session_not_found");
  }

  @ParameterizedTest
  @ValueSource(strings = {"{}", "0", "31536001", "1e99", "'60'", "null"})
  void lease_badIdleTime_isRefusedByName(String idle) throws Exception {
    String body = idle.equals("{}") ? idle : "{'idle_seconds': " + idle + "}";
    HttpResponse<String> refused =
        gateway.send("PUT", "/v1/sessions/any/lease", body.replace('\'', '"'));
    assertThat(refused.statusCode()).isEqualTo(400);
    assertThat(TestGateway.json(refused.body()).path("error").path("param").asString())
        .isEqualTo("idle_seconds");
  }

  @Test
  void priority_beyondTheTenants_isClipped() throws Exception {
    Path keys =
        Files.writeString(
            dir.resolve("limits.yaml"), "key-a: {tenant: batch, max_priority: 5}\nkey-b: other\n");
    try (TestGateway closed = new TestGateway(dir, 1, c -> withKeys(c, keys))) {
      String[] batch = {"x-api-key", "key-a"};
      assertThat(priorityOutcome(closed, 6, batch)).isEqualTo("clipped");
      assertThat(priorityOutcome(closed, 5, batch)).isEqualTo("accepted");
      assertThat(priorityOutcome(closed, 6, "x-api-key", "key-b")).isEqualTo("accepted");
    }
  }

  private static String priorityOutcome(TestGateway gateway, int priority, String... key)
      throws Exception {
    String hints = "'max_tokens': 1, 'nvext': {'agent_hints': {'priority': " + priority + "}}";
    return gateway
        .post(CHAT, chat(hints), key)
        .path("nvext")
        .path("hints")
        .path("priority")
        .asString();
  }

  private static GatewayConfig withKeys(GatewayConfig c, Path keys) {
    return new GatewayConfig(
        c.http(),
        c.engine(),
        Optional.of(keys),
        c.implicitSessions(),
        c.identity(),
        c.maxConcurrent(),
        c.transcriptBytes(),
        c.parsers(),
        c.drain());
  }

  private static GatewayConfig withTranscripts(GatewayConfig c, long bytes) {
    return new GatewayConfig(
        c.http(),
        c.engine(),
        c.apiKeys(),
        c.implicitSessions(),
        c.identity(),
        c.maxConcurrent(),
        bytes,
        c.parsers(),
        c.drain());
  }

  private static String chat(String fields) {
    String messages =
        fields.contains("'messages'")
            ? ""
            : "'messages': [{'role': 'system', 'content': 'Be brief.'},"
                + "{'role': 'user', 'content': 'Tell me of the sea.'}], ";
    return body(messages + fields);
  }

  private static String body(String fields) {
    String model = fields.contains("'model'") ? "" : "'model': '" + MODEL + "', ";
    String all = (model + fields).strip();
    return "{"
        + (all.endsWith(",") ? all.substring(0, all.length() - 1) : all).replace('\'', '"')
        + "}";
  }

  /** Quotes as JSON; a single quote, which these tests write for a double one, by its number. */
  private static String quoted(String text) {
    return tools.jackson.databind.json.JsonMapper.shared()
        .writeValueAsString(text)
        .replace("'", "\\u0027");
  }

  private static String content(JsonNode answer) {
    return answer.path("choices").get(0).path("message").path("content").asString();
  }

  private static JsonNode error(HttpResponse<String> response) {
    return TestGateway.json(response.body()).path("error");
  }

  private static String code(HttpResponse<String> response) {
    return error(response).path("code").asString();
  }
}
