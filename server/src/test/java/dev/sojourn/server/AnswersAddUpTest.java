package dev.sojourn.server;

import static dev.sojourn.server.TestFleet.answered;
import static dev.sojourn.server.TestFleet.context;
import static dev.sojourn.server.TestFleet.session;
import static dev.sojourn.server.TestFleet.user;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.core.ManualClock;
import dev.sojourn.core.SessionControl.OnClose;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Turns of every mode: what an answer says was reused, computed and lost adds up, has the cause
 * that it has, and is what the session's account comes to.
 */
@Timeout(60)
@NullUnmarked // the fleet is started before each test
final class AnswersAddUpTest {

  private static final String DELTA = "'input': 'delta', ";
  private static final String FORK = "'action': 'open', 'parent': 's', ";

  @TempDir static Path dir;
  private final ManualClock clock = new ManualClock();
  private final Map<String, Sum> sums = new HashMap<>();
  private TestFleet fleet;

  /** What the answers of a session came to, and the ids that it holds. */
  private static final class Sum {
    List<Integer> held = List.of();
    long reused;
    long computed;
    final Map<String, Long> lost = new TreeMap<>();
    final Map<String, Long> modes = new TreeMap<>();
  }

  @BeforeEach
  void start() throws Exception {
    fleet = new TestFleet(dir, 1, keeper -> keeper, clock);
  }

  @AfterEach
  void nothingIsHeld() throws Exception {
    for (String name : List.of("c", "d", "e", "s")) {
      answered(fleet.send(0, name, "'action': 'close', ", user("Bye.")));
    }
    fleet.expectNothingHeld();
    fleet.close();
  }

  @Test
  void conversation_thatGoesOnRewindsAndStandsAside_addsUp() throws Exception {
    String first = user("Remember the sea.");
    JsonNode opened = send("s", "'action': 'open', ", first, "opened", "");
    send("s", DELTA, user("And the sand."), "append", "");
    String whole = first + ", " + echo(opened) + ", " + user("No: the wind, and only the wind.");
    JsonNode rewound = send("s", "", whole, "rewind", "");
    whole += ", " + echo(rewound) + ", " + user("Why?");
    send("s", "", whole, "append", "");
    send("s", "", user("Name this conversation."), "aside", "");
    send("s", DELTA, user("And then?"), "append", "");
    send("s", "'action': 'open', ", user("Something else."), "rewind", "");
  }

  @Test
  void forks_tellWhatOfTheirParentIsOfNoUse() throws Exception {
    String first = user("Remember the sea.");
    JsonNode opened = send("s", "'action': 'open', ", first, "opened", "");
    send("s", DELTA, user("And the sand."), "append", "");
    fork("c", FORK + DELTA, user("What was it?"), "fork", "");
    send("c", DELTA, user("And then?"), "append", "");
    String part = first + ", " + echo(opened) + ", " + user("And the wind.");
    fork("d", FORK, part, "rewind", "");
    fork("e", FORK, user("Something else."), "rewind", "");
    send("s", DELTA, user("Go on."), "append", "");
  }

  @Test
  void forks_whoseParentsRankDrains_tellThatTheyBeginElsewhere() throws Exception {
    String first = user("Remember the sea.");
    JsonNode opened = send("s", "'action': 'open', ", first, "opened", "");
    send("s", DELTA, user("And the sand."), "append", "");
    fleet.routers.getFirst().drainWorker(fleet.binding().target().orElseThrow().worker());
    fork("c", FORK + DELTA, user("What was it?"), "opened", "moved");
    assertThat(sums.get("c").lost).containsOnlyKeys("moved");
    send("c", DELTA, user("And then?"), "append", "");
    String part = first + ", " + echo(opened) + ", " + user("And the wind.");
    fork("d", FORK, part, "opened", "moved");
    assertThat(sums.get("d").lost).containsKey("diverged");
    send("d", DELTA, user("And then?"), "append", "");
    HttpResponse<String> forked = fleet.post(0, "/v1/sessions/s/fork", "'session_id': 'e'");
    assertThat(forked.statusCode()).as(forked.body()).isEqualTo(201);
    fork("e", DELTA, user("Go on with the sea."), "opened", "moved");
    send("s", DELTA, user("Then you move, too."), "opened", "moved");
  }

  @Test
  void fork_whoseParentsWorkerIsGone_tellsThat() throws Exception {
    send("s", "'action': 'open', ", user("Remember the sea."), "opened", "");
    fleet.routers.getFirst().removeRank(fleet.binding().target().orElseThrow());
    fork("c", FORK + DELTA, user("What was it?"), "opened", "worker_lost");
    assertThat(sums.get("c").lost).containsOnlyKeys("worker_lost");
  }

  @Test
  void fork_whoseParentsEngineLostIt_tellsThat() throws Exception {
    send("s", "'action': 'open', ", user("Remember the sea."), "opened", "");
    fleet.home().close(TestFleet.SESSION, fleet.binding().incarnation(), OnClose.FREE).get();
    fork("c", FORK + DELTA, user("What was it?"), "opened", "worker_lost");
    assertThat(sums.get("c").lost).containsOnlyKeys("worker_lost");
    HttpResponse<String> forked = fleet.post(0, "/v1/sessions/s/fork", "'session_id': 'd'");
    assertThat(forked.statusCode()).as(forked.body()).isEqualTo(201);
    fork("d", DELTA, user("Go on with the sea."), "opened", "worker_lost");
    assertThat(sums.get("d").lost).containsOnlyKeys("worker_lost");
  }

  @Test
  void fork_ofASessionByAffinityAlone_hasLostNothing() throws Exception {
    answered(fleet.send(0, "s", "'action': 'bind', ", user("Remember the sea.")));
    sums.put("s", new Sum()); // no engine holds it
    fork("c", FORK, user("Something else."), "opened", "");
    send("c", DELTA, user("And then?"), "append", "");
  }

  @Test
  void sessionThatMoves_withAnotherEnd_tellsBothCauses() throws Exception {
    String first = user("Remember the sea.");
    JsonNode opened = send("s", "'action': 'open', ", first, "opened", "");
    send("s", DELTA, user("And the sand."), "append", "");
    fleet.routers.getFirst().drainWorker(fleet.binding().target().orElseThrow().worker());
    String whole = first + ", " + echo(opened) + ", " + user("And the wind.");
    send("s", "", whole, "opened", "moved");
    assertThat(sums.get("s").lost).containsOnlyKeys("diverged", "moved");
  }

  @Test
  void sessionThatItsEngineLost_asideAndThenOn_tellsItOnce() throws Exception {
    send("s", "'action': 'open', ", user("Remember the sea."), "opened", "");
    send("s", DELTA, user("And the sand."), "append", "");
    fleet.home().close(TestFleet.SESSION, fleet.binding().incarnation(), OnClose.FREE).get();
    send("s", "", user("Name this conversation."), "aside", "");
    send("s", DELTA, user("What was it?"), "opened", "worker_lost");
    send("s", DELTA, user("And then?"), "append", "");
  }

  /** What a turn of a tree goes on from is reused; nothing is lost where branches part. */
  @Test
  void turnsOfATree_addUp() throws Exception {
    fleet.post(0, "/open_session", "'session_id': 'e', 'capacity_of_str_len': 1000");
    JsonNode root = inTree("Remember the sea.", "", List.of());
    String rid = ", 'rid': '" + root.path("id").asString() + "'";
    inTree("And the sand.", rid, context(root));
    inTree("And the wind.", rid, context(root));
    inTree("Something else.", "", List.of());
    fleet.post(0, "/close_session", "'session_id': 'e'");
  }

  private JsonNode inTree(String text, String rid, List<Integer> base) throws Exception {
    JsonNode answer =
        answered(
            fleet.post(
                0,
                "/v1/completions",
                "'prompt': '%s', 'nvext': {'extra_fields': ['prompt_token_ids', 'completion_token_ids']}, 'session_params': {'id': 'e'%s}"
                    .formatted(text, rid)));
    JsonNode told = session(answer);
    Sum sum = sums.computeIfAbsent("e", _ -> new Sum());
    int reused = told.path("reused_tokens").asInt();
    int prompt = answer.path("usage").path("prompt_tokens").asInt();
    assertThat(reused + told.path("computed_tokens").asInt()).isEqualTo(prompt);
    assertThat(reused).isGreaterThanOrEqualTo(base.size() - 1);
    assertThat(context(answer).subList(0, base.size())).isEqualTo(base);
    assertThat(told.has("losses")).as("%s", told).isFalse();
    sum.reused += reused;
    sum.computed += prompt - reused;
    sum.modes.merge(told.path("mode").asString(), 1L, Long::sum);
    JsonNode shown = fleet.shown("e");
    assertThat(shown.path("reused_tokens").asLong()).isEqualTo(sum.reused);
    assertThat(shown.path("computed_tokens").asLong()).isEqualTo(sum.computed);
    assertThat(longs(shown.path("turns_by_mode"))).isEqualTo(sum.modes);
    return answer;
  }

  @Test
  void sessionThatExpired_tellsWhatItHeld() throws Exception {
    String first = user("Remember the sea.");
    JsonNode opened = send("s", "'action': 'open', 'timeout': 60, ", first, "opened", "");
    clock.advance(Duration.ofSeconds(61));
    List<Integer> before = sums.remove("s").held;
    sums.computeIfAbsent("s", _ -> new Sum()).held = before;
    String whole = first + ", " + echo(opened) + ", " + user("And the sand.");
    send("s", "", whole, "opened", "expired");
  }

  /** Sends the first turn of a session that starts with what {@code s} holds. */
  private void fork(String name, String control, String messages, String mode, String cause)
      throws Exception {
    Sum sum = new Sum();
    sum.held = sums.get("s").held;
    sums.put(name, sum);
    send(name, control, messages, mode, cause);
  }

  /**
   * Sends a turn and checks its numbers.
   *
   * @param cause of what was lost though the prompt shares it; empty for none
   */
  private JsonNode send(String name, String control, String messages, String mode, String cause)
      throws Exception {
    JsonNode answer = answered(fleet.send(0, name, control, messages));
    JsonNode told = session(answer);
    assertThat(told.path("mode").asString()).isEqualTo(mode);
    Sum sum = sums.computeIfAbsent(name, _ -> new Sum());
    int prompt = answer.path("usage").path("prompt_tokens").asInt();
    int reused = told.path("reused_tokens").asInt();
    assertThat(answer.path("usage").path("prompt_tokens_details").path("cached_tokens").asInt())
        .isEqualTo(reused);
    assertThat(reused + told.path("computed_tokens").asInt()).isEqualTo(prompt);
    expectLosses(sum, answer, cause);
    sum.reused += reused;
    sum.computed += prompt - reused;
    sum.modes.merge(mode, 1L, Long::sum);
    if (!mode.equals("aside")) {
      sum.held = context(answer);
    }
    expectAccount(name, sum);
    return answer;
  }

  /** What the session had held and shares with the prompt is reused, or lost with a cause. */
  private static void expectLosses(Sum sum, JsonNode answer, String cause) {
    JsonNode told = session(answer);
    int reused = told.path("reused_tokens").asInt();
    int prompt = reused + told.path("computed_tokens").asInt();
    Map<String, Integer> losses = new TreeMap<>();
    told.path("losses")
        .forEach(loss -> losses.put(loss.path("cause").asString(), loss.path("tokens").asInt()));
    assertThat(losses.keySet()).as("%s", told).isSubsetOf("diverged", cause);
    losses.forEach((why, tokens) -> sum.lost.merge(why, (long) tokens, Long::sum));
    if (told.path("mode").asString().equals("aside")) {
      assertThat(losses).isEmpty();
      return;
    }
    List<Integer> ids = context(answer).subList(0, prompt);
    int held = Math.max(0, sum.held.size() - 1); // the last token was sampled, and has no KV
    int common = 0;
    while (common < Math.min(ids.size(), sum.held.size())
        && ids.get(common).equals(sum.held.get(common))) {
      common++;
    }
    int diverged = losses.getOrDefault("diverged", 0);
    int others = losses.values().stream().mapToInt(tokens -> tokens).sum() - diverged;
    int of = Math.min(Math.min(held, common), prompt - 1);
    assertThat(others).as("%s", told).isEqualTo(Math.max(0, of - reused));
    if (!losses.containsKey("expired")) { // what that said is not known any more
      assertThat(diverged).as("%s", told).isEqualTo(Math.max(0, held - common));
    }
  }

  private void expectAccount(String name, Sum sum) throws Exception {
    JsonNode shown = fleet.shown(name);
    assertThat(shown.path("reused_tokens").asLong()).isEqualTo(sum.reused);
    assertThat(shown.path("computed_tokens").asLong()).isEqualTo(sum.computed);
    assertThat(shown.path("tokens").asInt(sum.held.size())).isEqualTo(sum.held.size());
    assertThat(longs(shown.path("lost"))).isEqualTo(sum.lost);
    assertThat(longs(shown.path("turns_by_mode"))).isEqualTo(sum.modes);
  }

  private static Map<String, Long> longs(JsonNode object) {
    Map<String, Long> longs = new TreeMap<>();
    object.properties().forEach(entry -> longs.put(entry.getKey(), entry.getValue().asLong()));
    return longs;
  }

  private static String echo(JsonNode answer) {
    String content = answer.path("choices").get(0).path("message").path("content").asString();
    String quoted = JsonMapper.shared().writeValueAsString(content).replace("'", "\\u0027");
    return "{'role': 'assistant', 'content': " + quoted + "}";
  }
}
