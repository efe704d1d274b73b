package dev.sojourn.server;

import static dev.sojourn.server.TestFleet.SESSION;
import static dev.sojourn.server.TestFleet.context;
import static dev.sojourn.server.TestFleet.session;
import static dev.sojourn.server.TestFleet.user;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.core.WorkerRank;
import dev.sojourn.server.http.RawClient;
import java.nio.file.Path;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Sessions whose worker dies, in the middle of an answer or between two turns. */
@Timeout(60)
@NullUnmarked // the fleet is started before each test
final class DyingWorkerTest {

  @TempDir static Path dir;
  private TestFleet fleet;

  @BeforeEach
  void start() throws Exception {
    fleet = new TestFleet(dir, 1, keeper -> keeper);
  }

  @AfterEach
  void nothingIsHeld() throws Exception {
    fleet.turn("'action': 'close', ", "Bye.");
    fleet.expectNothingHeld();
    fleet.close();
  }

  @Test
  void worker_thatDiesBetweenTwoTokens_isToldOf_andTheSameDeltaGoesOnElsewhere() throws Exception {
    fleet.turn("'action': 'open', ", "Remember the sea.");
    JsonNode before = fleet.turn("'input': 'delta', ", "And the sand.");
    WorkerRank dead = home();
    GatedRunner runner = fleet.homeRunner();
    String control =
        "'input': 'delta', 'expected_tip': %d, 'expected_digest': '%s', "
            .formatted(
                session(before).path("held_tokens").asInt(),
                session(before).path("digest").asString());
    runner.hold();
    try (RawClient client = new RawClient(fleet.address(0))) {
      client.post("/v1/chat/completions", streamed(control, "What was it?"));
      for (int step = 0; step < 3; step++) {
        runner.awaitStep();
        runner.step();
      }
      client.lineWith("\"content\"");
      runner.awaitStep();
      runner.breakDown();
      runner.release();
      JsonNode error = TestGateway.json(client.lineWith("\"error\"").substring("data: ".length()));
      assertThat(error.path("error").path("message").asString()).contains("has died");
      assertThat(error.path("error").path("code").asString()).isEqualTo("unavailable");
    }
    JsonNode again = fleet.turn(control, "What was it?");
    assertThat(session(again).path("worker").asString()).isNotEqualTo(dead.worker().name());
    assertThat(session(again).path("mode").asString()).isEqualTo("opened");
    assertThat(session(again).path("lost_cause").asString()).isEqualTo("worker_lost");
    assertThat(context(again)).startsWith(context(before).toArray(Integer[]::new));
    fleet.assertSameAsStateless(again);
    JsonNode next = fleet.turn("'input': 'delta', ", "And then?");
    assertThat(session(next).path("mode").asString()).isEqualTo("append");
    assertThat(context(next)).startsWith(context(again).toArray(Integer[]::new));
    fleet.routers.getFirst().removeRank(dead);
  }

  @Test
  void sessionsOfADeadWorker_areListedBesideOthers() throws Exception {
    fleet.turn("'action': 'open', ", "Remember the sea.");
    WorkerRank dead = home();
    fleet.home().close();
    TestFleet.answered(fleet.send(0, "other", "'action': 'open', ", user("Plan a walk.")));
    assertThat(fleet.listed()).hasSize(2);
    for (JsonNode one : fleet.listed()) {
      boolean lost = one.path("id").asString().equals("s");
      assertThat(one.path("worker").asString().equals(dead.worker().name())).isEqualTo(lost);
      assertThat(one.path("worker_answers").asBoolean(true)).isEqualTo(!lost);
      assertThat(one.has("tokens")).isEqualTo(!lost);
      assertThat(one.path("state").asString()).isEqualTo("idle");
    }
    assertThat(fleet.shown("s").path("worker_answers").asBoolean(true)).isFalse();
    assertThat(fleet.shown("s").path("last_turn").path("mode").asString()).isEqualTo("opened");
    TestFleet.answered(fleet.send(0, "other", "'action': 'close', ", user("Bye.")));
    fleet.routers.getFirst().removeRank(dead);
  }

  private WorkerRank home() {
    return fleet.routers.getFirst().binding(SESSION).orElseThrow().target().orElseThrow();
  }

  private static String streamed(String control, String said) {
    String fields =
        "'messages': [%s], 'nvext': {'session_control': {%s'session_id': 's'}}"
            .formatted(user(said), control);
    return "{'model': '%s', 'max_tokens': 100, 'ignore_eos': true, 'stream': true, %s}"
        .formatted(TestGateway.MODEL, fields)
        .replace('\'', '"');
  }
}
