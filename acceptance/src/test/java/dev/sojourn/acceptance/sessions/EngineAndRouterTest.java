package dev.sojourn.acceptance.sessions;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Random operations on a router and its engines together, in the alphabet of the systems that
 * sessions come from: all nine invariants after each, and every answer bit for bit as a stateless
 * run over the same ids gives it.
 *
 * <p>A failure is shrunk to a short script, which is printed. {@code -Dsojourn.operations=N} sets
 * how many operations there are, {@code -Dsojourn.script=FILE} plays a script.
 */
class EngineAndRouterTest {

  private static final int OPERATIONS = Integer.getInteger("sojourn.operations", 50_000);
  private static final int OPERATIONS_OF_A_WORLD = 500;
  private static final Path SCRIPTS = Path.of("src/test/scripts/engine");

  @Test
  void randomOperations_afterEachStep_keepAllNineInvariants() {
    Map<String, Integer> seen = new TreeMap<>();
    for (long seed = 0; seed < OPERATIONS / OPERATIONS_OF_A_WORLD; seed++) {
      Script<Op> script = Script.draw(seed, OPERATIONS_OF_A_WORLD, Op::draw);
      Optional<Throwable> failure = play(script, seen);
      if (failure.isPresent()) {
        Script.Shrunk<Op> least =
            script.shrink(shorter -> play(shorter, new TreeMap<>()), failure.get(), 2000);
        throw new AssertionError(
            "play this with -Dsojourn.script=FILE:\n" + least.script().written(), least.failure());
      }
    }
    // A test that never gets there would prove nothing.
    assertThat(seen)
        .containsKeys(
            Stream.of(Op.class.getPermittedSubclasses())
                .map(kind -> "op " + kind.getSimpleName())
                .toArray(String[]::new))
        .containsKeys(
            "mode OPENED",
            "mode APPEND",
            "mode REWIND",
            "mode ASIDE",
            "mode NONE",
            "mode FORK",
            "end STOP",
            "end LENGTH",
            "end CANCELLED",
            "expired",
            "hit",
            "moved",
            "broken",
            "open refused",
            "close retried",
            "close abandoned",
            "life lost",
            "life learnt",
            "life reaped",
            "began anew",
            "began anew with nothing",
            "repeated",
            "evicted",
            "retracted",
            "replayed",
            "lost",
            "elsewhere",
            "extended",
            "waited",
            "interrupted",
            "aborted",
            "aborted before it ran",
            "closed",
            "not closed",
            "fault session_busy",
            "fault session_not_found",
            "fault session_settings",
            "fault parent_not_found",
            "fault PromptTooLong",
            "fault Unavailable",
            "fault Overloaded",
            "fault Internal",
            "fault InvalidRequest");
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
    Optional<Throwable> failure =
        play(Script.read(Op.class, Files.readAllLines(file)), new TreeMap<>());
    if (failure.isPresent()) {
      throw failure.get();
    }
  }

  @Test
  void operations_writtenDownAndRead_areTheSame() {
    Script<Op> script = Script.draw(5, 300, Op::draw);
    assertThat(Script.read(Op.class, script.written().lines().toList())).isEqualTo(script);
  }

  @Test
  void scriptThatFails_isShrunkToWhatItNeeds() {
    Script<Op> script = Script.draw(7, 400, Op::draw);
    Op first = script.ops().get(new Random(1).nextInt(200));
    Op second = script.ops().get(399);
    Script.Shrunk<Op> least =
        script.shrink(
            shorter ->
                shorter.ops().indexOf(first) >= 0
                        && shorter.ops().lastIndexOf(second) > shorter.ops().indexOf(first)
                    ? Optional.of(new AssertionError("both are there"))
                    : Optional.empty(),
            new AssertionError("both are there"),
            2000);
    assertThat(least.script().ops()).containsExactly(first, second);
  }

  /** Plays a script; returns what went wrong, if anything did. */
  private static Optional<Throwable> play(Script<Op> script, Map<String, Integer> seen) {
    try (World world = new World(script.seed())) {
      for (Op op : script.ops()) {
        world.apply(op);
      }
      world.end();
      world.seen().forEach((what, times) -> seen.merge(what, times, Integer::sum));
      return Optional.empty();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return Optional.of(e);
    } catch (AssertionError | RuntimeException e) {
      return Optional.of(e);
    }
  }
}
