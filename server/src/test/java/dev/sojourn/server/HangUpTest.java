package dev.sojourn.server;

import static dev.sojourn.server.TestGateway.MODEL;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.engine.EngineConfig;
import dev.sojourn.server.http.RawClient;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Clients that go away at every moment, and turns that get in each other's way. */
@Timeout(60)
@NullUnmarked // the gateway is started before each test
final class HangUpTest {

  private static final String CHAT = "/v1/chat/completions";

  @TempDir static Path dir;
  private TestGateway gateway;
  private GatedRunner runner;

  @BeforeEach
  void start() throws Exception {
    gateway = new TestGateway(dir, 1, HangUpTest::withTwoGenerations);
    runner = gateway.runners.getFirst();
  }

  @AfterEach
  void nothingIsHeld() throws Exception {
    runner.release();
    for (JsonNode session : gateway.get("/v1/sessions").path("data")) {
      gateway.send("DELETE", "/v1/sessions/" + session.path("id").asString() + "?wait=true", "");
    }
    gateway.expectNothingHeld();
    gateway.close();
  }

  @Test
  void client_thatHangsUpInPrefill_endsItsTurnWithTheStep() throws Exception {
    runner.hold();
    try (RawClient client = new RawClient(gateway.address())) {
      client.post(CHAT, chat("word ".repeat(60), "'max_tokens': 100, 'ignore_eos': true"));
      runner.awaitStep();
    }
    awaitAborted(1);
    awaitMetric("sojourn_engine_running_turns", 0);
    assertThat(gateway.metric("sojourn_engine_sampled_tokens_total")).isLessThan(100);
  }

  @Test
  void client_thatHangsUpBetweenTokens_endsItsTurn() throws Exception {
    runner.hold();
    try (RawClient client = new RawClient(gateway.address())) {
      client.post(
          CHAT, chat("Hello", "'max_tokens': 400, 'ignore_eos': true, 'stream': true, 'seed': 1"));
      for (int i = 0; i < 3; i++) {
        runner.awaitStep();
        runner.step();
      }
      client.lineWith("data:");
      runner.awaitStep();
    }
    awaitAborted(1);
    awaitMetric("sojourn_engine_running_turns", 0);
  }

  @Test
  void client_thatHangsUpBehindAnotherTurn_leavesTheQueueAndTheSessionGoesOn() throws Exception {
    runner.hold();
    CompletableFuture<HttpResponse<String>> first = send(session("'action': 'open',"));
    runner.awaitStep();
    try (RawClient second = new RawClient(gateway.address())) {
      second.post(CHAT, chat("Second", "'max_tokens': 5, " + session("")));
      awaitMetric("sojourn_router_waiting_turns", 1);
    }
    awaitMetric("sojourn_router_waiting_turns", 0);
    runner.release();
    assertThat(first.get().statusCode()).isEqualTo(200);
    assertThat(gateway.get("/v1/sessions/s").path("turns").asInt()).isEqualTo(1);
  }

  @Test
  void session_thatClosesBehindItsTurn_saysSo() throws Exception {
    runner.hold();
    CompletableFuture<HttpResponse<String>> turn = send(session("'action': 'open',"));
    runner.awaitStep();
    assertThat(gateway.send("DELETE", "/v1/sessions/s", "").statusCode()).isEqualTo(202);
    runner.holdUntilAsked(); // the engine answers between two steps
    JsonNode shown = gateway.get("/v1/sessions/s");
    assertThat(shown.path("state").asString()).isEqualTo("closing");
    runner.release();
    assertThat(turn.get().statusCode()).isEqualTo(200);
  }

  @Test
  void session_thatIsOpenedBehindItsClose_isAnother_andIsClosedByTheNext() throws Exception {
    runner.hold();
    CompletableFuture<HttpResponse<String>> first = send(session("'action': 'open',"));
    runner.awaitStep();
    assertThat(gateway.send("DELETE", "/v1/sessions/s", "").statusCode()).isEqualTo(202);
    awaitMetric("sojourn_router_waiting_turns", 1);
    CompletableFuture<HttpResponse<String>> second = send(session("'action': 'open',"));
    awaitMetric("sojourn_router_waiting_turns", 2);
    assertThat(gateway.send("DELETE", "/v1/sessions/s", "").statusCode()).isEqualTo(202);
    assertThat(gateway.send("DELETE", "/v1/sessions/s", "").statusCode()).isEqualTo(202);
    awaitMetric("sojourn_router_waiting_turns", 3); // two closes in a row are one
    runner.release();
    JsonNode before = TestGateway.json(first.get().body()).path("nvext").path("session");
    JsonNode after = TestGateway.json(second.get().body()).path("nvext").path("session");
    assertThat(after.path("mode").asString()).isEqualTo("opened");
    assertThat(after.path("incarnation")).isNotEqualTo(before.path("incarnation"));
    awaitMetric("sojourn_router_waiting_turns", 0);
    awaitMetric("sojourn_router_sessions", 0);
  }

  @Test
  void client_thatHangsUpInARegeneration_leavesTheConversationToTheNextDelta() throws Exception {
    JsonNode before = giveUpARegeneration();
    JsonNode next =
        gateway.post(CHAT, chat("And now?", "'max_tokens': 4, " + session("'input': 'delta',")));
    assertThat(next.path("usage").path("prompt_tokens").asInt())
        .isGreaterThan(before.path("usage").path("total_tokens").asInt());
  }

  @Test
  void forks_ofASessionWhoseRegenerationWasGivenUp_beginWithItsLastTurn() throws Exception {
    JsonNode before = giveUpARegeneration();
    String fork = "{'session_id': 'made'}".replace('\'', '"');
    assertThat(gateway.send("POST", "/v1/sessions/s/fork", fork).statusCode()).isEqualTo(201);
    String made = "'nvext': {'session_control': {'session_id': 'made', 'input': 'delta'}}";
    String begun =
        "'nvext': {'session_control': {'session_id': 'begun', 'action': 'open', 'parent': 's',"
            + " 'input': 'delta'}}";
    for (String child : List.of(begun, made)) {
      JsonNode next = gateway.post(CHAT, chat("And now?", "'max_tokens': 4, " + child));
      assertThat(next.path("usage").path("prompt_tokens").asInt())
          .as("%s", next)
          .isGreaterThan(before.path("usage").path("total_tokens").asInt());
      assertThat(next.path("nvext").toString()).doesNotContain("worker_lost");
    }
  }

  @Test
  void client_thatHangsUpInTheEnginesQueue_leavesItAndTheSessionGoesOn() throws Exception {
    try (TestGateway narrow = new TestGateway(dir, 1, HangUpTest::withOneAtATime)) {
      GatedRunner held = narrow.runners.getFirst();
      JsonNode opened = narrow.post(CHAT, chat("Hi", "'max_tokens': 6, " + session("")));
      held.holdUntilAsked();
      try (RawClient first = new RawClient(narrow.address())) {
        first.post(CHAT, chat("Other", "'max_tokens': 400, 'ignore_eos': true"));
        held.awaitStep();
        try (RawClient second = new RawClient(narrow.address())) {
          second.post(CHAT, chat("Never mind", "'max_tokens': 6, " + session("'input': 'delta',")));
          awaitMetric(narrow, "sojourn_router_bookings", 2);
          do {
            narrow.get("/debug/check"); // a step of the first, which tells what waits
          } while (narrow.metric("sojourn_engine_waiting_turns") != 1);
        }
        awaitMetric(narrow, "sojourn_router_aborted_turns_total", 1); // while the first still runs
      }
      awaitMetric(narrow, "sojourn_router_aborted_turns_total", 2);
      held.release();
      JsonNode next =
          narrow.post(CHAT, chat("And now?", "'max_tokens': 4, " + session("'input': 'delta',")));
      assertThat(next.path("nvext").path("session").path("mode").asString()).isEqualTo("append");
      assertThat(next.path("usage").path("prompt_tokens_details").path("cached_tokens").asInt())
          .isEqualTo(opened.path("usage").path("total_tokens").asInt() - 1);
      narrow.send("DELETE", "/v1/sessions/s?wait=true", "");
      narrow.expectNothingHeld();
    }
  }

  @Test
  void client_thatHangsUpAfterTheLastToken_hasHadItsTurn() throws Exception {
    try (RawClient client = new RawClient(gateway.address())) {
      client.post(
          CHAT, chat("Hi", "'max_tokens': 6, 'stream': true, " + session("'action': 'open',")));
      client.lineWith("\"finish_reason\":\"");
      client.reset();
    }
    JsonNode next =
        gateway.post(CHAT, chat("And now?", "'max_tokens': 4, " + session("'input': 'delta',")));
    assertThat(next.path("nvext").path("session").path("mode").asString()).isEqualTo("append");
    assertThat(gateway.get("/v1/sessions/s").path("turns").asInt()).isEqualTo(2);
  }

  @Test
  void client_thatHangsUpDuringItsClose_closesTheSessionAllTheSame() throws Exception {
    assertThat(send(session("'action': 'open',")).get().statusCode()).isEqualTo(200);
    runner.hold();
    try (RawClient client = new RawClient(gateway.address())) {
      String last =
          "'max_tokens': 100, 'ignore_eos': true, 'stream': true, " + session("'action': 'close',");
      client.post(CHAT, chat("Bye", last));
      for (int i = 0; i < 3; i++) {
        runner.awaitStep();
        runner.step();
      }
      client.lineWith("data:"); // so the worker has accepted it
      runner.awaitStep();
    }
    runner.release();
    awaitMetric("sojourn_router_sessions", 0);
    awaitMetric("sojourn_engine_sessions", 0);
  }

  @Test
  void session_afterAnAbortedTurn_goesOnFromItsLastCommit() throws Exception {
    JsonNode first = TestGateway.json(send(session("'action': 'open',")).get().body());
    int committed = first.path("nvext").path("session").path("held_tokens").asInt();
    runner.hold();
    try (RawClient client = new RawClient(gateway.address())) {
      client.post(
          CHAT,
          chat(
              "Never mind",
              "'max_tokens': 100, 'ignore_eos': true, " + session("'input': 'delta',")));
      runner.awaitStep();
    }
    awaitAborted(1);
    runner.release();
    JsonNode again =
        gateway.post(CHAT, chat("And now?", "'max_tokens': 4, " + session("'input': 'delta',")));
    assertThat(again.path("nvext").path("session").path("mode").asString()).isEqualTo("append");
    // What the aborted turn published of their common beginning may be found as well.
    assertThat(again.path("usage").path("prompt_tokens_details").path("cached_tokens").asInt())
        .isGreaterThanOrEqualTo(committed - 1);
  }

  @Test
  void secondTurn_thatDoesNotWantToWait_isAConflict() throws Exception {
    runner.hold();
    CompletableFuture<HttpResponse<String>> first = send(session("'action': 'open',"));
    runner.awaitStep();
    HttpResponse<String> busy =
        gateway.send("POST", CHAT, chat("Now", session("'while_busy': 'reject',")));
    assertThat(busy.statusCode()).isEqualTo(409);
    assertThat(TestGateway.json(busy.body()).path("error").path("code").asString())
        .isEqualTo("session_busy");
    runner.release();
    assertThat(first.get().statusCode()).isEqualTo(200);
  }

  @Test
  void request_overTheLimit_isRefusedAsOverloadWithATimeToComeBack() throws Exception {
    runner.hold();
    CompletableFuture<HttpResponse<String>> first = send("'seed': 1");
    runner.awaitStep();
    CompletableFuture<HttpResponse<String>> second = send("'seed': 2");
    awaitMetric("sojourn_router_bookings", 2);
    HttpResponse<String> third = gateway.send("POST", CHAT, chat("Third", "'max_tokens': 1"));
    assertThat(third.statusCode()).isEqualTo(529);
    assertThat(third.headers().firstValue("retry-after")).contains("1");
    runner.release();
    assertThat(first.get().statusCode()).isEqualTo(200);
    assertThat(second.get().statusCode()).isEqualTo(200);
  }

  @Test
  void turnsThatWaitForTheirSession_holdNoPlaces() throws Exception {
    runner.hold();
    CompletableFuture<HttpResponse<String>> first = send(session("'action': 'open',"));
    runner.awaitStep();
    CompletableFuture<HttpResponse<String>> second = send(session(""));
    CompletableFuture<HttpResponse<String>> third = send(session(""));
    awaitMetric("sojourn_router_waiting_turns", 2);
    CompletableFuture<HttpResponse<String>> other = send("'seed': 1");
    awaitMetric("sojourn_router_bookings", 2);
    HttpResponse<String> tooMany = gateway.send("POST", CHAT, chat("Hi", "'max_tokens': 1"));
    assertThat(tooMany.statusCode()).isEqualTo(529);
    runner.release();
    for (CompletableFuture<HttpResponse<String>> turn : List.of(first, second, third, other)) {
      assertThat(turn.get().statusCode()).isEqualTo(200);
    }
  }

  @Test
  void delete_withAbort_endsTheRunningTurnAndSaysSoToItsClient() throws Exception {
    runner.hold();
    try (RawClient client = new RawClient(gateway.address())) {
      client.post(
          CHAT,
          chat(
              "Hi",
              "'max_tokens': 300, 'ignore_eos': true, 'stream': true, "
                  + session("'action': 'open',")));
      runner.awaitStep();
      CompletableFuture<HttpResponse<String>> deleted =
          async(() -> gateway.send("DELETE", "/v1/sessions/s?wait=true&abort=true", ""));
      awaitMetric("sojourn_router_waiting_turns", 1); // the close, behind the turn it aborted
      awaitAborted(1);
      runner.release();
      assertThat(deleted.get().statusCode()).isEqualTo(200);
      assertThat(client.lineWith("HTTP/1.1")).contains("499");
    }
  }

  @Test
  void delete_thatWaits_answersWhenTheEngineHas() throws Exception {
    for (String name : new String[] {"a", "b"}) {
      String open =
          "'nvext': {'session_control': {'action': 'open', 'session_id': '" + name + "'}}";
      gateway.post(CHAT, chat("Hello", "'max_tokens': 2, " + open));
    }
    runner.hold();
    CompletableFuture<HttpResponse<String>> busy = send("'seed': 1");
    runner.awaitStep();
    CompletableFuture<HttpResponse<String>> waits =
        async(() -> gateway.send("DELETE", "/v1/sessions/a?wait=true", ""));
    awaitMetric("sojourn_router_tombstones", 1);
    // Begun later, and patient for as long as a turn's own close is: so the first was longer.
    HttpResponse<String> impatient = gateway.send("DELETE", "/v1/sessions/b", "");
    assertThat(TestGateway.json(impatient.body()).path("tokens_freed").asString())
        .isEqualTo("pending");
    runner.release();
    JsonNode closed = TestGateway.json(waits.get().body());
    assertThat(closed.path("tokens_freed").isNumber()).as(closed.toString()).isTrue();
    assertThat(busy.get().statusCode()).isEqualTo(200);
  }

  @Test
  void prompt_ofTooManyIds_isRefusedBeforeItsTurnComes() throws Exception {
    runner.hold();
    CompletableFuture<HttpResponse<String>> first = send(session("'action': 'open',"));
    runner.awaitStep();
    String ids = "[" + "5,".repeat(TestGateway.CONTEXT) + "5]";
    String body = "{'model': '" + MODEL + "', 'prompt': " + ids + ", " + session("") + "}";
    HttpResponse<String> tooLong = gateway.send("POST", "/v1/completions", body.replace('\'', '"'));
    assertThat(tooLong.statusCode()).isEqualTo(400);
    runner.release();
    assertThat(first.get().statusCode()).isEqualTo(200);
  }

  @Test
  void gateway_thatCloses_endsRunningTurnsWithAnErrorAndReleasesEverything() throws Exception {
    try (TestGateway other = new TestGateway(dir, 1, config -> config);
        RawClient client = new RawClient(other.address())) {
      GatedRunner held = other.runners.getFirst();
      held.hold(); // from the first step on: the model could end its answer at any other
      client.post(
          CHAT, chat("Hi", "'max_tokens': 300, 'stream': true, 'seed': 1, 'ignore_eos': true"));
      for (int i = 0; i < 3; i++) {
        held.awaitStep();
        held.step();
      }
      client.lineWith("data:");
      held.awaitStep();
      held.holdUntilAsked(); // so the answer cannot end before the gateway cancels it
      CompletableFuture<Void> closed = CompletableFuture.runAsync(other::stop);
      assertThat(client.lineWith("\"error\"")).contains("shutting down");
      closed.get();
    }
  }

  /** Has two turns, and gives up a regeneration of the first; returns the second one's answer. */
  private JsonNode giveUpARegeneration() throws Exception {
    gateway.post(CHAT, chat("Hi", "'max_tokens': 6, " + session("'action': 'open',")));
    JsonNode second =
        gateway.post(CHAT, chat("Go on", "'max_tokens': 6, " + session("'input': 'delta',")));
    runner.hold();
    try (RawClient client = new RawClient(gateway.address())) {
      client.post(CHAT, chat("Hi", "'max_tokens': 100, 'ignore_eos': true, " + session("")));
      runner.awaitStep();
    }
    awaitAborted(1);
    runner.release();
    return second;
  }

  /** Waits until so many turns were aborted; the worker lets go of a turn between two steps. */
  private void awaitAborted(int turns) throws Exception {
    runner.holdUntilAsked(); // so the answer cannot end before the gateway cancels it
    awaitMetric("sojourn_router_aborted_turns_total", turns);
  }

  private void awaitMetric(String name, double value) throws Exception {
    awaitMetric(gateway, name, value);
  }

  private static void awaitMetric(TestGateway gateway, String name, double value) throws Exception {
    long giveUp = System.nanoTime() + Duration.ofSeconds(20).toNanos();
    while (gateway.metric(name) != value) {
      assertThat(System.nanoTime()).as("waiting for " + name + " = " + value).isLessThan(giveUp);
      Thread.onSpinWait();
    }
  }

  private CompletableFuture<HttpResponse<String>> send(String fields) {
    return async(() -> gateway.send("POST", CHAT, chat("First", "'max_tokens': 6, " + fields)));
  }

  private interface Call<T> {
    T call() throws Exception;
  }

  private static <T> CompletableFuture<T> async(Call<T> call) {
    return CompletableFuture.supplyAsync(() -> {
      try {
        return call.call();
      } catch (Exception e) {
        throw new AssertionError(e);
      }
    });
  }

  private static GatewayConfig withOneAtATime(GatewayConfig c) {
    EngineConfig e = c.engine();
    return new GatewayConfig(
        c.http(),
        new EngineConfig(
            1,
            e.prefillChunk(),
            e.maxWaiting(),
            e.maxSessions(),
            e.reserve(),
            e.sessionKvFraction(),
            e.eviction(),
            e.retention()),
        c.apiKeys(),
        c.implicitSessions(),
        c.identity(),
        c.maxConcurrent(),
        c.transcriptBytes(),
        c.parsers(),
        c.drain());
  }

  private static GatewayConfig withTwoGenerations(GatewayConfig c) {
    return new GatewayConfig(
        c.http(),
        c.engine(),
        c.apiKeys(),
        c.implicitSessions(),
        c.identity(),
        2,
        c.transcriptBytes(),
        c.parsers(),
        c.drain());
  }

  private static String session(String control) {
    return "'nvext': {'session_control': {" + control + " 'session_id': 's'}}";
  }

  private static String chat(String content, String fields) {
    return ("{'model': '"
            + MODEL
            + "', 'messages': [{'role': 'user', 'content': '"
            + content
            + "'}], "
            + fields
            + "}")
        .replace('\'', '"');
  }
}
