package dev.sojourn.server;

import static dev.sojourn.server.TestFleet.answered;
import static dev.sojourn.server.TestFleet.context;
import static dev.sojourn.server.TestFleet.session;
import static dev.sojourn.server.TestFleet.user;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.core.ManualClock;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.router.affinity.AffinityStore.Change;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.Consumer;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Races that need a prompt and an engine, over two workers with real engines. */
@Timeout(60)
@NullUnmarked // each test starts the fleet that it needs
final class SessionRacesTest {

  @TempDir static Path dir;
  private TestFleet fleet;

  @AfterEach
  void nothingIsHeld() throws Exception {
    fleet.turn("'action': 'close', ", "Bye.");
    fleet.expectNothingHeld();
    fleet.close();
  }

  @Test
  void delta_afterAnotherGatewaysTurn_continuesWhatTheEngineHolds() throws Exception {
    fleet = new TestFleet(dir, 2, keeper -> keeper);
    String first = user("Remember the sea.");
    JsonNode opened = answered(fleet.send(0, "'action': 'open', ", first));
    String whole = first + ", " + echo(opened) + ", " + user("And the sand.");
    JsonNode elsewhere = answered(fleet.send(1, "", whole));
    int held = session(elsewhere).path("held_tokens").asInt();
    assertThat(held).isEqualTo(context(elsewhere).size());
    JsonNode next = fleet.turn("'input': 'delta', ", "What was it?");
    assertThat(session(next).path("mode").asString()).isEqualTo("append");
    assertThat(context(next)).startsWith(context(elsewhere).toArray(Integer[]::new));
    fleet.assertSameAsStateless(next);
    JsonNode again = fleet.turn(1, "'input': 'delta', " + expected(next), "And then?");
    assertThat(context(again)).startsWith(context(next).toArray(Integer[]::new));
    HttpResponse<String> wrong = fleet.send(0, "'input': 'delta', " + expected(next), user("And?"));
    assertThat(wrong.statusCode()).isEqualTo(409);
    assertThat(TestGateway.json(wrong.body()).path("error").path("observed").path("tip").asInt())
        .isEqualTo(context(again).size());
  }

  private static String expected(JsonNode answer) {
    return "'expected_tip': %d, 'expected_digest': '%s', "
        .formatted(
            session(answer).path("held_tokens").asInt(), session(answer).path("digest").asString());
  }

  @Test
  void delta_withNeitherTranscriptNorWorker_isContextLost() throws Exception {
    fleet = new TestFleet(dir, 2, keeper -> keeper);
    fleet.turn("'action': 'open', ", "Remember the sea.");
    fleet.home().close(TestFleet.SESSION, fleet.binding().incarnation(), OnClose.FREE).get();
    HttpResponse<String> lost = fleet.send(1, "'input': 'delta', ", user("What was it?"));
    assertThat(lost.statusCode()).isEqualTo(409);
    assertThat(TestGateway.json(lost.body()).path("error").path("code").asString())
        .isEqualTo("context_lost");
  }

  @Test
  void delta_atAGatewayThatNeverSawTheSession_goesOn() throws Exception {
    fleet = new TestFleet(dir, 2, keeper -> keeper);
    fleet.turn("'action': 'open', ", "Remember the sea.");
    JsonNode second = fleet.turn("'input': 'delta', ", "And the sand.");
    JsonNode elsewhere = fleet.turn(1, "'input': 'delta', ", "What was it?");
    assertThat(session(elsewhere).path("mode").asString()).isEqualTo("append");
    assertThat(context(elsewhere)).startsWith(context(second).toArray(Integer[]::new));
    fleet.assertSameAsStateless(elsewhere);
    JsonNode next = fleet.turn(1, "'input': 'delta', ", "And then?");
    assertThat(context(next)).startsWith(context(elsewhere).toArray(Integer[]::new));
    fleet.assertSameAsStateless(next);
  }

  @Test
  void fullPrompt_afterAnotherGatewaysTurn_goesOnFromWhatTheEngineHolds() throws Exception {
    fleet = new TestFleet(dir, 2, keeper -> keeper);
    String first = user("Remember the sea.");
    JsonNode opened = answered(fleet.send(0, "'action': 'open', ", first));
    String second = first + ", " + echo(opened) + ", " + user("And the sand.");
    JsonNode elsewhere = answered(fleet.send(1, "", second));
    String third = second + ", " + echo(elsewhere) + ", " + user("What was it?");
    JsonNode back = answered(fleet.send(0, "", third));
    assertThat(session(back).path("mode").asString()).isIn("append", "rewind");
    assertThat(session(back).path("held_tokens").asInt()).isEqualTo(context(back).size());
    fleet.assertSameAsStateless(back);
    JsonNode next = fleet.turn("'input': 'delta', ", "Thank you.");
    assertThat(context(next)).startsWith(context(back).toArray(Integer[]::new));
    fleet.assertSameAsStateless(next);
  }

  /** What a gateway holds that did not serve the last turns would silently leave them out. */
  @Test
  void delta_atAGatewayThatIsBehind_ofASessionThatItsEngineLost_isContextLost() throws Exception {
    fleet = new TestFleet(dir, 2, keeper -> keeper);
    fleet.turn("'action': 'open', ", "Remember the sea.");
    JsonNode elsewhere = fleet.turn(1, "'input': 'delta', ", "And the sand.");
    fleet.home().close(TestFleet.SESSION, fleet.binding().incarnation(), OnClose.FREE).get();
    HttpResponse<String> lost = fleet.send(0, "'input': 'delta', ", user("What was it?"));
    assertThat(lost.statusCode()).as(lost.body()).isEqualTo(409);
    assertThat(TestGateway.json(lost.body()).path("error").path("code").asString())
        .isEqualTo("context_lost");
    JsonNode next = fleet.turn(1, "'input': 'delta', ", "What was it?");
    assertThat(context(next)).startsWith(context(elsewhere).toArray(Integer[]::new));
    fleet.assertSameAsStateless(next);
    JsonNode back = fleet.turn(0, "'input': 'delta', ", "And then?");
    assertThat(context(back)).startsWith(context(next).toArray(Integer[]::new));
  }

  @Test
  void delta_atAGatewayThatIsBehind_ofASessionThatMoves_takesAllOfItAlong() throws Exception {
    fleet = new TestFleet(dir, 2, keeper -> keeper);
    fleet.turn("'action': 'open', ", "Remember the sea.");
    JsonNode elsewhere = fleet.turn(1, "'input': 'delta', ", "And the sand.");
    fleet.routers.getFirst().drainWorker(fleet.binding().target().orElseThrow().worker());
    JsonNode moved = fleet.turn(0, "'input': 'delta', ", "What was it?");
    assertThat(session(moved).path("affinity").asString()).isEqualTo("moved");
    assertThat(context(moved)).startsWith(context(elsewhere).toArray(Integer[]::new));
    fleet.assertSameAsStateless(moved);
  }

  @Test
  void delta_atAGatewayThatIsBehind_ofASessionWhoseWorkerIsGone_isContextLost() throws Exception {
    fleet = new TestFleet(dir, 2, keeper -> keeper);
    fleet.turn("'action': 'open', ", "Remember the sea.");
    JsonNode elsewhere = fleet.turn(1, "'input': 'delta', ", "And the sand.");
    var gone = fleet.binding().target().orElseThrow();
    fleet.home().close();
    fleet.routers.forEach(router -> router.removeRank(gone));
    HttpResponse<String> lost = fleet.send(0, "'input': 'delta', ", user("What was it?"));
    assertThat(lost.statusCode()).as(lost.body()).isEqualTo(409);
    JsonNode next = fleet.turn(1, "'input': 'delta', ", "What was it?");
    assertThat(context(next)).startsWith(context(elsewhere).toArray(Integer[]::new));
  }

  @Test
  void watcherThatIsLate_losesNoTranscript() throws Exception {
    Deque<Runnable> late = new ArrayDeque<>();
    fleet = new TestFleet(dir, 1, keeper -> delayed(keeper, late));
    fleet.turn("'action': 'open', ", "Remember the sea.");
    fleet.routers.getFirst().drainWorker(fleet.binding().target().orElseThrow().worker());
    JsonNode moved = fleet.turn("'input': 'delta', ", "And the sand.");
    assertThat(session(moved).path("affinity").asString()).isEqualTo("moved");
    JsonNode before = fleet.turn("'input': 'delta', ", "What was it?");
    assertThat(context(before)).startsWith(context(moved).toArray(Integer[]::new));
    late.forEach(Runnable::run);
    late.clear();
    JsonNode after = fleet.turn("'input': 'delta', ", "And then?");
    assertThat(context(after)).startsWith(context(before).toArray(Integer[]::new));
    fleet.turn("'action': 'close', ", "Bye.");
    late.forEach(Runnable::run);
  }

  /** As SGLang #27025, where each turn's whole transcript was appended to what was there. */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void race15_fullTranscriptEachTurn_contextIsNotDoubled(boolean chat) throws Exception {
    fleet = new TestFleet(dir, 1, keeper -> keeper);
    String said = "";
    int held = 0;
    for (int turn = 0; turn < 5; turn++) {
      String more = "Turn " + turn + ".";
      said += chat ? (turn == 0 ? "" : ", ") + user(more) : more;
      JsonNode answer =
          chat
              ? answered(fleet.send(0, "", said))
              : answered(
                  fleet.post(
                      0,
                      "/v1/completions",
                      "'prompt': "
                          + JsonMapper.shared().writeValueAsString(said).replace("'", "\\u0027")
                          + ", 'nvext': {'extra_fields': ['prompt_token_ids',"
                          + " 'completion_token_ids'], 'session_control': {'session_id': 's'}}"));
      int prompt = answer.path("nvext").path("prompt_token_ids").size();
      assertThat(prompt).isGreaterThan(held).isLessThan(held + 40);
      held = context(answer).size();
      assertThat(session(answer).path("held_tokens").asInt()).isEqualTo(held);
      fleet.assertSameAsStateless(answer);
      said += chat ? ", " + echo(answer) : answer.path("choices").get(0).path("text").asString();
    }
  }

  /** As SGLang #28140, whose completions did not know of sessions. */
  @Test
  void completionWithSessionParams_isATurnOfItsSession() throws Exception {
    fleet = new TestFleet(dir, 1, keeper -> keeper);
    fleet.post(
        0,
        "/v1/completions",
        "'prompt': 'Remember the sea.', 'nvext': {'session_control': {'session_id': 's', 'action':"
            + " 'open'}}");
    String more = "'prompt': 'Remember the sea.', 'session_params': {'id': 's'}";
    JsonNode turn = answered(fleet.post(0, "/v1/completions", more));
    assertThat(session(turn).path("session_id").asString()).isEqualTo("s");
    assertThat(session(turn).path("mode").asString()).isEqualTo("rewind");
    assertThat(session(turn).path("held_tokens").asInt())
        .isEqualTo(turn.path("usage").path("total_tokens").asInt());
  }

  /** As Dynamo #11241, whose engine refused each turn of a session that it did not hold. */
  @Test
  void race23_turnWithoutAnEngineSession_isServedUnlessItInsistsOnOne() throws Exception {
    fleet = new TestFleet(dir, 1, keeper -> keeper);
    JsonNode bound = fleet.turn("'action': 'bind', ", "Remember the sea.");
    assertThat(session(bound).path("promise").asString()).isEqualTo("none");
    String whole = user("Remember the sea.") + ", " + echo(bound) + ", " + user("And the sand.");
    HttpResponse<String> insists = fleet.send(0, "'require': 'engine', ", whole);
    assertThat(insists.statusCode()).isEqualTo(400);
    assertThat(TestGateway.json(insists.body()).path("error").path("param").asString())
        .isEqualTo("nvext.session_control.require");
    JsonNode served = answered(fleet.send(0, "", whole));
    assertThat(session(served).path("promise").asString()).isEqualTo("none");
  }

  @Test
  void expiredSession_isToldWhatItHadHeld() throws Exception {
    ManualClock clock = new ManualClock();
    fleet = new TestFleet(dir, 1, keeper -> keeper, clock);
    String first = user("Remember the sea.");
    JsonNode opened = answered(fleet.send(0, "'action': 'open', 'timeout': 60, ", first));
    int held = session(opened).path("held_tokens").asInt();
    clock.advance(Duration.ofSeconds(61));
    String whole = first + ", " + echo(opened) + ", " + user("And the sand.");
    JsonNode late = session(answered(fleet.send(0, "", whole)));
    assertThat(late.path("reason").asString()).isEqualTo("expired");
    assertThat(late.path("mode").asString()).isEqualTo("opened");
    int reused = late.path("reused_tokens").asInt();
    assertThat(late.path("lost_cause").asString()).isEqualTo("expired");
    int lost = held - 1 - reused; // the last token never had KV
    assertThat(late.path("lost_tokens").asInt()).isEqualTo(lost);
    assertThat(late.path("losses").get(0).path("cause").asString()).isEqualTo("expired");
    assertThat(late.path("losses").get(0).path("tokens").asInt()).isEqualTo(lost);
  }

  @Test
  void expiredSession_whoseNameIsOpenedForSomethingElse_losesNothing() throws Exception {
    ManualClock clock = new ManualClock();
    fleet = new TestFleet(dir, 1, keeper -> keeper, clock);
    fleet.turn("'action': 'open', 'timeout': 60, ", "Remember the sea.");
    clock.advance(Duration.ofSeconds(61));
    JsonNode other = session(fleet.turn("'action': 'open', ", "Plan a long walk to the hills."));
    assertThat(other.has("lost_tokens")).as("%s", other).isFalse();
  }

  @Test
  void expiredSession_whoseNameHasATitleAskedFor_losesNothing() throws Exception {
    ManualClock clock = new ManualClock();
    fleet = new TestFleet(dir, 1, keeper -> keeper, clock);
    fleet.turn("'action': 'open', 'timeout': 60, ", "Remember the sea. ".repeat(9));
    clock.advance(Duration.ofSeconds(61));
    JsonNode title = session(fleet.turn("", "Name it."));
    assertThat(title.path("reason").asString()).isEqualTo("expired");
    assertThat(title.has("lost_tokens")).as("%s", title).isFalse();
  }

  private static Consumer<Change> delayed(Consumer<Change> keeper, Deque<Runnable> late) {
    return change -> late.add(() -> keeper.accept(change));
  }

  /** Returns an answer as the message in which a client sends it back. */
  private static String echo(JsonNode answer) {
    String content = answer.path("choices").get(0).path("message").path("content").asString();
    String quoted = JsonMapper.shared().writeValueAsString(content).replace("'", "\\u0027");
    return "{'role': 'assistant', 'content': " + quoted + "}";
  }
}
