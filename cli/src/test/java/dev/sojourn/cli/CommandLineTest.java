package dev.sojourn.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CommandLineTest {

  @Test
  void noCommand_isUsage() {
    assertUsage(Typed.sojourn(), "sojourn: Missing a command; see 'sojourn --help'");
  }

  @Test
  void unknownCommand_isUsage() {
    assertUsage(Typed.sojourn("frob"), "sojourn: Unmatched argument at index 0: 'frob'");
  }

  @Test
  void unknownFlag_isUsageOfItsCommand() {
    assertUsage(Typed.sojourn("sessions", "list", "--bogus"), "see 'sojourn sessions list --help'");
  }

  @Test
  void addressThatIsNone_isUsage() {
    assertUsage(
        Typed.sojourn("sessions", "list", "--url", "here"),
        "'here' is not the address of a gateway");
  }

  @Test
  void nobodyListens_isOneLineThatSaysWhatToDo() {
    Typed typed = Typed.sojourn("sessions", "list", "--url", "http://127.0.0.1:1");
    assertThat(typed.exit()).isEqualTo(ExitCode.FAILED);
    assertThat(typed.err()).hasLineCount(1).contains("127.0.0.1:1", "is 'sojourn serve' running");
  }

  @Test
  void plotThatCannotBeWritten_isSaidBeforeMeasuring(@TempDir Path directory) {
    Path plot = directory.resolve("none/turns.svg");
    Typed typed =
        Typed.sojourn("bench", "turns", "--url", "http://127.0.0.1:1", "--plot", plot.toString());
    assertThat(typed.exit()).isEqualTo(ExitCode.FAILED);
    assertThat(typed.err())
        .hasLineCount(1)
        .contains("there is no directory " + plot.getParent(), "choose another --plot");
    Typed folder =
        Typed.sojourn(
            "bench", "turns", "--url", "http://127.0.0.1:1", "--plot", directory.toString());
    assertThat(folder.err()).hasLineCount(1).contains("it is a directory");
  }

  @Test
  void environment_setsAnOption() {
    Typed typed = Typed.sojourn(Map.of("SOJOURN_URL", "nowhere"), "sessions", "list");
    assertUsage(typed, "'nowhere' is not the address of a gateway");
  }

  @Test
  void environmentOfTheWrongType_namesTheVariable() {
    Typed typed = Typed.sojourn(Map.of("SOJOURN_JSON", "perhaps"), "version");
    assertUsage(typed, "sojourn: SOJOURN_JSON: ");
  }

  @Test
  void environmentSetToNothing_countsAsNotSet() {
    assertThat(Typed.sojourn(Map.of("SOJOURN_JSON", ""), "version").exit()).isEqualTo(ExitCode.OK);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "sessions", "sessions list", "sessions close", "smoke", "version"})
  void help_isThereForEveryCommand(String command) {
    String[] words = (command + " --help").strip().split(" ");
    Typed typed = Typed.sojourn(words);
    assertThat(typed.exit()).isEqualTo(ExitCode.OK);
    assertThat(typed.out()).startsWith("Usage: sojourn").contains("--help");
    assertThat(typed.err()).isEmpty();
  }

  @Test
  void version_saysWhatRunsHere() {
    assertThat(Typed.sojourn("version").out())
        .containsPattern("sojourn +[0-9]+\\.[0-9]+\\.[0-9]+")
        .contains(Runtime.version().toString());
    assertThat(Typed.sojourn("version", "--json").out()).contains("\"sojourn\" : \"");
  }

  private static void assertUsage(Typed typed, String line) {
    assertThat(typed.exit()).isEqualTo(ExitCode.USAGE);
    assertThat(typed.err()).hasLineCount(1).contains(line);
    assertThat(typed.out()).isEmpty();
  }
}
