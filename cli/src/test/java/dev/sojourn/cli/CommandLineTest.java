package dev.sojourn.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.engine.weights.GgufWriter;
import dev.sojourn.engine.weights.Progress;
import java.nio.file.Path;
import java.util.List;
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
    assertUsage(Typed.sojourn("frob"), "sojourn: there is no command 'frob'");
  }

  @ParameterizedTest
  @ValueSource(strings = {"sessions keep", "sessions keep --help", "sessions keep -h main 60"})
  void unknownCommandOfACommand_isUsage_alsoWhereItsHelpIsAskedFor(String words) {
    assertUsage(
        Typed.sojourn(words.split(" ")),
        "sojourn: there is no command 'keep'; see 'sojourn sessions --help'");
  }

  @Test
  void sessionsHelp_namesEachCommandThatThereIs() {
    assertThat(Typed.sojourn("sessions", "--help").out())
        .contains("List, show, fork, lease and close");
  }

  @Test
  void unknownFlag_isUsageOfItsCommand() {
    assertUsage(Typed.sojourn("sessions", "list", "--bogus"), "see 'sojourn sessions list --help'");
  }

  @Test
  void addressThatIsNone_isUsage() {
    assertUsage(
        Typed.sojourn("sessions", "list", "--url", "ftp://here"),
        "'ftp://here' is not the address of a gateway");
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
    Typed typed = Typed.sojourn(Map.of("SOJOURN_URL", "ftp://nowhere"), "sessions", "list");
    assertUsage(typed, "'ftp://nowhere' is not the address of a gateway");
  }

  @Test
  void smoke_takesItsAddressFromEitherOptionVariableOrWord() {
    String url = "http://127.0.0.1:1";
    for (Typed typed :
        List.of(
            Typed.sojourn("smoke", url),
            Typed.sojourn("smoke", "--url", url),
            Typed.sojourn(Map.of("SOJOURN_URL", url), "smoke"),
            Typed.sojourn(Map.of("SOJOURN_URL", "http://127.0.0.1:2"), "smoke", url))) {
      assertThat(typed.out()).contains("no gateway answers at " + url + " ");
    }
  }

  @Test
  void environmentWithAnotherLogLevel_isUsage() {
    assertUsage(
        Typed.sojourn(Map.of("SOJOURN_LOG_LEVEL", "FOO"), "version"),
        "SOJOURN_LOG_LEVEL is INFO or DEBUG, not 'FOO'");
    assertThat(Typed.sojourn(Map.of("SOJOURN_LOG_LEVEL", "debug"), "version").exit()).isZero();
  }

  @Test
  void environmentWithSwappedLetters_namesTheNearest() {
    assertThat(Typed.sojourn(Map.of("SOJOURN_PROT", "1"), "version").err())
        .contains("did you mean SOJOURN_PORT?");
  }

  @Test
  void addressOfNoHost_saysSo() {
    assertThat(Typed.sojourn("sessions", "list", "--url", "http://nonsense.invalid").err())
        .contains("no gateway answers at http://nonsense.invalid (there is no such host)");
  }

  @Test
  void environmentOfTheWrongType_namesTheVariable() {
    Typed typed = Typed.sojourn(Map.of("SOJOURN_JSON", "perhaps"), "version");
    assertUsage(typed, "sojourn: SOJOURN_JSON: --json is true or false, not 'perhaps'");
  }

  @Test
  void environmentThatOnlyLooksLikeOurs_isUsage() {
    Typed typed = Typed.sojourn(Map.of("SOJOURN_PRT", "1"), "version");
    assertUsage(
        typed,
        "sojourn: SOJOURN_PRT: there is no such setting; did you mean SOJOURN_PORT? there are ");
    assertThat(typed.err()).contains("SOJOURN_PORT").doesNotContain("SOJOURN_HELP");
    assertThat(Typed.sojourn(Map.of("SOJOURN_PRT", "1"), "--help").exit()).isEqualTo(ExitCode.OK);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "SOJOURN_JAVA_HOME",
        "SOJOURN_JVM_ARGS",
        "SOJOURN_CACHE",
        "SOJOURN_PYTHON",
        "SOJOURN_KV_TOKENS"
      })
  void environmentOfOthersThanThisCommand_isLeftAlone(String variable) {
    assertThat(Typed.sojourn(Map.of(variable, "16"), "version").exit()).isEqualTo(ExitCode.OK);
  }

  @Test
  void wordThatIsNearlyOne_namesIt() {
    assertUsage(Typed.sojourn("serv"), "there is no command 'serv'; did you mean serve?");
    assertUsage(
        Typed.sojourn("serve", "--prot", "1"), "there is no option '--prot'; did you mean --port?");
    assertUsage(Typed.sojourn("version", "more"), "'more' is one too many");
  }

  @Test
  void valueOfTheWrongKind_saysWhichIsRight() {
    assertUsage(Typed.sojourn("serve", "--port", "x"), "--port is a whole number, not 'x'");
    assertUsage(
        Typed.sojourn("serve", "--session-kv-fraction", "x"),
        "--session-kv-fraction is a number, not 'x'");
    assertUsage(
        Typed.sojourn("serve", "--eviction", "magic"),
        "--eviction is one of lru, lfu, fifo, mru, filo, slru, priority, not 'magic'");
    assertUsage(
        Typed.sojourn("model", "synth", "x", "--arch", "gpt"),
        "--arch is one of llama, qwen2, qwen3, qwen3moe, gemma3, phi3, not 'gpt'");
    assertUsage(
        Typed.sojourn("model", "synth", "x", "--shape", "7b"),
        "--shape is one of small, 0.6b, 1.2b, not '7b'");
    assertUsage(
        Typed.sojourn("model", "synth", "x", "--shape", "0.6b", "--type", "iq3_s"),
        "--type is one of f32, ");
    assertUsage(
        Typed.sojourn("model", "synth", "x", "--type", "q3_K"),
        "--type is one of f32, f16, bf16, q8_0, q4_0, q4_1, q5_0, q5_1, q4_k, q5_k, q6_k, q4_k_m,"
            + " not 'q3_K'");
    assertUsage(
        Typed.sojourn("model", "synth", "x", "--head-dimension", "3"),
        "head-dimension must be a multiple of 2");
    assertUsage(
        Typed.sojourn("bench", "engine", "--model", "m", "--vs", "vllm"),
        "--vs is llama.cpp, jinfer=JAR or llama3.java=FILE, not vllm");
    assertUsage(
        Typed.sojourn("bench", "engine", "--model", "m", "--vs", "jinfer"), "--vs is jinfer=JAR");
    assertUsage(Typed.sojourn("bench", "engine", "--batch", "1,0"), "--batch is 1 to 64, not 0");
    assertUsage(
        Typed.sojourn("bench", "engine", "--batch", "1,x"), "--batch is a whole number, not ");
    assertUsage(Typed.sojourn("serve", "--model", "a\0b"), "--model is a file's path, not ");
    assertUsage(
        Typed.sojourn("sessions", "list", "--url", "a b"),
        "--url is an address, such as http://127.0.0.1:8000, not 'a b'");
    assertUsage(
        Typed.sojourn("sessions", "list", "--url", "http://here:70000"), "'http://here:70000' is");
  }

  @Test
  void bench_ofPromptsBeyondTheModelsContext_isRefusedBeforeAnythingIsLoaded(
      @TempDir Path directory) {
    String file = directory.resolve("m.gguf").toString();
    String[] synth = {"model", "synth", file, "--context", "300", "--vocabulary", "400"};
    assertThat(Typed.sojourn(synth).exit()).isZero();
    assertUsage(
        Typed.sojourn("bench", "engine", "--model", file, "--prefill", "100,301"),
        "--prefill is 1 to 300, not 301");
    assertUsage(
        Typed.sojourn("bench", "engine", "--model", file, "--context", "299"),
        "--context is 1 to 172, not 299");
  }

  @Test
  void modelInfo_ofAModelThatCannotBeLoaded_saysWhy(@TempDir Path directory) {
    Path file = directory.resolve("m.gguf");
    new GgufWriter().text("general.architecture", "mamba").write(file, Progress.NONE);
    Typed typed = Typed.sojourn("model", "info", file.toString());
    assertThat(typed.exit()).isZero();
    assertThat(typed.out().lines().toList())
        .filteredOn(line -> line.startsWith("Cannot be loaded: "))
        .singleElement()
        .asString()
        .contains("\"mamba\"");
    assertThat(Typed.sojourn("model", "info", file.toString(), "--json").out())
        .contains("\"problem\"");
  }

  @Test
  void addressWithoutAScheme_isHttp() {
    assertThat(Typed.sojourn("sessions", "list", "--url", "127.0.0.1:1").err())
        .contains("no gateway answers at http://127.0.0.1:1 ");
    assertThat(Typed.sojourn("smoke", "localhost:1").out())
        .contains("no gateway answers at http://localhost:1 ");
  }

  @Test
  void helpCommand_isTheSameAsTheFlag() {
    assertThat(Typed.sojourn("help").out()).isEqualTo(Typed.sojourn("--help").out());
    assertThat(Typed.sojourn("help", "serve").out())
        .isEqualTo(Typed.sojourn("serve", "--help").out());
    assertThat(Typed.sojourn("--version").out()).matches("sojourn [0-9]+\\.[0-9]+.*\\R");
  }

  @ParameterizedTest
  @ValueSource(strings = {"sojourn", "bench", "model", "sessions"})
  void listOfCommands_hasWholeSentences(String command) {
    String help =
        (command.equals("sojourn") ? Typed.sojourn("help") : Typed.sojourn("help", command)).out();
    String list = help.substring(help.indexOf("Commands:"));
    assertThat(list.lines().skip(1).takeWhile(line -> !line.isBlank()))
        .isNotEmpty()
        .allSatisfy(line -> assertThat(line).startsWith("  ").endsWith("."));
  }

  @Test
  void help_showsNamesInLowerCaseAndPlaceholdersInUpper() {
    assertThat(Typed.sojourn("model", "synth", "--help").out())
        .containsPattern("gemma3\\s+or\\s+phi3")
        .contains("(default: small)", "(default: q8_0)", "--kv-heads=N")
        .doesNotContain("<", "QWEN", "Q8");
    assertThat(Typed.sojourn("serve", "--help").out())
        .containsPattern("lru or priority \\(default:\\s+lru\\)")
        .contains("--session-headers=H,…")
        .doesNotContain("LRU", "[,");
  }

  @Test
  void environmentSetToNothing_countsAsNotSet() {
    assertThat(Typed.sojourn(Map.of("SOJOURN_JSON", ""), "version").exit()).isEqualTo(ExitCode.OK);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "sessions",
        "sessions list",
        "sessions close",
        "smoke",
        "version",
        "bench turns",
        "bench pressure"
      })
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
