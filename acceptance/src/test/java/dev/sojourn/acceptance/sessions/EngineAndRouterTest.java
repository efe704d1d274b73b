package dev.sojourn.acceptance.sessions;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.slf4j.LoggerFactory;

/**
 * Random operations on a router and its engines together, in the alphabet of the systems that
 * sessions come from: all nine invariants after each, and every answer bit for bit as a stateless
 * run over the same ids gives it.
 *
 * <p>{@code -Dsojourn.operations=N} sets how many operations there are.
 */
class EngineAndRouterTest {

  private static final int OPERATIONS = Integer.getInteger("sojourn.operations", 50_000);

  private static final Play<Op> PLAY = new Play<>(Op.class, Op::draw, World::new, 500, 2000);

  private static final Logger LOG = (Logger) LoggerFactory.getLogger("dev.sojourn");

  /** Thousands of lines would tell of failures that the test made itself. */
  @BeforeAll
  static void hush() {
    LOG.setLevel(Level.OFF);
  }

  @AfterAll
  static void speak() {
    LOG.setLevel(null); // as its parent's
  }

  @Test
  void randomOperations_afterEachStep_keepAllNineInvariants() {
    assertThat(PLAY.random(OPERATIONS))
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
            "tree opened",
            "tree OPENED",
            "tree APPEND",
            "tree REWIND",
            "tree FORK",
            "tree side by side",
            "tree interrupted",
            "tree lost",
            "tree alone",
            "tree refused: Invalid request session id",
            "tree refused: Session request is appending to a request that hasn't finished.",
            "fault context_lost",
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
    return Play.scripts(Path.of("src/test/scripts/engine"));
  }

  @ParameterizedTest
  @MethodSource("scripts")
  void scriptOfAFailure_playedAgain_passes(Path file) throws Throwable {
    PLAY.again(file);
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
}
