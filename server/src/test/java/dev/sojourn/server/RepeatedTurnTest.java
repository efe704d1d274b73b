package dev.sojourn.server;

import static dev.sojourn.server.TestGateway.MODEL;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.server.http.RawClient;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/** Delta turns that are sent once more, because their client never saw the answer. */
@Timeout(60)
@NullUnmarked // the gateway is started before each test
final class RepeatedTurnTest {

  private static final String CHAT = "/v1/chat/completions";
  private static final String TEXT = "/v1/completions";
  private static final String IDS = "'extra_fields': ['prompt_token_ids', 'completion_token_ids']";

  @TempDir static Path dir;
  private TestGateway gateway;
  private GatedRunner runner;

  @BeforeEach
  void start() throws Exception {
    gateway = new TestGateway(dir, 1, config -> config);
    runner = gateway.runners.getFirst();
  }

  @AfterEach
  void nothingIsHeld() throws Exception {
    runner.release();
    gateway.send("DELETE", "/v1/sessions/s?wait=true", "");
    gateway.expectNothingHeld();
    gateway.close();
  }

  @ParameterizedTest
  @CsvSource({"true, false", "true, true", "false, false", "false, true"})
  void delta_sentAgain_isAnsweredWithTheSameAnswer(boolean chat, boolean logprobs)
      throws Exception {
    int tip = open(chat);
    String fields = logprobs ? (chat ? "'logprobs': true, " : "'logprobs': 1, ") : "";
    String again = delta(chat, "And the sand.", fields, tip);
    JsonNode first = gateway.post(path(chat), again);
    double sampled = gateway.metric("sojourn_engine_sampled_tokens_total");
    JsonNode second = gateway.post(path(chat), again);
    assertThat(second.path("choices")).isEqualTo(first.path("choices"));
    assertThat(second.path("usage")).isEqualTo(first.path("usage"));
    assertThat(second.path("id")).isNotEqualTo(first.path("id"));
    for (String same : List.of("seed", "prompt_token_ids", "completion_token_ids")) {
      assertThat(second.path("nvext").path(same)).isEqualTo(first.path("nvext").path(same));
    }
    assertThat(session(first).has("repeated")).isFalse();
    assertThat(session(second).path("repeated").asBoolean()).isTrue();
    assertThat(session(second).path("mode").asString()).isEqualTo("append");
    assertThat(session(second).path("held_tokens")).isEqualTo(session(first).path("held_tokens"));
    String stream = again.replace("{\"model\"", "{\"stream\": true, \"model\"");
    assertSays(gateway.stream(path(chat), stream), first, chat);
    assertThat(gateway.metric("sojourn_engine_sampled_tokens_total")).isEqualTo(sampled);
    assertThat(gateway.get("/v1/sessions/s").path("turns").asInt()).isEqualTo(2);
  }

  @Test
  void delta_sentAgainWhileTheFirstRuns_waitsAndGetsItsAnswer() throws Exception {
    String again = delta(true, "And the sand.", "", open(true));
    runner.hold();
    CompletableFuture<JsonNode> first = async(again);
    runner.awaitStep();
    CompletableFuture<JsonNode> second = async(again);
    awaitMetric("sojourn_router_waiting_turns", 1);
    runner.release();
    assertThat(second.get().path("choices")).isEqualTo(first.get().path("choices"));
    assertThat(session(second.get()).path("repeated").asBoolean()).isTrue();
  }

  @Test
  void delta_sentAgainAfterAnAbort_runs() throws Exception {
    String again = delta(true, "And the sand.", "", open(true));
    runner.hold();
    try (RawClient client = new RawClient(gateway.address())) {
      client.post(CHAT, again);
      runner.awaitStep();
    }
    long giveUp = System.nanoTime() + Duration.ofSeconds(20).toNanos();
    while (gateway.metric("sojourn_router_aborted_turns_total") != 1) {
      assertThat(System.nanoTime()).isLessThan(giveUp);
      runner.step();
    }
    runner.release();
    JsonNode answer = gateway.post(CHAT, again);
    assertThat(session(answer).has("repeated")).isFalse();
    assertThat(gateway.get("/v1/sessions/s").path("turns").asInt()).isEqualTo(2);
  }

  @Test
  void delta_sentAgainWithOtherWordsOrOptions_isAConflict() throws Exception {
    int tip = open(true);
    JsonNode first = gateway.post(CHAT, delta(true, "And the sand.", "'seed': 5, ", tip));
    for (String other :
        List.of(
            delta(true, "And the wind.", "'seed': 5, ", tip),
            delta(true, "And the sand.", "'seed': 6, ", tip),
            delta(true, "And the sand.", "'seed': 5, 'top_p': 0.5, ", tip))) {
      HttpResponse<String> refused = gateway.send("POST", CHAT, other);
      assertThat(refused.statusCode()).isEqualTo(409);
      JsonNode error = TestGateway.json(refused.body()).path("error");
      assertThat(error.path("code").asString()).isEqualTo("tip_mismatch");
      assertThat(error.path("observed").path("tip")).isEqualTo(session(first).path("held_tokens"));
    }
    JsonNode unseeded = gateway.post(CHAT, delta(true, "And the sand.", "", tip));
    assertThat(unseeded.path("choices")).isEqualTo(first.path("choices"));
    assertThat(unseeded.path("nvext").path("seed").asInt()).isEqualTo(5);
  }

  @Test
  void delta_sentAgainAfterAnotherTurn_isAConflict() throws Exception {
    int tip = open(true);
    String again = delta(true, "And the sand.", "", tip);
    JsonNode first = gateway.post(CHAT, again);
    gateway.post(CHAT, delta(true, "More.", "", session(first).path("held_tokens").asInt()));
    assertThat(gateway.send("POST", CHAT, again).statusCode()).isEqualTo(409);
  }

  private int open(boolean chat) throws Exception {
    String said = chat ? messages("Remember the sea.") : "'prompt': 'Remember the sea.'";
    JsonNode answer = gateway.post(path(chat), body(said, "", "'action': 'open'"));
    return session(answer).path("held_tokens").asInt();
  }

  private static String delta(boolean chat, String said, String fields, int tip) {
    return body(
        chat ? messages(said) : "'prompt': '" + said + "'",
        fields,
        "'input': 'delta', 'expected_tip': " + tip);
  }

  private static String messages(String said) {
    return "'messages': [{'role': 'user', 'content': '" + said + "'}]";
  }

  private static String body(String said, String fields, String control) {
    return ("{'model': '"
            + MODEL
            + "', 'max_tokens': 7, 'temperature': 0.9, "
            + fields
            + said
            + ", 'nvext': {"
            + IDS
            + ", 'session_control': {'session_id': 's', "
            + control
            + "}}}")
        .replace('\'', '"');
  }

  /** Compares a stream with a whole answer. */
  private static void assertSays(List<JsonNode> events, JsonNode whole, boolean chat) {
    StringBuilder text = new StringBuilder();
    List<JsonNode> told = new ArrayList<>();
    List<Integer> offsets = new ArrayList<>();
    String finish = "";
    for (JsonNode event : events) {
      JsonNode choice = event.path("choices").path(0);
      JsonNode more = chat ? choice.path("delta").path("content") : choice.path("text");
      text.append(more.asString(""));
      choice.path("logprobs").path(chat ? "content" : "tokens").forEach(told::add);
      choice.path("logprobs").path("text_offset").forEach(offset -> offsets.add(offset.asInt()));
      finish = choice.path("finish_reason").asString(finish);
    }
    JsonNode choice = whole.path("choices").get(0);
    JsonNode said = chat ? choice.path("message").path("content") : choice.path("text");
    assertThat(text.toString()).isEqualTo(said.asString());
    assertThat(finish).isEqualTo(choice.path("finish_reason").asString());
    List<JsonNode> expected = new ArrayList<>();
    choice.path("logprobs").path(chat ? "content" : "tokens").forEach(expected::add);
    assertThat(told).isEqualTo(expected);
    List<Integer> expectedOffsets = new ArrayList<>();
    choice
        .path("logprobs")
        .path("text_offset")
        .forEach(offset -> expectedOffsets.add(offset.asInt()));
    assertThat(offsets).isEqualTo(expectedOffsets);
    assertThat(session(events.getLast()).path("repeated").asBoolean()).isTrue();
  }

  private CompletableFuture<JsonNode> async(String body) {
    return CompletableFuture.supplyAsync(() -> {
      try {
        return gateway.post(CHAT, body);
      } catch (Exception e) {
        throw new AssertionError(e);
      }
    });
  }

  private void awaitMetric(String name, double value) throws Exception {
    long giveUp = System.nanoTime() + Duration.ofSeconds(20).toNanos();
    while (gateway.metric(name) != value) {
      assertThat(System.nanoTime()).as("waiting for " + name + " = " + value).isLessThan(giveUp);
      Thread.onSpinWait();
    }
  }

  private static String path(boolean chat) {
    return chat ? CHAT : TEXT;
  }

  private static JsonNode session(JsonNode answer) {
    return answer.path("nvext").path("session");
  }
}
