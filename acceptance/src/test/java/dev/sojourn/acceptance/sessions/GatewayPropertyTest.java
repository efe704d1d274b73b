package dev.sojourn.acceptance.sessions;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Random conversations over HTTP with two gateways over two ranks: whatever clients, workers and
 * memory do, each answer is that of a stateless request of the same conversation.
 *
 * <p>A failure is shrunk to a short script, which is printed. {@code -Dsojourn.script=FILE} plays a
 * script. {@code -Dsojourn.operations=N} sets the length as elsewhere; as each operation is several
 * requests here, there are fewer of them.
 */
class GatewayPropertyTest {

  private static final int OPERATIONS = Integer.getInteger("sojourn.operations", 60_000) / 50;
  private static final int OPERATIONS_OF_A_WORLD = 100;
  private static final Path SCRIPTS = Path.of("src/test/scripts/gateway");

  @TempDir static Path dir;

  @Test
  void randomConversations_whateverHappens_areAnsweredAsWithoutSessions() {
    Map<String, Integer> seen = new TreeMap<>();
    for (long seed = 0; seed < OPERATIONS / OPERATIONS_OF_A_WORLD; seed++) {
      Script<GatewayOp> script = Script.draw(seed, OPERATIONS_OF_A_WORLD, GatewayOp::draw);
      Optional<Throwable> failure = play(script, seen);
      if (failure.isPresent()) {
        Script.Shrunk<GatewayOp> least =
            script.shrink(shorter -> play(shorter, new TreeMap<>()), failure.get(), 200);
        throw new AssertionError(
            "play this with -Dsojourn.script=FILE:\n" + least.script().written(), least.failure());
      }
    }
    // A test that never gets there would prove nothing.
    assertThat(seen)
        .containsKeys(
            Stream.of(GatewayOp.class.getPermittedSubclasses())
                .map(kind -> "op " + kind.getSimpleName())
                .toArray(String[]::new))
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
            "closed",
            "extended",
            "expired",
            "moved",
            "broken",
            "evicted");
  }

  static List<Path> scripts() throws IOException {
    String chosen = System.getProperty("sojourn.script");
    if (chosen != null) {
      return List.of(Path.of(chosen));
    }
    try (Stream<Path> files = Files.list(SCRIPTS)) {
      return files.sorted().toList();
    }
  }

  @ParameterizedTest
  @MethodSource("scripts")
  void scriptOfAFailure_playedAgain_passes(Path file) throws Throwable {
    Script<GatewayOp> script = Script.read(GatewayOp.class, Files.readAllLines(file));
    Optional<Throwable> failure = play(script, new TreeMap<>());
    if (failure.isPresent()) {
      throw failure.get();
    }
  }

  @Test
  void operations_writtenDownAndRead_areTheSame() {
    Script<GatewayOp> script = Script.draw(5, 300, GatewayOp::draw);
    assertThat(Script.read(GatewayOp.class, script.written().lines().toList())).isEqualTo(script);
  }

  /** Plays a script; returns what went wrong, if anything did. */
  private static Optional<Throwable> play(Script<GatewayOp> script, Map<String, Integer> seen) {
    try (GatewayWorld world = new GatewayWorld(dir, script.seed())) {
      for (GatewayOp op : script.ops()) {
        world.apply(op);
      }
      world.end();
      world.seen().forEach((what, times) -> seen.merge(what, times, Integer::sum));
      return Optional.empty();
    } catch (Exception | AssertionError e) {
      if (e instanceof InterruptedException) {
        Thread.currentThread().interrupt();
      }
      return Optional.of(e);
    }
  }
}
