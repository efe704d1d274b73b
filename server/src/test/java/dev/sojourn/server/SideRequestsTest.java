package dev.sojourn.server;

import static dev.sojourn.server.TestGateway.MODEL;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** What agents ask under a session's name that is no turn of it: titles, summaries. */
@Timeout(60)
@NullUnmarked // one gateway for all tests, started before them
final class SideRequestsTest {

  private static final String CHAT = "/v1/chat/completions";
  private static final String OPEN = "'action': 'open', ";
  private static final String TOOLS =
      "'tools': [{'type': 'function', 'function': {'name': 'map'}}], ";

  @TempDir static Path dir;
  private static TestGateway gateway;

  @BeforeAll
  static void start() throws Exception {
    gateway = new TestGateway(dir, 1, config -> config);
  }

  @AfterAll
  static void stop() {
    gateway.close();
  }

  @AfterEach
  void nothingIsHeld() throws Exception {
    gateway.send("DELETE", "/v1/sessions/agent?wait=true", "");
    gateway.expectNothingHeld();
  }

  @Test
  void aside_commitsNothing_andTheNextTurnReusesAllButOne() throws Exception {
    Conversation main = new Conversation("Be brief.");
    main.say("Plan a walk.");
    JsonNode second = main.say("By the sea.");
    int held = gateway.get("/v1/sessions/agent").path("tokens").asInt();
    assertThat(held).isEqualTo(second.path("usage").path("total_tokens").asInt());
    JsonNode title = new Conversation("Be brief.").say("Name this conversation.");
    assertThat(mode(title)).isEqualTo("aside");
    assertThat(session(title).has("reason")).isFalse();
    assertThat(gateway.get("/v1/sessions/agent").path("tokens").asInt()).isEqualTo(held);
    JsonNode third = main.say("And back?");
    assertThat(mode(third)).isEqualTo("append");
    assertThat(cached(third)).isEqualTo(held - 1);
  }

  @Test
  void titleRequest_afterTheFirstTurn_isAside() throws Exception {
    Conversation main = new Conversation("Be brief.");
    JsonNode first = main.say("Plan a walk.");
    assertThat(mode(first)).isEqualTo("opened");
    assertThat(mode(new Conversation("Be brief.").say("Name this conversation.")))
        .isEqualTo("aside");
    JsonNode second = main.say("By the sea.");
    assertThat(mode(second)).isEqualTo("append");
    assertThat(cached(second)).isEqualTo(first.path("usage").path("total_tokens").asInt() - 1);
  }

  @Test
  void sideRequestFirst_givesWayToTheConversation() throws Exception {
    assertThat(mode(new Conversation("Be brief.").say("Is this a new topic?"))).isEqualTo("opened");
    Conversation main = new Conversation("Be brief.");
    assertThat(mode(main.say("Plan a walk."))).isEqualTo("aside");
    JsonNode second = main.say("By the sea.");
    assertThat(mode(second)).isEqualTo("rewind");
    assertThat(session(second).path("first_divergent_token").asInt()).isPositive();
    int held = second.path("usage").path("total_tokens").asInt();
    assertThat(session(second).path("held_tokens").asInt()).isEqualTo(held);
    JsonNode third = main.say("And back?");
    assertThat(mode(third)).isEqualTo("append");
    assertThat(cached(third)).isEqualTo(held - 1);
  }

  @Test
  void subagentUnderTheSameName_staysAside_onceTheMainHasTwoTurns() throws Exception {
    Conversation main = new Conversation("Be brief.");
    main.say("Plan a walk.");
    main.say("By the sea.");
    Conversation other = new Conversation("Be thorough.");
    assertThat(mode(other.say("Look for paths."))).isEqualTo("aside");
    assertThat(mode(other.say("Which is best?"))).isEqualTo("aside");
    assertThat(mode(main.say("And back?"))).isEqualTo("append");
  }

  @Test
  void sessionThatWasOpenedExpressly_doesNotGiveWay() throws Exception {
    new Conversation("Be brief.").say("Plan a walk.", OPEN);
    Conversation other = new Conversation("Be thorough.");
    other.say("Look for paths.");
    assertThat(mode(other.say("Which is best?"))).isEqualTo("aside");
  }

  @Test
  void systemMessageChanged_goesOnFromTheAnswerItGotAside() throws Exception {
    Conversation main = new Conversation("It is noon.");
    main.say("Plan a walk.");
    main.say("By the sea.");
    main.messages.set(0, "{'role': 'system', 'content': 'It is one.'}");
    assertThat(mode(main.say("And back?"))).isEqualTo("aside");
    expectTakenOver(main, "How far?", "Is it steep?");
  }

  @Test
  void compactedConversation_goesOnFromTheAnswerItGotAside() throws Exception {
    Conversation main = new Conversation("Be brief.");
    main.say("Plan a walk.");
    main.say("By the sea.");
    Conversation compacted = new Conversation("Be brief.");
    assertThat(mode(compacted.say("So far we planned a walk. Go on."))).isEqualTo("aside");
    expectTakenOver(compacted, "And back?", "How far?");
  }

  @Test
  void subagentBesideAMainThatSpeaksDeltas_staysAside() throws Exception {
    new Conversation("Be brief.").say("Plan a walk.");
    JsonNode second = delta("By the sea.", "", "");
    int held = second.path("usage").path("total_tokens").asInt();
    Conversation other = new Conversation("Be brief.");
    assertThat(mode(other.say("Look for paths."))).isEqualTo("aside");
    assertThat(mode(other.say("Which is best?"))).isEqualTo("aside");
    assertThat(mode(delta("And back?", "", "'expected_tip': " + held + ", "))).isEqualTo("append");
  }

  @Test
  void windowOfTheConversation_withItsLastAnswer_isATurnOfTheSession() throws Exception {
    Conversation main = new Conversation("Be brief.");
    main.say("Plan a walk.");
    main.say("By the sea.");
    main.messages.subList(1, 3).clear();
    JsonNode third = main.say("And back?");
    assertThat(mode(third)).isEqualTo("rewind");
    main.messages.clear();
    main.messages.add("{'role': 'system', 'content': 'Be brief.'}");
    assertThat(mode(main.say("Name this conversation."))).isEqualTo("aside");
  }

  @Test
  void summaryOfAllThatWasSaid_underAnotherSystemMessage_isAside() throws Exception {
    Conversation main = new Conversation("Be brief.");
    main.say("Plan a walk.");
    JsonNode second = main.say("By the sea.");
    int held = second.path("usage").path("total_tokens").asInt();
    List<String> said = List.copyOf(main.messages);
    main.messages.set(0, "{'role': 'system', 'content': 'You summarise.'}");
    assertThat(mode(main.say("Summarise."))).isEqualTo("aside");
    JsonNode third = delta("And back?", "", "'expected_tip': " + held + ", ");
    assertThat(mode(third)).isEqualTo("append");
    main.messages.clear();
    main.messages.addAll(said);
    assertThat(mode(main.say("Summarise again, as yourself."))).isEqualTo("rewind");
  }

  @Test
  void titleOfTheFirstMessage_underAnotherSystemMessage_isAside() throws Exception {
    Conversation main = new Conversation("Be brief.");
    main.say("Plan a walk.");
    main.say("By the sea.");
    assertThat(mode(new Conversation("Make a title.").say("Plan a walk."))).isEqualTo("aside");
    assertThat(mode(main.say("And back?"))).isEqualTo("append");
  }

  @Test
  void deltaWithOtherTools_isATurnOfTheSession() throws Exception {
    new Conversation("Be brief.").say("Plan a walk.");
    JsonNode second = delta("By the sea.", TOOLS, "");
    assertThat(mode(second)).isEqualTo("rewind");
    assertThat(session(second).path("divergence_cause").asString()).contains("tools");
    int held = second.path("usage").path("total_tokens").asInt();
    assertThat(session(second).path("held_tokens").asInt()).isEqualTo(held);
    JsonNode third = delta("And back?", "", "'expected_tip': " + held + ", ");
    assertThat(mode(third)).isEqualTo("append");
    assertThat(cached(third)).isEqualTo(held - 1);
  }

  @Test
  void sessionOpenedAgain_withAnotherConversation_beginsAnew() throws Exception {
    Conversation before = new Conversation("Be brief.");
    before.say("Plan a walk.", OPEN);
    before.say("By the sea.");
    JsonNode first = new Conversation("Be brief.").say("Write a poem.", OPEN);
    assertThat(mode(first)).isEqualTo("rewind");
    JsonNode second = delta("Longer.", "", "");
    assertThat(mode(second)).isEqualTo("append");
    assertThat(cached(second)).isEqualTo(first.path("usage").path("total_tokens").asInt() - 1);
  }

  /** Says more, with which the session begins anew, and more, which goes on from that. */
  private static void expectTakenOver(Conversation by, String said, String next) throws Exception {
    JsonNode first = by.say(said);
    assertThat(mode(first)).isEqualTo("rewind");
    int held = first.path("usage").path("total_tokens").asInt();
    assertThat(session(first).path("held_tokens").asInt()).isEqualTo(held);
    JsonNode second = by.say(next);
    assertThat(mode(second)).isEqualTo("append");
    assertThat(cached(second)).isEqualTo(held - 1);
  }

  private static JsonNode delta(String said, String fields, String control) throws Exception {
    String body =
        "{'model': '%s', 'max_tokens': 5, 'temperature': 0, %s'messages': [{'role': 'user', 'content': '%s'}], 'nvext': {'session_control': {%s'input': 'delta', 'session_id': 'agent'}}}"
            .formatted(MODEL, fields, said, control);
    return gateway.post(CHAT, body.replace('\'', '"'));
  }

  /** A client that sends the whole conversation each time, under one name. */
  private static final class Conversation {

    private final List<String> messages = new ArrayList<>();

    Conversation(String system) {
      messages.add("{'role': 'system', 'content': '" + system + "'}");
    }

    JsonNode say(String said) throws Exception {
      return say(said, "");
    }

    JsonNode say(String said, String control) throws Exception {
      messages.add("{'role': 'user', 'content': '" + said + "'}");
      String body =
          "{'model': '"
              + MODEL
              + "', 'max_tokens': 5, 'temperature': 0, 'messages': ["
              + String.join(", ", messages)
              + "], 'nvext': {'session_control': {"
              + control
              + "'session_id': 'agent'}}}";
      JsonNode answer = gateway.post(CHAT, body.replace('\'', '"'));
      String content = answer.path("choices").get(0).path("message").path("content").asString();
      messages.add(
          "{'role': 'assistant', 'content': "
              + JsonMapper.shared().writeValueAsString(content).replace("'", "\\u0027")
              + "}");
      return answer;
    }
  }

  private static JsonNode session(JsonNode answer) {
    return answer.path("nvext").path("session");
  }

  private static String mode(JsonNode answer) {
    return session(answer).path("mode").asString();
  }

  private static int cached(JsonNode answer) {
    return answer.path("usage").path("prompt_tokens_details").path("cached_tokens").asInt();
  }
}
