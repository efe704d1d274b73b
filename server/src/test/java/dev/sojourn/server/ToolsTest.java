package dev.sojourn.server;

import static dev.sojourn.server.TestGateway.MODEL;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.text.answer.AnswerStyle.Reasoning;
import dev.sojourn.text.answer.ParserChoice;
import java.nio.file.Path;
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
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Tools and reasoning over sockets, with a model that says what it is told. */
@Timeout(60)
@NullUnmarked // one gateway for all tests, started before them
final class ToolsTest {

  private static final String CHAT = "/v1/chat/completions";

  private static final String CALL =
      "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Bern\"}}\n</tool_call>";

  private static final String TOOLS =
      "'tools': [{'type': 'function', 'function': {'name': 'weather'}}]";

  private static final String ASK = "{'role': 'user', 'content': 'How is it in Bern?'}";

  @TempDir static Path dir;
  private static TestGateway gateway;

  @BeforeAll
  static void start() throws Exception {
    gateway = new TestGateway(dir, 1, ToolsTest::thinking);
  }

  /** The tiny model's template does not mention thoughts. */
  private static GatewayConfig thinking(GatewayConfig c) {
    return new GatewayConfig(
        c.http(),
        c.engine(),
        c.apiKeys(),
        c.implicitSessions(),
        c.identity(),
        c.maxConcurrent(),
        c.transcriptBytes(),
        new ParserChoice(Optional.empty(), Optional.of(Reasoning.THINK)),
        c.drain());
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
  void call_whole_isToldWithItsThoughtAndText() throws Exception {
    gateway.say("<think>\nBern?\n</think>\n\nLet me see.\n" + CALL);
    JsonNode choice = gateway.post(CHAT, chat(ASK, TOOLS)).path("choices").get(0);
    assertThat(choice.path("finish_reason").asString()).isEqualTo("tool_calls");
    JsonNode message = choice.path("message");
    assertThat(message.path("content").asString()).isEqualTo("Let me see.");
    assertThat(message.path("reasoning_content").asString()).isEqualTo("Bern?");
    JsonNode call = message.path("tool_calls").get(0);
    assertThat(call.path("id").asString()).matches("call_[0-9a-f]{24}");
    assertThat(call.path("type").asString()).isEqualTo("function");
    assertThat(call.path("function").path("name").asString()).isEqualTo("weather");
    assertThat(call.path("function").path("arguments").asString())
        .isEqualTo("{\"city\": \"Bern\"}");
  }

  @Test
  void call_streamed_isToldInPieces() throws Exception {
    gateway.say("<think>Bern?</think>Let me see.\n" + CALL);
    StringBuilder content = new StringBuilder();
    StringBuilder reasoning = new StringBuilder();
    StringBuilder arguments = new StringBuilder();
    String id = "";
    String name = "";
    String finish = "";
    for (JsonNode event : gateway.stream(CHAT, chat(ASK, TOOLS + ", 'stream': true"))) {
      JsonNode choice = event.path("choices").path(0);
      JsonNode delta = choice.path("delta");
      content.append(delta.path("content").asString(""));
      reasoning.append(delta.path("reasoning_content").asString(""));
      JsonNode call = delta.path("tool_calls").path(0);
      arguments.append(call.path("function").path("arguments").asString(""));
      id += call.path("id").asString("");
      name += call.path("function").path("name").asString("");
      finish = choice.path("finish_reason").asString(finish);
    }
    assertThat(content.toString()).isEqualTo("Let me see.");
    assertThat(reasoning.toString()).isEqualTo("Bern?");
    assertThat(arguments.toString()).isEqualTo("{\"city\": \"Bern\"}");
    assertThat(id).matches("call_[0-9a-f]{24}");
    assertThat(name).isEqualTo("weather");
    assertThat(finish).isEqualTo("tool_calls");
  }

  @Test
  void call_withLogprobs_tellsThoseOfEveryToken() throws Exception {
    String fields = TOOLS + ", 'logprobs': true";
    gateway.say(CALL);
    JsonNode whole = gateway.post(CHAT, chat(ASK, fields));
    JsonNode content = whole.path("choices").get(0).path("logprobs").path("content");
    assertThat(content).hasSize(whole.path("usage").path("completion_tokens").asInt());
    gateway.say(CALL);
    int told = 0;
    for (JsonNode event : gateway.stream(CHAT, chat(ASK, fields + ", 'stream': true"))) {
      told += event.path("choices").path(0).path("logprobs").path("content").size();
    }
    assertThat(told).isEqualTo(content.size());
  }

  @Test
  void toolLoop_inASession_reusesAllButTheLastToken() throws Exception {
    String session = "'nvext': {'session_control': {'session_id': 'loop'}}, ";
    gateway.say("Let me see.\n" + CALL);
    JsonNode first = gateway.post(CHAT, chat(ASK, session + TOOLS));
    JsonNode message = first.path("choices").get(0).path("message");
    String id = message.path("tool_calls").get(0).path("id").asString();
    String echo =
        "{'role': 'assistant', 'content': 'Let me see.', 'tool_calls': [{'id': '"
            + id
            + "', 'type': 'function', 'function': {'name': 'weather', 'arguments':"
            + " '{\\'city\\':\\'Bern\\'}'}}]}";
    String result = "{'role': 'tool', 'tool_call_id': '" + id + "', 'content': 'sunny'}";
    gateway.say("Sunny.");
    JsonNode second = gateway.post(CHAT, chat(ASK + ", " + echo + ", " + result, session + TOOLS));
    assertThat(second.path("nvext").path("session").path("mode").asString()).isEqualTo("append");
    assertThat(second.path("nvext").path("session").path("reused_tokens").asInt())
        .isEqualTo(first.path("usage").path("total_tokens").asInt() - 1);
    assertThat(second.path("choices").get(0).path("message").path("content").asString())
        .isEqualTo("Sunny.");
  }

  @Test
  void toolLoop_ofDeltas_keepsTheTools() throws Exception {
    String session = "'nvext': {'session_control': {'session_id': 'deltas', 'input': 'delta'}}";
    String open = "'nvext': {'session_control': {'session_id': 'deltas', 'action': 'open'}}";
    gateway.say(CALL);
    JsonNode first = gateway.post(CHAT, chat(ASK, TOOLS + ", " + open));
    String id =
        first
            .path("choices")
            .get(0)
            .path("message")
            .path("tool_calls")
            .get(0)
            .path("id")
            .asString();
    gateway.say(CALL);
    JsonNode second =
        gateway.post(
            CHAT,
            chat("{'role': 'tool', 'tool_call_id': '" + id + "', 'content': 'sunny'}", session));
    assertThat(second.path("nvext").path("session").path("mode").asString()).isEqualTo("append");
    assertThat(second.path("choices").get(0).path("finish_reason").asString())
        .isEqualTo("tool_calls");
    assertThat(
            gateway
                .send(
                    "POST",
                    CHAT,
                    chat("{'role': 'tool', 'tool_call_id': 'x', 'content': 'y'}", session))
                .body())
        .contains("messages[0].tool_call_id");
  }

  @Test
  void delta_sentAgain_callsByTheSameIds() throws Exception {
    String open = "'nvext': {'session_control': {'session_id': 'again', 'action': 'open'}}";
    gateway.say("Yes?");
    JsonNode first = gateway.post(CHAT, chat(ASK, TOOLS + ", " + open));
    String delta =
        "'nvext': {'session_control': {'session_id': 'again', 'input': 'delta', 'expected_tip': "
            + first.path("nvext").path("session").path("held_tokens").asInt()
            + "}}";
    gateway.say("Let me see.\n" + CALL);
    JsonNode told = gateway.post(CHAT, chat(ASK, delta)).path("choices").get(0).path("message");
    StringBuilder content = new StringBuilder();
    StringBuilder ids = new StringBuilder();
    for (JsonNode event : gateway.stream(CHAT, chat(ASK, delta + ", 'stream': true"))) {
      JsonNode again = event.path("choices").path(0).path("delta");
      content.append(again.path("content").asString(""));
      ids.append(again.path("tool_calls").path(0).path("id").asString(""));
    }
    assertThat(content.toString()).isEqualTo(told.path("content").asString());
    assertThat(ids.toString()).isEqualTo(told.path("tool_calls").get(0).path("id").asString());
  }

  @Test
  void toolChoiceNone_callsAreText_andThePromptIsTheSame() throws Exception {
    String ids = ", 'nvext': {'extra_fields': ['prompt_token_ids']}";
    gateway.say(CALL);
    JsonNode none = gateway.post(CHAT, chat(ASK, TOOLS + ", 'tool_choice': 'none'" + ids));
    JsonNode choice = none.path("choices").get(0);
    assertThat(choice.path("message").path("content").asString()).isEqualTo(CALL);
    assertThat(choice.path("finish_reason").asString()).isEqualTo("stop");
    gateway.say("No.");
    JsonNode auto = gateway.post(CHAT, chat(ASK, TOOLS + ids));
    assertThat(none.path("nvext").path("prompt_token_ids"))
        .isEqualTo(auto.path("nvext").path("prompt_token_ids"));
  }

  @Test
  void toolChoiceNamed_isBegunForTheModel_andStaysAPrefix() throws Exception {
    String choice = ", 'tool_choice': {'type': 'function', 'function': {'name': 'weather'}}";
    String session = ", 'nvext': {'session_control': {'session_id': 'named', 'action': 'open'}}";
    gateway.say(" {\"city\": \"Bern\"}}\n</tool_call>");
    JsonNode first = gateway.post(CHAT, chat(ASK, TOOLS + choice + session));
    assertThat(first.path("choices").get(0).path("finish_reason").asString()).isEqualTo("stop");
    JsonNode message = first.path("choices").get(0).path("message");
    JsonNode call = message.path("tool_calls").get(0);
    assertThat(call.path("function").path("name").asString()).isEqualTo("weather");
    assertThat(call.path("function").path("arguments").asString())
        .isEqualTo("{\"city\": \"Bern\"}");
    String echo = JsonMapper.shared().writeValueAsString(message).replace('"', '\'');
    String result =
        "{'role': 'tool', 'tool_call_id': '" + call.path("id").asString() + "', 'content': '1'}";
    gateway.say("Done.");
    String next = session.replace(", 'action': 'open'", "");
    JsonNode second = gateway.post(CHAT, chat(ASK + ", " + echo + ", " + result, TOOLS + next));
    assertThat(second.path("nvext").path("session").path("reused_tokens").asInt())
        .isEqualTo(first.path("usage").path("total_tokens").asInt() - 1);
  }

  @Test
  void toolChoiceNamed_streamed_endsAsWithOpenAi() throws Exception {
    String choice = ", 'tool_choice': {'type': 'function', 'function': {'name': 'weather'}}";
    gateway.say(" {}}\n</tool_call>");
    List<String> reasons = new ArrayList<>();
    for (JsonNode event : gateway.stream(CHAT, chat(ASK, TOOLS + choice + ", 'stream': true"))) {
      String reason = event.path("choices").path(0).path("finish_reason").asString("");
      if (!reason.isEmpty()) {
        reasons.add(reason);
      }
    }
    assertThat(reasons).containsExactly("stop");
  }

  @Test
  void toolChoiceNamed_whoseAnswerEndsAtOnce_isACallWithoutArguments() throws Exception {
    String choice = ", 'tool_choice': {'type': 'function', 'function': {'name': 'weather'}}";
    gateway.say("");
    JsonNode message =
        gateway.post(CHAT, chat(ASK, TOOLS + choice)).path("choices").get(0).path("message");
    assertThat(message.path("content").isNull()).isTrue();
    JsonNode function = message.path("tool_calls").get(0).path("function");
    assertThat(function.path("name").asString()).isEqualTo("weather");
    assertThat(function.path("arguments").asString()).isEmpty();
  }

  @Test
  void parallelToolCallsFalse_tellsOneCall() throws Exception {
    for (boolean several : List.of(true, false)) {
      gateway.say(CALL + "\n" + CALL);
      JsonNode message =
          gateway
              .post(CHAT, chat(ASK, TOOLS + ", 'parallel_tool_calls': " + several))
              .path("choices")
              .get(0)
              .path("message");
      assertThat(message.path("tool_calls")).hasSize(several ? 2 : 1);
    }
  }

  @Test
  void toolChoiceRequired_isBegunForTheModel() throws Exception {
    gateway.say("weather\", \"arguments\": {}}\n</tool_call>");
    JsonNode answer = gateway.post(CHAT, chat(ASK, TOOLS + ", 'tool_choice': 'required'"));
    assertThat(answer.path("choices").get(0).path("finish_reason").asString())
        .isEqualTo("tool_calls");
  }

  @Test
  void call_cutByLength_isToldAsFarAsItGoes() throws Exception {
    gateway.say(CALL.substring(0, CALL.indexOf("Bern")));
    JsonNode whole = gateway.post(CHAT, chat(ASK, TOOLS));
    int tokens = whole.path("usage").path("completion_tokens").asInt();
    gateway.say(CALL.substring(0, CALL.indexOf("Bern")));
    JsonNode choice =
        gateway
            .post(CHAT, chat(ASK, TOOLS + ", 'max_tokens': " + (tokens - 1)))
            .path("choices")
            .get(0);
    assertThat(choice.path("finish_reason").asString()).isEqualTo("length");
    assertThat(
            choice
                .path("message")
                .path("tool_calls")
                .get(0)
                .path("function")
                .path("arguments")
                .asString())
        .isEqualTo("{\"city\": \"");
  }

  @Test
  void call_thatIsNoJson_isAcceptedWhenItComesBack_withItsPrompt() throws Exception {
    String ids = ", 'extra_fields': ['prompt_token_ids']}";
    String open = "'nvext': {'session_control': {'session_id': 'bad', 'action': 'open'}}";
    String delta = "'nvext': {'session_control': {'session_id': 'bad', 'input': 'delta'}" + ids;
    gateway.say(CALL.replace("Bern\"", "Bern\","));
    JsonNode first = gateway.post(CHAT, chat(ASK, TOOLS + ", " + open));
    JsonNode message = first.path("choices").get(0).path("message");
    JsonNode call = message.path("tool_calls").get(0);
    assertThat(call.path("function").path("arguments").asString())
        .isEqualTo("{\"city\": \"Bern\",}");
    String result =
        "{\"role\": \"tool\", \"tool_call_id\": "
            + call.path("id")
            + ", \"content\": \"invalid JSON\"}";
    gateway.say("Sorry.");
    JsonNode full =
        gateway.post(
            CHAT,
            chat(
                ASK + ", " + message + ", " + result,
                TOOLS + ", 'nvext': {'session_control': {'session_id': 'other'}" + ids));
    gateway.say("Sorry.");
    JsonNode going = gateway.post(CHAT, chat(result, delta));
    assertThat(going.path("nvext").path("prompt_token_ids"))
        .isEqualTo(full.path("nvext").path("prompt_token_ids"));
  }

  @Test
  void history_asSampled_isToldWithWhatWasRendered() throws Exception {
    String session =
        "'nvext': {'session_control': {'session_id': 'sampled', 'history': 'as_sampled'}}";
    gateway.say("Fine.");
    JsonNode first = gateway.post(CHAT, chat(ASK, session)).path("nvext").path("session");
    assertThat(first.path("rendered").path("what").asString()).isEqualTo("all");
    gateway.say("Fine.");
    String more = ASK + ", {'role': 'assistant', 'content': 'Fine.'}, " + ASK;
    JsonNode second = gateway.post(CHAT, chat(more, session)).path("nvext").path("session");
    assertThat(second.path("history").asString()).isEqualTo("as_sampled");
    assertThat(second.path("rendered").path("what").asString()).isEqualTo("new");
    assertThat(second.path("mode").asString()).isEqualTo("append");
    gateway.say("Fine.");
    String edited = more.replace("Fine.", "Bad.");
    JsonNode third = gateway.post(CHAT, chat(edited, session)).path("nvext").path("session");
    assertThat(third.path("history").asString()).isEqualTo("as_rendered");
    assertThat(third.path("history_reason").asString()).contains("does not go on");
    assertThat(gateway.metric("sojourn_rendered_characters_total")).isPositive();
    assertThat(gateway.metric("sojourn_tokenised_characters_total")).isPositive();
  }

  @Test
  void history_asSampled_isKeptOfASessionThatIsBoundAlone() throws Exception {
    String session =
        "'nvext': {'session_control': {'session_id': 'bound', 'action': 'bind',"
            + " 'history': 'as_sampled'}}";
    gateway.say("Fine.");
    var _ = gateway.post(CHAT, chat(ASK, session));
    gateway.say("Fine.");
    String more = ASK + ", {'role': 'assistant', 'content': 'Fine.'}, " + ASK;
    JsonNode second = gateway.post(CHAT, chat(more, session)).path("nvext").path("session");
    assertThat(second.path("history").asString()).isEqualTo("as_sampled");
    assertThat(second.path("rendered").path("what").asString()).isEqualTo("new");
  }

  @Test
  void models_tellHowAnswersAreRead() throws Exception {
    JsonNode model = gateway.get("/v1/models").path("data").get(0);
    assertThat(model.path("tool_parser").asString()).isEqualTo("hermes");
    assertThat(model.path("reasoning_parser").asString()).isEqualTo("think");
    assertThat(model.path("suffix_local").asBoolean()).isTrue();
  }

  private static String chat(String messages, String fields) {
    String all =
        "{'model': '" + MODEL + "', 'messages': [" + messages + "], 'max_tokens': 200, " + fields;
    if (fields.contains("max_tokens")) {
      all = all.replaceFirst("'max_tokens': 200, ", "");
    }
    return (all + "}").replace('\'', '"');
  }
}
