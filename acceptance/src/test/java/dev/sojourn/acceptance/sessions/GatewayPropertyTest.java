package dev.sojourn.acceptance.sessions;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Random conversations over HTTP with two gateways over two ranks: whatever clients, workers and
 * memory do, each answer is that of a stateless request of the same conversation.
 *
 * <p>{@code -Dsojourn.operations=N} sets the length as elsewhere; as each operation is several
 * requests here, there are fewer of them.
 */
class GatewayPropertyTest {

  private static final int OPERATIONS = Integer.getInteger("sojourn.operations", 60_000) / 50;

  @TempDir static Path dir;

  private static final Play<GatewayOp> PLAY =
      new Play<>(GatewayOp.class, GatewayOp::draw, seed -> new GatewayWorld(dir, seed), 100, 200);

  @Test
  void randomConversations_whateverHappens_areAnsweredAsWithoutSessions() {
    assertThat(PLAY.random(OPERATIONS))
        .containsKeys(
            "mode opened",
            "mode append",
            "mode rewind",
            "mode aside",
            "mode fork",
            "mode none",
            "lost: diverged",
            "lost: evicted",
            "lost: expired",
            "lost: worker_lost",
            "refused session_not_found",
            "refused tip_mismatch",
            "refused context_lost",
            "repeated",
            "hung up",
            "overlapped",
            "called",
            "history as_sampled",
            "history as_rendered",
            "instructed anew",
            "compacted",
            "tree opened",
            "tree append",
            "tree rewind",
            "tree fork",
            "tree replaced",
            "tree refused",
            "tree lost",
            "turns lost",
            "closed",
            "extended",
            "expired",
            "moved",
            "broken",
            "evicted");
  }

  static List<Path> scripts() throws IOException {
    return Play.scripts(Path.of("src/test/scripts/gateway"));
  }

  @ParameterizedTest
  @MethodSource("scripts")
  void scriptOfAFailure_playedAgain_passes(Path file) throws Throwable {
    PLAY.again(file);
  }

  @Test
  void operations_writtenDownAndRead_areTheSame() {
    Script<GatewayOp> script = Script.draw(5, 300, GatewayOp::draw);
    assertThat(Script.read(GatewayOp.class, script.written().lines().toList())).isEqualTo(script);
  }
}
