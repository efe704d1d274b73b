package dev.sojourn.server;

import static dev.sojourn.server.TestFleet.answered;
import static dev.sojourn.server.TestFleet.context;
import static dev.sojourn.server.TestFleet.session;
import static dev.sojourn.server.TestFleet.user;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.core.Incarnation;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.engine.Engine;
import dev.sojourn.router.RouterStats;
import dev.sojourn.server.prompt.Transcripts;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Sessions that start with what another one has said, over two workers with real engines. */
@Timeout(60)
@NullUnmarked // the fleet is started before each test
final class SessionForkTest {

  private static final String FORK = "'action': 'open', 'parent': 's', ";

  @TempDir static Path dir;
  private TestFleet fleet;

  @BeforeEach
  void start() throws Exception {
    fleet = new TestFleet(dir, 1, keeper -> keeper);
  }

  @AfterEach
  void nothingIsHeld() throws Exception {
    for (String name : List.of("c", "c0", "c1", "c2", "c3", "c4", "s")) {
      answered(fleet.send(0, name, "'action': 'close', ", user("Bye.")));
    }
    fleet.expectNothingHeld();
    fleet.close();
  }

  @Test
  void fork_byBody_startsWithTheParentsContext() throws Exception {
    fleet.turn("'action': 'open', ", "Remember the sea.");
    JsonNode parent = fleet.turn("'input': 'delta', ", "And the sand.");
    JsonNode child = delta("c", FORK, "What was it?");
    assertThat(context(child)).startsWith(context(parent).toArray(Integer[]::new));
    assertThat(session(child).path("mode").asString()).isEqualTo("fork");
    assertThat(session(child).path("forked_from").asString()).isEqualTo("s");
    assertThat(cached(child)).isEqualTo(total(parent) - 1);
    fleet.assertSameAsStateless(child);
    assertThat(fleet.shown("s").path("children").asInt()).isEqualTo(1);
    assertThat(fleet.shown("c").path("forked_from").asString()).isEqualTo("s");
    JsonNode again = delta("c", "", "And then?");
    assertThat(session(again).path("mode").asString()).isEqualTo("append");
    assertThat(cached(again)).isEqualTo(total(child) - 1);
    JsonNode parentGoesOn = fleet.turn("'input': 'delta', ", "And the wind.");
    assertThat(cached(parentGoesOn)).isEqualTo(total(parent) - 1);
    assertThat(context(parentGoesOn)).startsWith(context(parent).toArray(Integer[]::new));
    fleet.assertSameAsStateless(parentGoesOn);
  }

  @Test
  void fork_ofAFullPrompt_sharesAsFarAsThePromptsAgree() throws Exception {
    String first = user("Remember the sea.");
    JsonNode parent = answered(fleet.send(0, "'action': 'open', ", first));
    String whole = first + ", " + echo(parent) + ", " + user("What was it?");
    JsonNode child = answered(fleet.send(0, "c", FORK, whole));
    assertThat(session(child).path("mode").asString()).isEqualTo("fork");
    assertThat(cached(child)).isEqualTo(total(parent) - 1);
    fleet.assertSameAsStateless(child);
    JsonNode other = answered(fleet.send(0, "c0", FORK, user("Something else.")));
    assertThat(session(other).path("mode").asString()).isEqualTo("rewind");
    fleet.assertSameAsStateless(other);
    JsonNode next = delta("c0", "", "And then?");
    assertThat(context(next)).startsWith(context(other).toArray(Integer[]::new));
    assertThat(session(next).path("mode").asString()).isEqualTo("append");
  }

  @Test
  void fork_byEndpoint_thenTurns() throws Exception {
    JsonNode parent = fleet.turn("'action': 'open', ", "Remember the sea.");
    HttpResponse<String> forked =
        fleet.post(0, "/v1/sessions/s/fork", "'session_id': 'c', 'timeout': 60");
    assertThat(forked.statusCode()).as(forked.body()).isEqualTo(201);
    JsonNode shown = TestGateway.json(forked.body());
    assertThat(shown.path("id").asString()).isEqualTo("c");
    assertThat(shown.path("forked_from").asString()).isEqualTo("s");
    assertThat(shown.path("timeout").asInt()).isEqualTo(60);
    assertThat(shown.path("tokens").asInt()).isEqualTo(total(parent));
    assertThat(fleet.post(0, "/v1/sessions/s/fork", "'session_id': 'c', 'timeout': 60"))
        .returns(200, HttpResponse::statusCode);
    assertThat(fleet.post(0, "/v1/sessions/s/fork", "'session_id': 'c', 'timeout': 61"))
        .returns(409, HttpResponse::statusCode);
    JsonNode child = delta("c", "", "What was it?");
    assertThat(session(child).path("mode").asString()).isEqualTo("fork");
    assertThat(cached(child)).isEqualTo(total(parent) - 1);
    assertThat(context(child)).startsWith(context(parent).toArray(Integer[]::new));
    fleet.assertSameAsStateless(child);
  }

  @Test
  void fork_byEndpoint_ofAParentThatWasRegeneratedElsewhere_startsWithWhatItsEngineHolds()
      throws Exception {
    try (TestFleet two = new TestFleet(dir, 2, keeper -> keeper)) {
      String first = user("Remember the sea.");
      JsonNode opened = answered(two.send(0, "'action': 'open', ", first));
      two.turn(0, "'input': 'delta', ", "And the sand.");
      String other = first + ", " + echo(opened) + ", " + user("And the wind.");
      JsonNode parent = answered(two.send(1, "", other));
      assertThat(session(parent).path("mode").asString()).isEqualTo("rewind");
      assertThat(two.post(0, "/v1/sessions/s/fork", "'session_id': 'c'"))
          .returns(201, HttpResponse::statusCode);
      JsonNode child = answered(two.send(0, "c", "'input': 'delta', ", user("What was it?")));
      assertThat(context(child)).startsWith(context(parent).toArray(Integer[]::new));
      assertThat(cached(child)).isEqualTo(total(parent) - 1);
      two.assertSameAsStateless(child);
    }
  }

  @Test
  void fork_byEndpoint_whileATurnOfItsParentRuns_startsWithOneOfItsCommits() throws Exception {
    JsonNode parent = fleet.turn("'action': 'open', ", "Remember the sea.");
    GatedRunner runner = fleet.homeRunner();
    runner.hold();
    try (ExecutorService clients = Executors.newVirtualThreadPerTaskExecutor()) {
      Future<JsonNode> running =
          clients.submit(() -> fleet.turn("'input': 'delta', ", "And the sand."));
      runner.awaitStep();
      Future<HttpResponse<String>> forking =
          clients.submit(() -> fleet.post(0, "/v1/sessions/s/fork", "'session_id': 'c'"));
      while (underWay() < 2) {
        Thread.onSpinWait();
      }
      runner.release();
      assertThat(forking.get()).returns(201, HttpResponse::statusCode);
      List<Integer> second = context(running.get());
      List<Integer> child = context(delta("c", "", "What was it?"));
      assertThat(child).startsWith(context(parent).toArray(Integer[]::new));
      if (child.size() > second.size()) {
        assertThat(child).startsWith(second.toArray(Integer[]::new));
      }
    }
  }

  private long underWay() {
    RouterStats stats = fleet.routers.getFirst().stats();
    return stats.bookings() - stats.bookingsReleased();
  }

  @Test
  void fork_byEndpoint_whoseParentsRankCannotBeReached_isReplayedElsewhere() throws Exception {
    JsonNode parent = fleet.turn("'action': 'open', ", "Remember the sea.");
    WorkerRank dead = fleet.binding().target().orElseThrow();
    fleet.home().close();
    assertThat(fleet.post(0, "/v1/sessions/s/fork", "'session_id': 'c'"))
        .returns(201, HttpResponse::statusCode);
    JsonNode child = delta("c", "", "What was it?");
    assertThat(session(child).path("mode").asString()).isEqualTo("opened");
    assertThat(context(child)).startsWith(context(parent).toArray(Integer[]::new));
    fleet.routers.getFirst().removeRank(dead);
  }

  @Test
  void fork_byEndpoint_ofAParentThatNobodyRemembers_isContextLost() throws Exception {
    fleet.turn("'action': 'open', ", "Remember the sea.");
    fleet.transcripts.getFirst().remove(TestFleet.SESSION, fleet.binding().incarnation());
    WorkerRank dead = fleet.binding().target().orElseThrow();
    fleet.home().close();
    HttpResponse<String> lost = fleet.post(0, "/v1/sessions/s/fork", "'session_id': 'c'");
    assertThat(lost.statusCode()).as(lost.body()).isEqualTo(409);
    assertThat(error(lost).path("code").asString()).isEqualTo("context_lost");
    fleet.routers.getFirst().removeRank(dead);
  }

  @Test
  void fork_byEndpoint_withLessRoomThanTheParentHolds_isRefused() throws Exception {
    JsonNode parent = fleet.turn("'action': 'open', ", "Remember the sea.");
    String fields = "'session_id': 'c', 'capacity': " + total(parent);
    HttpResponse<String> full = fleet.post(0, "/v1/sessions/s/fork", fields);
    assertThat(full.statusCode()).as(full.body()).isEqualTo(400);
    assertThat(error(full).path("message").asString())
        .containsPattern("\\b" + total(parent) + "\\b.*\\b" + total(parent) + "\\b");
    fields = "'session_id': 'c', 'capacity': " + (total(parent) + 1);
    assertThat(fleet.post(0, "/v1/sessions/s/fork", fields)).returns(201, HttpResponse::statusCode);
  }

  @Test
  void fork_byEndpoint_ofAParentThatHoldsSomethingElse_isRefused() throws Exception {
    JsonNode parent = fleet.turn("'action': 'open', ", "Remember the sea.");
    String digest = session(parent).path("digest").asString();
    JsonNode tip = mismatch("'expected_tip': 1");
    assertThat(tip.path("param").asString()).isEqualTo("expected_tip");
    assertThat(tip.path("message").asString())
        .isEqualTo(
            "parent session s holds %d tokens, but expected_tip is 1".formatted(total(parent)));
    JsonNode other = mismatch("'expected_digest': '00000000000000ff'");
    assertThat(other.path("param").asString()).isEqualTo("expected_digest");
    assertThat(other.path("observed").path("digest").asString()).isEqualTo(digest);
    assertThat(fleet.listed()).hasSize(1);
    assertThat(fleet.routers.getFirst().stats().refused()).isEqualTo(2);
    String right = "'expected_tip': " + total(parent) + ", 'expected_digest': '" + digest + "'";
    assertThat(forked(right)).returns(201, HttpResponse::statusCode);
    assertThat(forked(right)).returns(200, HttpResponse::statusCode);
    JsonNode child = delta("c", "", "What was it?");
    JsonNode goneOn = mismatch(right);
    assertThat(goneOn.path("observed").path("tip").asInt()).isEqualTo(total(child));
    assertThat(goneOn.path("message").asString()).startsWith("the session holds");
  }

  private JsonNode mismatch(String fields) throws Exception {
    HttpResponse<String> refused = forked(fields);
    assertThat(refused.statusCode()).as(refused.body()).isEqualTo(409);
    assertThat(error(refused).path("code").asString()).isEqualTo("tip_mismatch");
    return error(refused);
  }

  private HttpResponse<String> forked(String fields) throws Exception {
    return fleet.post(0, "/v1/sessions/s/fork", "'session_id': 'c', " + fields);
  }

  @Test
  void fork_whoseParentsRankDrains_isReplayedElsewhere() throws Exception {
    JsonNode parent = fleet.turn("'action': 'open', ", "Remember the sea.");
    fleet.routers.getFirst().drainWorker(fleet.binding().target().orElseThrow().worker());
    JsonNode child = delta("c", FORK, "What was it?");
    assertThat(session(child).path("mode").asString()).isEqualTo("opened");
    assertThat(session(child).path("worker")).isNotEqualTo(session(parent).path("worker"));
    assertThat(context(child)).startsWith(context(parent).toArray(Integer[]::new));
    fleet.assertSameAsStateless(child);
    assertThat(session(delta("c", "", "And?")).path("mode").asString()).isEqualTo("append");
  }

  @Test
  void fork_ofABoundOnlyParent_isReplayed() throws Exception {
    JsonNode parent = answered(fleet.send(0, "'action': 'bind', ", user("Remember the sea.")));
    JsonNode child = delta("c", FORK, "What was it?");
    assertThat(session(child).path("mode").asString()).isEqualTo("opened");
    assertThat(context(child)).startsWith(context(parent).toArray(Integer[]::new));
    fleet.assertSameAsStateless(child);
  }

  @Test
  void fiveForksOfOneParent_computeTheParentOnce() throws Exception {
    JsonNode parent = fleet.turn("'action': 'open', ", "Remember the sea. ".repeat(10));
    Engine home = fleet.home();
    long before = home.stats().computedTokens();
    long fresh = 0;
    for (int i = 0; i < 5; i++) {
      JsonNode child = delta("c" + i, FORK, "Part " + i);
      // More than the parent, where children begin with the same words.
      assertThat(cached(child)).isGreaterThanOrEqualTo(total(parent) - 1);
      fresh += total(child) - cached(child);
    }
    // What is counted as computed may be told a step late.
    assertThat(home.stats().computedTokens() - before).isLessThan(fresh + total(parent) - 1);
  }

  @Test
  void fork_whileTheParentsAnswerIsBeingTold_startsWithWhatItsEngineHolds() throws Exception {
    JsonNode parent = fleet.turn("'action': 'open', ", "Remember the sea.");
    Transcripts transcripts = fleet.transcripts.getFirst();
    Incarnation life = fleet.binding().incarnation();
    transcripts.remove(TestFleet.SESSION, life);
    transcripts.open(TestFleet.SESSION, life); // as it is until the whole answer was read
    JsonNode child = delta("c", FORK, "What was it?");
    assertThat(context(child)).startsWith(context(parent).toArray(Integer[]::new));
    assertThat(session(child).path("mode").asString()).isEqualTo("fork");
    fleet.assertSameAsStateless(child);
  }

  @Test
  void fork_ofAParentWhoseLastTurnWasAtAnotherGateway_startsWithThatToo() throws Exception {
    try (TestFleet two = new TestFleet(dir, 2, keeper -> keeper)) {
      two.turn(0, "'action': 'open', ", "Remember the sea.");
      JsonNode parent = two.turn(1, "'input': 'delta', ", "And the sand.");
      String asked = "'input': 'delta', " + FORK;
      JsonNode child = answered(two.send(0, "c", asked, user("What was it?")));
      assertThat(context(child)).startsWith(context(parent).toArray(Integer[]::new));
      two.assertSameAsStateless(child);
      JsonNode next = answered(two.send(0, "c", "'input': 'delta', ", user("And then?")));
      assertThat(context(next)).startsWith(context(child).toArray(Integer[]::new));
    }
  }

  @Test
  void fork_whoseFullPromptSharesHalfATurn_keepsThatPrompt() throws Exception {
    String first = user("Remember the sea.");
    fleet.send(0, "'action': 'open', ", first);
    JsonNode child = answered(fleet.send(0, "c", FORK, first + ", " + user("And the sand.")));
    fleet.assertSameAsStateless(child);
    JsonNode next = delta("c", "", "What was it?");
    assertThat(context(next)).startsWith(context(child).toArray(Integer[]::new));
    assertThat(session(next).path("mode").asString()).isEqualTo("append");
  }

  @Test
  void fork_ofNobodyOrOfItself_isRefused() throws Exception {
    HttpResponse<String> unknown = fleet.send(0, "c", FORK, user("Hi."));
    assertThat(unknown.statusCode()).isEqualTo(404);
    assertThat(error(unknown).path("code").asString()).isEqualTo("parent_not_found");
    HttpResponse<String> byEndpoint = fleet.post(0, "/v1/sessions/s/fork", "'session_id': 'c'");
    assertThat(byEndpoint.statusCode()).isEqualTo(404);
    HttpResponse<String> itself = fleet.post(0, "/v1/sessions/s/fork", "'session_id': 's'");
    assertThat(itself.statusCode()).isEqualTo(400);
    assertThat(error(itself).path("param").asString()).isEqualTo("session_id");
    HttpResponse<String> nameless = fleet.post(0, "/v1/sessions/s/fork", "'timeout': 5");
    assertThat(error(nameless).path("param").asString()).isEqualTo("session_id");
  }

  private JsonNode delta(String name, String control, String said) throws Exception {
    return answered(fleet.send(0, name, control + "'input': 'delta', ", user(said)));
  }

  private static String echo(JsonNode answer) {
    String content = answer.path("choices").get(0).path("message").path("content").asString();
    return "{'role': 'assistant', 'content': "
        + JsonMapper.shared().writeValueAsString(content).replace("'", "\\u0027")
        + "}";
  }

  private static JsonNode error(HttpResponse<String> response) {
    return TestGateway.json(response.body()).path("error");
  }

  private static int cached(JsonNode answer) {
    return answer.path("usage").path("prompt_tokens_details").path("cached_tokens").asInt();
  }

  private static int total(JsonNode answer) {
    return answer.path("usage").path("total_tokens").asInt();
  }
}
