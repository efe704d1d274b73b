package dev.sojourn.server;

import static dev.sojourn.server.TestGateway.MODEL;
import static dev.sojourn.server.TestGateway.json;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.core.ManualClock;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.server.http.RawClient;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** Sessions in SGLang's way; after its test_session_control.py and streaming kit. */
class SglangSessionsTest {

  private static final String COMPLETIONS = "/v1/completions";
  private static final List<String> CHUNKS =
      List.of(
          "Let me tell you something about France.",
          "The capital of France is",
          "The population of the city is",
          "A brief history of that city is");

  @TempDir static Path dir;
  private TestGateway gateway;

  @BeforeEach
  void start() throws Exception {
    gateway = new TestGateway(dir, 1, config -> config);
  }

  @AfterEach
  void nothingIsHeld() throws Exception {
    gateway.runners.forEach(GatedRunner::release);
    for (JsonNode session : gateway.get("/v1/sessions").path("data")) {
      gateway.send("DELETE", "/v1/sessions/" + session.path("id").asString() + "?wait=true", "");
    }
    gateway.expectNothingHeld();
    gateway.close();
  }

  private String open(String fields) throws Exception {
    return json(send("/open_session", fields).body()).asString();
  }

  private HttpResponse<String> send(String path, String fields) throws Exception {
    return gateway.send("POST", path, ("{" + fields + "}").replace('\'', '"'));
  }

  private static String asked(String prompt, String more) {
    return "'model': '"
        + MODEL
        + "', 'max_tokens': 8, 'temperature': 0.8, 'seed': 9, 'ignore_eos': true, 'prompt': "
        + prompt
        + ", 'nvext': {'extra_fields': ['prompt_token_ids', 'completion_token_ids']}, "
        + more;
  }

  private JsonNode turn(String text, String params) throws Exception {
    HttpResponse<String> response = refused(text, params);
    assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
    JsonNode answer = json(response.body());
    assertSameAsStateless(answer);
    return answer;
  }

  private HttpResponse<String> refused(String text, String params) throws Exception {
    return send(COMPLETIONS, asked("'" + text + "'", "'session_params': {" + params + "}"));
  }

  private void assertRefused(String params, String param, String message) throws Exception {
    HttpResponse<String> response = refused("More.", params);
    assertThat(response.statusCode()).as(response.body()).isEqualTo(400);
    JsonNode error = json(response.body()).path("error");
    assertThat(error.path("message").asString()).isEqualTo(message);
    assertThat(error.path("param").asString()).isEqualTo(param);
  }

  private void assertSameAsStateless(JsonNode answer) throws Exception {
    JsonNode stateless =
        json(
            send(COMPLETIONS, asked(ids(answer, "prompt").toString(), "'cache_salt': 'apart'"))
                .body());
    assertThat(ids(stateless, "completion")).isEqualTo(ids(answer, "completion"));
  }

  private static List<Integer> ids(JsonNode answer, String which) {
    List<Integer> ids = new ArrayList<>();
    answer.path("nvext").path(which + "_token_ids").forEach(id -> ids.add(id.asInt()));
    return ids;
  }

  private static List<Integer> whole(JsonNode answer) {
    List<Integer> ids = ids(answer, "prompt");
    ids.addAll(ids(answer, "completion"));
    return ids;
  }

  private static int cached(JsonNode answer) {
    return answer.path("usage").path("prompt_tokens_details").path("cached_tokens").asInt();
  }

  private static String rid(JsonNode answer) {
    return ", 'rid': '" + answer.path("id").asString() + "'";
  }

  private List<Integer> tokenised(String text) throws Exception {
    return ids(json(send(COMPLETIONS, asked("'" + text + "'", "'user': 'x'")).body()), "prompt");
  }

  @Test
  void sessionControl_chainBacktrackAndClose() throws Exception {
    String id = open("'capacity_of_str_len': 1000");
    assertThat(id).matches("[0-9a-f]{32}");
    HttpResponse<String> twice =
        send("/open_session", "'capacity_of_str_len': 1000, 'session_id': '" + id + "'");
    assertThat(twice.statusCode()).isEqualTo(400);
    assertThat(json(twice.body()).path("error").path("message").asString())
        .isEqualTo(
            "Failed to open the session. Check if a session with the same id is still open.");
    String session = "'id': '" + id + "'";
    JsonNode first = turn(CHUNKS.getFirst(), session);
    JsonNode last = first;
    JsonNode second = first;
    for (String chunk : CHUNKS.subList(1, CHUNKS.size())) {
      List<Integer> expected = whole(last).subList(0, whole(last).size() - 1);
      expected.addAll(tokenised(chunk));
      int before = whole(last).size() - 1;
      last = turn(chunk, session + rid(last) + ", 'offset': -1, 'replace': true");
      assertThat(ids(last, "prompt")).isEqualTo(expected);
      assertThat(cached(last)).isEqualTo(before);
      second = second.equals(first) ? last : second;
    }
    JsonNode again = turn(CHUNKS.get(1), session + rid(first) + ", 'offset': -1, 'replace': true");
    assertThat(ids(again, "completion")).isEqualTo(ids(second, "completion"));
    for (JsonNode gone : List.of(second, last)) {
      assertRefused(
          session + rid(gone) + ", 'offset': -1, 'replace': true",
          "session_params.rid",
          "Invalid request session id");
    }
    HttpResponse<String> closed = send("/close_session", "'session_id': '" + id + "'");
    assertThat(closed.statusCode()).isEqualTo(200);
    assertThat(closed.body()).isEmpty();
    assertRefused(
        session + rid(first) + ", 'offset': -1, 'replace': true",
        "session_params.id",
        "Invalid request: session id " + id + " does not exist");
    assertThat(send("/close_session", "'session_id': '" + id + "'").statusCode()).isEqualTo(200);
  }

  @Test
  void branching_twoBranchesOfTwoSteps_equalStateless() throws Exception {
    String session = "'id': '" + open("'session_id': 'tree'") + "'";
    JsonNode root = turn(CHUNKS.getFirst(), session);
    List<JsonNode> branches = new ArrayList<>();
    for (String chunk : CHUNKS.subList(1, 3)) {
      List<Integer> expected = whole(root);
      expected.addAll(tokenised(chunk));
      JsonNode branch = turn(chunk, session + rid(root));
      assertThat(ids(branch, "prompt")).isEqualTo(expected);
      assertThat(cached(branch)).isGreaterThanOrEqualTo(whole(root).size() - 1);
      branches.add(branch);
    }
    for (JsonNode branch : branches) {
      JsonNode next = turn(CHUNKS.get(3), session + rid(branch));
      assertThat(cached(next)).isEqualTo(whole(branch).size() - 1);
    }
    JsonNode regenerated = turn("?", session + rid(root) + ", 'drop_previous_output': true");
    List<Integer> expected = ids(root, "prompt");
    expected.addAll(tokenised("?"));
    assertThat(ids(regenerated, "prompt")).isEqualTo(expected);
    JsonNode shown = gateway.get("/v1/sessions/tree");
    assertThat(shown.path("turns_are").asString()).isEqualTo("regular");
    assertThat(shown.path("turns").asInt()).isEqualTo(6);
    assertThat(shown.has("digest")).as("of many conversations").isFalse();
    assertThat(regenerated.path("nvext").path("session").path("promise").asString())
        .isEqualTo("leased");
  }

  @Test
  void paramsInNvext_countAsThoseOutside() throws Exception {
    open("'session_id': 'tree'");
    JsonNode root = turn("Hello", "'id': 'tree'");
    String at = "{'session_params': {'id': 'tree'" + rid(root) + ", 'replace': true}}";
    HttpResponse<String> next =
        send(
            COMPLETIONS,
            "'model': '" + MODEL + "', 'prompt': 'x', 'max_tokens': 2, 'nvext': " + at);
    assertThat(json(next.body()).path("usage").path("prompt_tokens").asInt())
        .isEqualTo(whole(root).size() + tokenised("x").size());
  }

  @Test
  void streamingSession_takesWhatIsNew_andHasSglangsRefusals() throws Exception {
    String session = "'id': '" + open("'session_id': 'line', 'streaming': true") + "'";
    JsonNode last = turn(CHUNKS.getFirst(), session);
    for (String chunk : CHUNKS.subList(1, 3)) {
      int before = whole(last).size();
      last = turn(chunk, session + ", 'rid': 'is ignored'");
      assertThat(cached(last)).isEqualTo(before - 1);
      assertThat(ids(last, "prompt")).hasSize(before + tokenised(chunk).size());
    }
    String all = session + ", 'replace': true, 'drop_previous_output': true, 'offset': 1";
    assertRefused(all, "session_params.replace", "Streaming sessions do not support replace.");
    assertRefused(
        session + ", 'drop_previous_output': true, 'offset': 1",
        "session_params.drop_previous_output",
        "Streaming sessions do not support drop_previous_output.");
    assertRefused(
        session + ", 'offset': 1",
        "session_params.offset",
        "Streaming sessions do not support offset.");
    JsonNode onward = turn("Go on.", session);
    assertThat(cached(onward)).isEqualTo(whole(last).size() - 1);

    GatedRunner runner = gateway.runners.getFirst();
    runner.hold();
    try (RawClient running = new RawClient(gateway.address())) {
      String body = asked("'On.'", "'stream': true, 'session_params': {" + session + "}");
      running.post(COMPLETIONS, ("{" + body + "}").replace('\'', '"'));
      runner.awaitStep();
      assertRefused(all, "session_params.id", "Streaming session already has an active request.");
      runner.release();
      running.lineWith("[DONE]");
    }
    JsonNode after = turn("On.", session);
    assertThat(ids(after, "prompt")).hasSizeGreaterThan(whole(onward).size() + 8);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      value = {
        "session_params.id | 400 | 'session_params': {'id': 'tree'}",
        "session_params    | 400 | 'nvext': {'session_control': {'session_id': 'tree'}}",
        "session_params    | 400 | 'session_id': 'tree'",
        "nvext.session_control.parent | 400 | 'nvext': {'session_control': {'session_id': 'new',"
            + " 'action': 'open', 'parent': 'tree'}}",
        "                  | 409 | 'nvext': {'session_control': {'session_id': 'tree', 'action':"
            + " 'open'}}",
        "session_params.rid | 400 | 'session_params': {'id': 'plain', 'rid': 'x'}",
        "session_params.offset | 400 | 'session_params': {'id': 'tree', 'offset': 'x'}",
        "session_params.rid | 400 | 'session_params': {'id': 'tree', 'rid': 7}",
      })
  void turnsOfAnotherKind_areRefused(String param, int status, String fields) throws Exception {
    open("'session_id': 'tree'");
    JsonNode root = turn("Hello", "'id': 'tree'");
    String chat =
        "'model': '" + MODEL + "', 'max_tokens': 3, 'messages': [{'role': 'user', 'content': 'x'}]";
    var _ =
        gateway.post(
            "/v1/chat/completions", ("{" + chat + ", 'session_id': 'plain'}").replace('\'', '"'));
    HttpResponse<String> response = send("/v1/chat/completions", chat + ", " + fields);
    assertThat(response.statusCode()).as(response.body()).isEqualTo(status);
    assertThat(json(response.body()).path("error").path("param").asString(null)).isEqualTo(param);
    JsonNode next = turn("On", "'id': 'tree'" + rid(root));
    assertThat(cached(next)).isEqualTo(whole(root).size() - 1);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      value = {
        "/open_session  | session_id | 'session_id': ''",
        "/open_session  | timeout    | 'timeout': 0",
        "/open_session  | streaming  | 'streaming': 'yes'",
        "/open_session  | capacity_of_str_len | 'capacity_of_str_len': -1",
        "/close_session | session_id | 'session': 'x'",
      })
  void badInput_isRefusedByItsName(String path, String param, String fields) throws Exception {
    HttpResponse<String> response = send(path, fields);
    assertThat(response.statusCode()).isEqualTo(400);
    assertThat(json(response.body()).path("error").path("param").asString()).isEqualTo(param);
  }

  @Test
  void openSession_tellsMoreToWhoAsks_andTakesAGetToo() throws Exception {
    HttpResponse<String> opened =
        gateway.send(
            "GET",
            "/open_session",
            "{\"session_id\": \"tree\", \"timeout\": 2.5, \"streaming\": null}",
            "accept",
            "application/vnd.sojourn+json");
    assertThat(opened.statusCode()).as(opened.body()).isEqualTo(200);
    JsonNode session = json(opened.body());
    assertThat(session.path("id").asString()).isEqualTo("tree");
    assertThat(session.path("turns_are").asString()).isEqualTo("regular");
    assertThat(session.path("timeout").asInt()).isEqualTo(2);
  }

  @Test
  void close_whileATurnRuns_letsItEnd() throws Exception {
    String session = "'id': '" + open("'session_id': 'tree'") + "'";
    JsonNode root = turn("Hello", session);
    GatedRunner runner = gateway.runners.getFirst();
    runner.hold();
    try (RawClient running = new RawClient(gateway.address())) {
      String params = "'session_params': {" + session + rid(root) + "}";
      running.post(
          COMPLETIONS,
          ("{" + asked("'On.'", "'stream': true, " + params) + "}").replace('\'', '"'));
      runner.awaitStep();
      assertThat(send("/close_session", "'session_id': 'tree'").statusCode()).isEqualTo(200);
      runner.release();
      running.lineWith("[DONE]");
    }
  }

  @Test
  void clientThatHangsUp_leavesNoTurn_andItsSiblingsGoOn() throws Exception {
    String session = "'id': '" + open("'session_id': 'tree'") + "'";
    JsonNode root = turn("Hello", session);
    GatedRunner runner = gateway.runners.getFirst();
    runner.hold();
    try (RawClient running = new RawClient(gateway.address())) {
      String params = "'session_params': {" + session + rid(root) + "}";
      running.post(
          COMPLETIONS,
          ("{" + asked("'On.'", "'stream': true, " + params) + "}").replace('\'', '"'));
      runner.awaitStep();
    }
    runner.release();
    JsonNode next = turn("On.", session + rid(root));
    assertThat(ids(next, "prompt")).startsWith(whole(root).toArray(Integer[]::new));
  }

  @Test
  void branches_runSideBySide() throws Exception {
    String session = "'id': '" + open("'session_id': 'tree'") + "'";
    JsonNode root = turn("Hello", session);
    GatedRunner runner = gateway.runners.getFirst();
    runner.hold();
    try (RawClient one = new RawClient(gateway.address());
        RawClient two = new RawClient(gateway.address())) {
      for (RawClient client : List.of(one, two)) {
        String params = "'session_params': {" + session + rid(root) + "}";
        client.post(
            COMPLETIONS,
            ("{" + asked("'On.'", "'stream': true, " + params) + "}").replace('\'', '"'));
      }
      while (gateway.metric("sojourn_router_leases") < 2) {
        Thread.onSpinWait();
      }
      runner.release();
      one.lineWith("[DONE]");
      two.lineWith("[DONE]");
    }
    assertThat(gateway.get("/v1/sessions/tree").path("turns").asInt()).isEqualTo(3);
  }

  @Test
  void replace_ofARunningTurn_waitsForNobody_andGoesOnWithinItsPrompt() throws Exception {
    String session = "'id': '" + open("'session_id': 'tree'") + "'";
    JsonNode root = turn(CHUNKS.getFirst(), session);
    GatedRunner runner = gateway.runners.getFirst();
    runner.hold();
    try (RawClient running = new RawClient(gateway.address())) {
      String params = "'session_params': {" + session + rid(root) + "}";
      String body = asked("'" + CHUNKS.get(1) + "'", "'stream': true, " + params);
      running.post(COMPLETIONS, ("{" + body + "}").replace('\'', '"'));
      for (int i = 0; i < 3; i++) {
        runner.awaitStep();
        runner.step();
      }
      String chunk = running.lineWith("data:");
      JsonNode first = json(chunk.substring(chunk.indexOf('{')));
      int offset = whole(root).size() + 5;
      String cut = rid(first) + ", 'replace': true, 'offset': " + offset;
      runner.awaitStep(); // else the turn may be replaced before both are seen
      CompletableFuture<JsonNode> replacing = new CompletableFuture<>();
      Thread.startVirtualThread(() -> {
        try {
          replacing.complete(turn("No.", session + cut));
        } catch (Exception | AssertionError e) {
          replacing.completeExceptionally(e);
        }
      });
      while (gateway.metric("sojourn_router_leases") < 2) {
        Thread.onSpinWait();
      }
      runner.release();
      JsonNode second = replacing.get();
      List<Integer> expected = whole(root);
      expected.addAll(tokenised(CHUNKS.get(1)).subList(0, 5));
      expected.addAll(tokenised("No."));
      assertThat(ids(second, "prompt")).isEqualTo(expected);
    }
  }

  @Test
  void sessionThatItsWorkerLost_goesOnWithTurnsThatBeginAnew() throws Exception {
    try (TestFleet fleet = new TestFleet(dir, 1, keeper -> keeper)) {
      fleet.post(0, "/open_session", "'session_id': 's'");
      String params = "'nvext': {'extra_fields': ['prompt_token_ids', 'completion_token_ids']}, ";
      String anew = params + "'prompt': 'Hello', 'session_params': {'id': 's'";
      JsonNode root = TestFleet.answered(fleet.post(0, COMPLETIONS, anew + "}"));
      fleet.home().close(TestFleet.SESSION, fleet.binding().incarnation(), OnClose.FREE).join();
      for (int i = 0; i < 2; i++) {
        HttpResponse<String> lost = fleet.post(0, COMPLETIONS, anew + rid(root) + "}");
        assertThat(lost.statusCode()).isEqualTo(409);
        assertThat(json(lost.body()).path("error").path("code").asString())
            .isEqualTo("context_lost");
      }
      JsonNode again = TestFleet.answered(fleet.post(0, COMPLETIONS, anew + "}"));
      assertThat(whole(again)).isEqualTo(whole(root));
      JsonNode next = TestFleet.answered(fleet.post(0, COMPLETIONS, anew + rid(again) + "}"));
      assertThat(cached(next)).isEqualTo(whole(again).size() - 1);
      fleet.assertSameAsStateless(next);
      fleet.post(0, "/close_session", "'session_id': 's'");
      fleet.expectNothingHeld();
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void turnOfASessionThatExpired_isRefused_andOpensNone(boolean streaming) throws Exception {
    ManualClock clock = new ManualClock();
    try (TestFleet fleet = new TestFleet(dir, 1, keeper -> keeper, clock)) {
      fleet.post(0, "/open_session", "'session_id': 's', 'timeout': 60, 'streaming': " + streaming);
      String turn = "'prompt': 'Go on.', 'session_params': {'id': 's'}";
      TestFleet.answered(fleet.post(0, COMPLETIONS, turn));
      clock.advance(Duration.ofSeconds(61));
      fleet.routers.getFirst().tick();
      HttpResponse<String> refused = fleet.post(0, COMPLETIONS, turn);
      assertThat(refused.statusCode()).isEqualTo(400);
      assertThat(json(refused.body()).path("error").path("message").asString())
          .isEqualTo("Invalid request: session id s does not exist");
      assertThat(fleet.routers.getFirst().binding(TestFleet.SESSION)).isEmpty();
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void finalHeader_closesTheSessionWithItsTurn(boolean streaming) throws Exception {
    String session = "'id': '" + open("'session_id': 's', 'streaming': " + streaming) + "'";
    JsonNode first = turn("Hello", session);
    String last = asked("'On.'", "'session_params': {" + session + rid(first) + "}");
    JsonNode answer =
        gateway.post(
            COMPLETIONS, ("{" + last + "}").replace('\'', '"'), "x-dynamo-session-final", "true");
    assertThat(cached(answer)).isEqualTo(whole(first).size() - 1);
    assertThat(answer.path("nvext").path("session").path("closed").asBoolean()).isTrue();
    assertThat(gateway.send("GET", "/v1/sessions/s", "").statusCode()).isEqualTo(404);
  }

  @Test
  void treeWhoseRankDrains_staysThere() throws Exception {
    try (TestFleet fleet = new TestFleet(dir, 1, keeper -> keeper)) {
      fleet.post(0, "/open_session", "'session_id': 's'");
      String ids = "'nvext': {'extra_fields': ['prompt_token_ids', 'completion_token_ids']}, ";
      String anew = ids + "'prompt': 'Hello', 'session_params': {'id': 's'";
      JsonNode root = TestFleet.answered(fleet.post(0, COMPLETIONS, anew + "}"));
      fleet.routers.getFirst().drainWorker(fleet.binding().target().orElseThrow().worker());
      for (String turn : List.of(anew + "}", anew + rid(root) + "}", anew + "}")) {
        TestFleet.answered(fleet.post(0, COMPLETIONS, turn));
      }
      JsonNode next = TestFleet.answered(fleet.post(0, COMPLETIONS, anew + rid(root) + "}"));
      assertThat(cached(next)).isGreaterThanOrEqualTo(whole(root).size() - 1);
      assertThat(ids(next, "prompt")).startsWith(whole(root).toArray(Integer[]::new));
      fleet.post(0, "/close_session", "'session_id': 's'");
      fleet.expectNothingHeld();
    }
  }

  private static CompletableFuture<HttpResponse<String>> posted(TestFleet fleet, String fields) {
    CompletableFuture<HttpResponse<String>> answer = new CompletableFuture<>();
    Thread.startVirtualThread(() -> {
      try {
        answer.complete(fleet.post(0, COMPLETIONS, fields));
      } catch (Exception e) {
        answer.completeExceptionally(e);
      }
    });
    return answer;
  }

  @Test
  void turnsSideBySide_whoseWorkerLostTheTree_liveOnInOne() throws Exception {
    try (TestFleet fleet = new TestFleet(dir, 1, keeper -> keeper)) {
      fleet.post(0, "/open_session", "'session_id': 's'");
      String ids = "'nvext': {'extra_fields': ['prompt_token_ids', 'completion_token_ids']}, ";
      String anew = ids + "'prompt': 'Hello', 'session_params': {'id': 's'";
      TestFleet.answered(fleet.post(0, COMPLETIONS, anew + "}"));
      GatedRunner runner = fleet.homeRunner();
      String home = fleet.binding().target().orElseThrow().worker().name();
      fleet.home().close(TestFleet.SESSION, fleet.binding().incarnation(), OnClose.FREE).join();
      runner.hold();
      var other = posted(fleet, "'prompt': 'x', 'nvext': {'backend_instance_id': '" + home + "'}");
      runner.awaitStep();
      var one = posted(fleet, anew + "}");
      var two = posted(fleet, anew + "}");
      while (fleet.binding().running().size() < 2) {
        Thread.onSpinWait();
      }
      runner.release();
      TestFleet.answered(other.get());
      for (var turn : List.of(one, two)) {
        JsonNode root = TestFleet.answered(turn.get());
        JsonNode next = TestFleet.answered(fleet.post(0, COMPLETIONS, anew + rid(root) + "}"));
        assertThat(ids(next, "prompt")).startsWith(whole(root).toArray(Integer[]::new));
      }
      fleet.post(0, "/close_session", "'session_id': 's'");
      fleet.expectNothingHeld();
    }
  }

  @Test
  void turnBehindAClose_isToldOfIt() throws Exception {
    String session = "'id': '" + open("'session_id': 'tree'") + "'";
    JsonNode root = turn("Hello", session);
    GatedRunner runner = gateway.runners.getFirst();
    runner.hold();
    try (RawClient running = new RawClient(gateway.address());
        RawClient behind = new RawClient(gateway.address())) {
      String params = "'session_params': {" + session + rid(root) + "}";
      String body = ("{" + asked("'On.'", "'stream': true, " + params) + "}").replace('\'', '"');
      running.post(COMPLETIONS, body);
      runner.awaitStep();
      send("/close_session", "'session_id': 'tree'");
      awaitWaiting(1);
      behind.post(COMPLETIONS, body);
      awaitWaiting(2);
      runner.release();
      running.lineWith("[DONE]");
      assertThat(behind.answer())
          .startsWith("HTTP/1.1 400")
          .contains("Invalid request: close was requested for session tree");
    }
  }

  private void awaitWaiting(int turns) throws Exception {
    while (gateway.metric("sojourn_router_waiting_turns") < turns) {
      Thread.onSpinWait();
    }
  }

  @Test
  void openedAtTheSameMoment_isOpenedOnce_andRefusedInSglangsWords() throws Exception {
    for (int round = 0; round < 20; round++) {
      String name = "'session_id': 'race-" + round + "', 'streaming': ";
      int opened = 0;
      try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
        List<Callable<HttpResponse<String>>> opens = new ArrayList<>();
        for (boolean streaming : new boolean[] {false, true, false, true}) {
          opens.add(() -> send("/open_session", name + streaming));
        }
        for (var open : threads.invokeAll(opens)) {
          HttpResponse<String> answer = open.get();
          opened += answer.statusCode() == 200 ? 1 : 0;
          assertThat(answer.body())
              .containsAnyOf("\"race-" + round + "\"", "Check if a session with the same id");
          assertThat(answer.statusCode()).isIn(200, 400);
        }
      }
      assertThat(opened).isEqualTo(1);
    }
  }

  /** With a vocabulary that begins every text with a token, as Llama's does. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void idsBehindATurn_loseTheTokenThatBeginsTexts(boolean streaming) throws Exception {
    gateway.close();
    gateway = TestGateway.beginningTexts(dir);
    int bos = gateway.bos();
    String session = "'id': '" + open("'session_id': 's', 'streaming': " + streaming) + "'";
    JsonNode root = idTurn(List.of(bos, 5, 6, 7), session);
    assertThat(ids(root, "prompt")).containsExactly(bos, 5, 6, 7);
    JsonNode next = idTurn(List.of(bos, bos, 9), session + rid(root));
    List<Integer> expected = whole(root);
    expected.addAll(List.of(bos, 9));
    assertThat(ids(next, "prompt")).isEqualTo(expected);
    JsonNode nothing = idTurn(List.of(bos), session + rid(next));
    assertThat(ids(nothing, "prompt")).isEqualTo(whole(next));
    JsonNode kept = idTurn(List.of(9, bos), session + rid(nothing));
    expected = whole(nothing);
    expected.addAll(List.of(9, bos));
    assertThat(ids(kept, "prompt")).isEqualTo(expected);
    JsonNode text = turn("Hello", session + rid(kept));
    assertThat(ids(text, "prompt").subList(whole(kept).size(), ids(text, "prompt").size()))
        .isEqualTo(tokenised("Hello").subList(1, tokenised("Hello").size()));
  }

  private JsonNode idTurn(List<Integer> prompt, String params) throws Exception {
    JsonNode answer =
        TestFleet.answered(
            send(COMPLETIONS, asked(prompt.toString(), "'session_params': {" + params + "}")));
    assertSameAsStateless(answer);
    return answer;
  }
}
