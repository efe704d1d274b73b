package dev.sojourn.acceptance;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * The official Python SDK, unmodified. Runs where {@code SOJOURN_PYTHON} names a Python that has
 * it, as {@code .ci/run} sees to, or where {@code python3} does.
 */
class PythonSdkTest {

  private static final Path SCRIPT = Path.of("src/test/python/thirty_turns.py");

  @TempDir Path directory;

  @Test
  void thirtyTurns_openToClose_reuseAllAndGiveItBack() throws Exception {
    String python = python();
    try (House house = House.open(directory, 1, 512)) {
      ThirtyTurns turns = new ThirtyTurns(house, "openai-python");
      Process process =
          new ProcessBuilder(python, SCRIPT.toString(), house.url())
              .redirectErrorStream(true)
              .start();
      List<String> lines;
      try (BufferedReader reader = process.inputReader(UTF_8)) {
        lines = reader.lines().toList();
      }
      assertThat(process.waitFor()).as("the script: %s", String.join("\n", lines)).isZero();
      assertThat(lines).hasSize(ThirtyTurns.TURNS);
      for (int turn = 1; turn <= ThirtyTurns.TURNS; turn++) {
        JsonNode line = JsonMapper.shared().readTree(lines.get(turn - 1));
        turns.took(
            turn,
            line.path("prompt").asLong(),
            line.path("completion").asLong(),
            line.path("cached").asLong());
        assertThat(line.path("session").path("mode").asString())
            .isEqualTo(turn == 1 ? "opened" : "append");
      }
      turns.closed();
    }
  }

  /** Returns a Python that has the SDK; without one, there is nothing to test. */
  static String python() throws InterruptedException {
    Optional<String> chosen = Optional.ofNullable(System.getenv("SOJOURN_PYTHON"));
    String python = chosen.orElse("python3");
    boolean hasSdk = hasSdk(python);
    assumeTrue(hasSdk || chosen.isPresent(), "python3 has no openai package; .ci/run installs it");
    assertThat(hasSdk).as("%s imports openai", python).isTrue();
    return python;
  }

  private static boolean hasSdk(String python) throws InterruptedException {
    try {
      return new ProcessBuilder(python, "-c", "import openai")
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start()
              .waitFor()
          == 0;
    } catch (IOException e) {
      return false; // there is no such program
    }
  }
}
