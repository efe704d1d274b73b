package dev.sojourn.server;

import static dev.sojourn.server.TestFleet.SESSION;
import static dev.sojourn.server.TestFleet.context;
import static dev.sojourn.server.TestFleet.session;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.engine.Engine;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/**
 * Sessions whose engine session is gone behind the router's back, over two workers with real
 * engines: what was said is computed again, and the client sees one slower turn.
 */
@Timeout(60)
@NullUnmarked // the fleet is started before each test
final class LostSessionTest {

  @TempDir static Path dir;
  private TestFleet fleet;

  @BeforeEach
  void start() throws Exception {
    fleet = new TestFleet(dir, 1, keeper -> keeper);
  }

  @AfterEach
  void nothingIsHeld() throws Exception {
    fleet.expectNothingHeld();
    fleet.close();
  }

  @Test
  void session_thatItsEngineClosed_isOpenedAnewAndReplayed() throws Exception {
    fleet.turn("'action': 'open', ", "Remember the sea.");
    fleet.turn("'input': 'delta', ", "And the sand.");
    String life = fleet.binding().incarnation().toString();
    String worker = home().worker().name();
    endInTheEngine();
    JsonNode session = expectReplay();
    assertThat(session.path("worker").asString()).isEqualTo(worker);
    assertThat(session.path("incarnation").asString()).isNotEqualTo(life);
    close(session.path("incarnation").asString());
  }

  @Test
  void session_whoseWorkerIsGone_isOpenedAndReplayedAtAnother() throws Exception {
    fleet.turn("'action': 'open', ", "Remember the sea.");
    fleet.turn("'input': 'delta', ", "And the sand.");
    String worker = home().worker().name();
    fleet.routers.getFirst().removeRank(home());
    JsonNode session = expectReplay();
    assertThat(session.path("worker").asString()).isNotEqualTo(worker);
    close(session.path("incarnation").asString());
  }

  /**
   * As Dynamo 7665, whose sessions stayed with a worker that was gone; its #10920 lost their id.
   */
  @Test
  void race08_sessionWhoseEngineEndedUnnoticed_goesElsewhereWithItsNextTurn() throws Exception {
    fleet.turn("'action': 'open', ", "Remember the sea.");
    fleet.turn("'input': 'delta', ", "And the sand.");
    WorkerRank dead = home();
    fleet.home().close();
    JsonNode session = expectReplay();
    assertThat(session.path("worker").asString()).isNotEqualTo(dead.worker().name());
    fleet.routers.getFirst().removeRank(dead);
    close(session.path("incarnation").asString());
  }

  @Test
  void session_whoseWorkerDrains_moves() throws Exception {
    fleet.turn("'action': 'open', ", "Remember the sea.");
    Engine old = fleet.home();
    fleet.routers.getFirst().drainWorker(home().worker());
    JsonNode session = session(fleet.turn("'input': 'delta', ", "And the sand."));
    assertThat(session.path("affinity").asString()).isEqualTo("moved");
    assertThat(session.path("lost_cause").asString()).isEqualTo("moved");
    close(session.path("incarnation").asString());
    // The old worker was told to release, and then has nothing left.
    while (old.stats().sessions() > 0) {
      Thread.onSpinWait();
    }
  }

  @Test
  void sideRequest_afterTheEngineClosedTheSession_isNotTakenForIt() throws Exception {
    fleet.turn("'action': 'open', ", "Remember the sea.");
    JsonNode last = fleet.turn("'input': 'delta', ", "And the sand.");
    endInTheEngine();
    expectAside(last);
  }

  @Test
  void sideRequest_afterTheWorkerWent_isNotTakenForTheSession() throws Exception {
    fleet.turn("'action': 'open', ", "Remember the sea.");
    JsonNode last = fleet.turn("'input': 'delta', ", "And the sand.");
    fleet.routers.getFirst().removeRank(home());
    expectAside(last);
  }

  @Test
  void sideRequest_whenTheWorkerDrains_isNotTakenForTheSession() throws Exception {
    fleet.turn("'action': 'open', ", "Remember the sea.");
    JsonNode last = fleet.turn("'input': 'delta', ", "And the sand.");
    fleet.routers.getFirst().drainWorker(home().worker());
    expectAside(last);
  }

  @Test
  void session_thatItsEngineClosed_isClosedByItsLastTurnAllTheSame() throws Exception {
    fleet.turn("'action': 'open', ", "Remember the sea.");
    endInTheEngine();
    JsonNode last = fleet.turn("'action': 'close', 'input': 'delta', ", "Bye.");
    assertThat(session(last).path("closed").asBoolean()).isTrue();
    fleet.assertSameAsStateless(last);
  }

  @Test
  void session_whoseWorkerIsGone_isClosedByItsLastDeltaAllTheSame() throws Exception {
    JsonNode first = fleet.turn("'action': 'open', ", "Remember the sea.");
    fleet.routers.getFirst().removeRank(home());
    JsonNode last = fleet.turn("'action': 'close', 'input': 'delta', ", "Bye.");
    assertThat(session(last).path("closed").asBoolean()).isTrue();
    assertThat(context(last)).startsWith(context(first).toArray(Integer[]::new));
    fleet.assertSameAsStateless(last);
  }

  /** Asks for a title, which is no turn of the session, and goes on with what was said before. */
  private void expectAside(JsonNode last) throws Exception {
    JsonNode title = fleet.turn("", "Name this conversation.");
    assertThat(session(title).path("mode").asString()).isEqualTo("aside");
    fleet.assertSameAsStateless(title);
    JsonNode next = fleet.turn("'input': 'delta', ", "What was it?");
    List<Integer> said = context(last);
    assertThat(context(next)).startsWith(said.toArray(Integer[]::new));
    fleet.assertSameAsStateless(next);
    close(session(next).path("incarnation").asString());
  }

  /** Takes a turn that finds its session gone, and one more that finds it whole again. */
  private JsonNode expectReplay() throws Exception {
    JsonNode answer = fleet.turn("'input': 'delta', ", "What was it?");
    JsonNode session = session(answer);
    assertThat(session.path("mode").asString()).isEqualTo("opened");
    assertThat(session.path("affinity").asString()).isEqualTo("broken");
    assertThat(session.path("lost_cause").asString()).isEqualTo("worker_lost");
    assertThat(session.path("lost_tokens").asInt()).isPositive();
    fleet.assertSameAsStateless(answer);
    JsonNode next = fleet.turn("'input': 'delta', ", "Thank you.");
    assertThat(session(next).path("mode").asString()).isEqualTo("append");
    assertThat(next.path("usage").path("prompt_tokens_details").path("cached_tokens").asInt())
        .isEqualTo(answer.path("usage").path("total_tokens").asInt() - 1);
    assertThat(session(next).has("lost_cause")).isFalse();
    fleet.assertSameAsStateless(next);
    return session;
  }

  private void endInTheEngine() throws Exception {
    fleet.home().close(SESSION, fleet.binding().incarnation(), OnClose.FREE).get();
  }

  private WorkerRank home() {
    return fleet.binding().target().orElseThrow();
  }

  private void close(String incarnation) throws Exception {
    assertThat(fleet.binding().incarnation().toString()).isEqualTo(incarnation);
    fleet.turn("'action': 'close', 'input': 'delta', ", "Bye.");
  }
}
