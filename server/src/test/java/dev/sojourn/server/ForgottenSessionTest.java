package dev.sojourn.server;

import static dev.sojourn.server.TestFleet.SESSION;
import static dev.sojourn.server.TestFleet.answered;
import static dev.sojourn.server.TestFleet.context;
import static dev.sojourn.server.TestFleet.session;
import static dev.sojourn.server.TestFleet.user;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.router.BindingView;
import dev.sojourn.router.Router;
import dev.sojourn.router.RouterStats;
import dev.sojourn.server.http.RawClient;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Sessions of which a gateway has forgotten all or much, and whose engine session is gone as well:
 * no turn is answered over less than was said, and no side request is taken for the conversation.
 * Two workers with real engines; the second gateway has never seen the session.
 */
@Timeout(60)
@NullUnmarked // the fleet is started before each test
final class ForgottenSessionTest {

  private static final String DELTA = "'input': 'delta', ";
  private static final String FIRST = user("Remember the sea.");
  private static final String TITLE = user("Name this conversation.");

  @TempDir static Path dir;
  private TestFleet fleet;

  /** How a session's engine session goes. */
  enum Loss {
    CLOSED_BY_ITS_ENGINE,
    ON_A_RANK_THAT_DRAINS,
    ON_A_RANK_THAT_LEFT,
    ON_A_RANK_THAT_DIED;

    /** Returns whether the engine still tells what was said. */
    boolean leavesARecord() {
      return this == ON_A_RANK_THAT_DRAINS || this == ON_A_RANK_THAT_LEFT;
    }
  }

  @BeforeEach
  void start() throws Exception {
    fleet = new TestFleet(dir, 2, keeper -> keeper);
  }

  @AfterEach
  void nothingIsHeld() throws Exception {
    answered(fleet.send(0, "'action': 'close', ", user("Bye.")));
    fleet.expectNothingHeld();
    fleet.close();
  }

  @ParameterizedTest
  @EnumSource(Loss.class)
  void delta_behindAWholePromptThatWasRefused_isContextLost(Loss loss) throws Exception {
    JsonNode opened = fleet.turn("'action': 'open', ", "Remember the sea.");
    WorkerRank home = lose(loss);
    if (loss.leavesARecord()) {
      JsonNode next = answered(fleet.send(1, DELTA, user("What was it?")));
      assertThat(context(next)).startsWith(context(opened).toArray(Integer[]::new));
      return;
    }
    HttpResponse<String> refused = fleet.send(1, "", user("many words ".repeat(400)));
    assertThat(refused.statusCode()).as(refused.body()).isEqualTo(400);
    expectContextLost(fleet.send(1, DELTA, user("What was it?")));
    String fork = "'action': 'open', 'parent': 's', ";
    expectContextLost(fleet.send(1, "c", fork + DELTA, user("What was it?")));
    expectContextLost(fleet.post(1, "/v1/sessions/s/fork", "'session_id': 'c'"));
    JsonNode next = fleet.turn(DELTA, "What was it?"); // where it is remembered
    assertThat(context(next)).startsWith(context(opened).toArray(Integer[]::new));
    fleet.assertSameAsStateless(next);
    fleet.routers.forEach(router -> router.removeRank(home));
  }

  @Test
  void delta_behindAWholePromptThatWasGivenUp_isContextLost() throws Exception {
    JsonNode opened = fleet.turn("'action': 'open', ", "Remember the sea.");
    lose(Loss.CLOSED_BY_ITS_ENGINE);
    String life = fleet.binding().incarnation().toString();
    GatedRunner runner = fleet.homeRunner();
    runner.hold();
    String whole = FIRST + ", " + echo(opened) + ", " + user("And the sand.");
    try (RawClient client = new RawClient(fleet.address(1))) {
      client.post("/v1/chat/completions", turn("", whole));
      while (fleet.binding().incarnation().toString().equals(life)) {
        Thread.onSpinWait();
      }
      runner.awaitStep();
      runner.holdUntilAsked(); // its cancel, before it is over
    }
    while (underWay()) {
      Thread.onSpinWait();
    }
    runner.release();
    expectContextLost(fleet.send(1, DELTA, user("What was it?")));
    expectContextLost(fleet.send(0, DELTA, user("What was it?")));
    JsonNode again = answered(fleet.send(1, "", whole));
    assertThat(session(again).path("mode").asString()).isEqualTo("opened");
    JsonNode next = answered(fleet.send(1, DELTA, user("What was it?")));
    assertThat(context(next)).startsWith(context(again).toArray(Integer[]::new));
  }

  /** What is known of it is what its engine held when the gateway had forgotten it. */
  @ParameterizedTest
  @EnumSource(Loss.class)
  void sideRequest_ofASessionThatIsHalfForgotten_isNotTakenForIt(Loss loss) throws Exception {
    fleet.turn("'action': 'open', ", "Remember the sea.");
    forget();
    JsonNode last = fleet.turn(DELTA, "And the sand.");
    WorkerRank home = lose(loss);
    JsonNode title = answered(fleet.send(0, "", TITLE));
    assertThat(session(title).path("mode").asString()).isEqualTo("aside");
    fleet.assertSameAsStateless(title);
    JsonNode next = fleet.turn(DELTA, "What was it?");
    assertThat(session(next).path("mode").asString()).isEqualTo("opened");
    assertThat(context(next)).startsWith(context(last).toArray(Integer[]::new));
    fleet.assertSameAsStateless(next);
    fleet.routers.forEach(router -> router.removeRank(home));
  }

  @ParameterizedTest
  @EnumSource(Loss.class)
  void wholePrompt_ofASessionThatIsHalfForgotten_goesOnElsewhere(Loss loss) throws Exception {
    JsonNode first = fleet.turn("'action': 'open', ", "Remember the sea.");
    forget();
    JsonNode last = fleet.turn(DELTA, "And the sand.");
    WorkerRank home = lose(loss);
    String said = FIRST + ", " + echo(first) + ", " + user("And the sand.") + ", " + echo(last);
    JsonNode whole = answered(fleet.send(0, "", said + ", " + user("What was it?")));
    assertThat(session(whole).path("mode").asString()).isEqualTo("opened");
    fleet.assertSameAsStateless(whole);
    JsonNode next = fleet.turn(DELTA, "And then?");
    assertThat(session(next).path("mode").asString()).isEqualTo("append");
    assertThat(context(next)).startsWith(context(whole).toArray(Integer[]::new));
    fleet.routers.forEach(router -> router.removeRank(home));
  }

  @ParameterizedTest
  @EnumSource(
      value = Loss.class,
      names = {"CLOSED_BY_ITS_ENGINE", "ON_A_RANK_THAT_DIED"}) // else it is known by half
  void sideRequest_ofASessionThatIsAllForgotten_isNotTakenForIt(Loss loss) throws Exception {
    JsonNode first = fleet.turn("'action': 'open', ", "Remember the sea.");
    forget();
    WorkerRank home = lose(loss);
    JsonNode title = answered(fleet.send(0, "", TITLE));
    assertThat(session(title).path("mode").asString()).isEqualTo("aside");
    expectContextLost(fleet.send(0, DELTA, user("What was it?")));
    String said = FIRST + ", " + echo(first) + ", " + user("And the sand.");
    JsonNode whole = answered(fleet.send(0, "", said));
    assertThat(session(whole).path("mode").asString()).isEqualTo("opened");
    JsonNode next = fleet.turn(DELTA, "What was it?");
    assertThat(context(next)).startsWith(context(whole).toArray(Integer[]::new));
    fleet.assertSameAsStateless(next);
    fleet.routers.forEach(router -> router.removeRank(home));
  }

  /** Its engine holds nothing, and says so. */
  @Test
  void firstTurn_behindOneThatWasGivenUpAtAnotherGateway_isOne() throws Exception {
    fleet.runners.forEach(GatedRunner::hold);
    try (RawClient client = new RawClient(fleet.address(0))) {
      client.post("/v1/chat/completions", turn("'action': 'open', ", FIRST));
      while (!isBound()) {
        Thread.onSpinWait();
      }
      fleet.runners.forEach(GatedRunner::holdUntilAsked); // its cancel, before it is over
    }
    while (underWay()) {
      Thread.onSpinWait();
    }
    fleet.runners.forEach(GatedRunner::release);
    JsonNode first = answered(fleet.send(1, "", user("Plan a walk.")));
    assertThat(session(first).path("mode").asString()).isEqualTo("opened");
    JsonNode next = answered(fleet.send(1, DELTA, user("A long one.")));
    assertThat(context(next)).startsWith(context(first).toArray(Integer[]::new));
  }

  private static void expectContextLost(HttpResponse<String> response) {
    assertThat(response.statusCode()).as(response.body()).isEqualTo(409);
    assertThat(TestGateway.json(response.body()).path("error").path("code").asString())
        .isEqualTo("context_lost");
  }

  /** Lets the first gateway forget what was said. */
  private void forget() {
    fleet.transcripts.getFirst().remove(SESSION, fleet.binding().incarnation());
  }

  /** Loses the engine session; returns where it was. */
  private WorkerRank lose(Loss loss) throws Exception {
    WorkerRank home = fleet.binding().target().orElseThrow();
    switch (loss) {
      case CLOSED_BY_ITS_ENGINE ->
          fleet.home().close(SESSION, fleet.binding().incarnation(), OnClose.FREE).get();
      case ON_A_RANK_THAT_DRAINS ->
          fleet.routers.forEach(router -> router.drainWorker(home.worker()));
      case ON_A_RANK_THAT_LEFT -> fleet.routers.forEach(router -> router.removeRank(home));
      case ON_A_RANK_THAT_DIED -> fleet.home().close();
    }
    return home;
  }

  private boolean isBound() {
    return fleet.routers.getFirst().binding(SESSION).flatMap(BindingView::target).isPresent();
  }

  private boolean underWay() {
    return fleet.routers.stream()
        .map(Router::stats)
        .mapToLong(ForgottenSessionTest::running)
        .anyMatch(turns -> turns != 0);
  }

  private static long running(RouterStats stats) {
    return stats.leasesTaken() - stats.leasesReturned();
  }

  private static String turn(String control, String messages) {
    String fields =
        "'messages': [%s], 'nvext': {'session_control': {%s'session_id': 's'}}"
            .formatted(messages, control);
    return "{'model': '%s', 'max_tokens': 100, 'ignore_eos': true, %s}"
        .formatted(TestGateway.MODEL, fields)
        .replace('\'', '"');
  }

  /** Returns an answer as the message in which a client sends it back. */
  private static String echo(JsonNode answer) {
    String content = answer.path("choices").get(0).path("message").path("content").asString();
    String quoted = JsonMapper.shared().writeValueAsString(content).replace("'", "\\u0027");
    return "{'role': 'assistant', 'content': " + quoted + "}";
  }
}
