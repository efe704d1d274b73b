package dev.sojourn.cli;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.engine.EngineConfig;
import dev.sojourn.engine.EvictionPolicy;
import dev.sojourn.engine.model.KvType;
import dev.sojourn.engine.model.LoadOptions;
import dev.sojourn.server.GatewayConfig;
import dev.sojourn.server.access.IdentityRule;
import dev.sojourn.server.http.HttpConfig;
import dev.sojourn.text.answer.AnswerStyle.Calls;
import dev.sojourn.text.answer.AnswerStyle.Reasoning;
import dev.sojourn.text.answer.ParserChoice;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;
import picocli.CommandLine.Model.OptionSpec;

/** Every option of {@code serve}: its default, and that each way to set it sets it. */
class ServeOptionsTest {

  private static final Map<String, String> EVERY_KEY = new LinkedHashMap<>();

  static {
    EVERY_KEY.put("model", "m.gguf");
    EVERY_KEY.put("model-name", "org/name");
    EVERY_KEY.put("ranks", "3");
    EVERY_KEY.put("kv-tokens", "1600");
    EVERY_KEY.put("kv-type", "q8_0");
    EVERY_KEY.put("packed-cache", "true");
    EVERY_KEY.put("threads", "5");
    EVERY_KEY.put("context-length", "4096");
    EVERY_KEY.put("host", "0.0.0.0");
    EVERY_KEY.put("port", "9001");
    EVERY_KEY.put("api-keys", "keys.yaml");
    EVERY_KEY.put("implicit-sessions", "false");
    EVERY_KEY.put("session-headers", "X-Mine,x-yours");
    EVERY_KEY.put("transcript-mb", "3");
    EVERY_KEY.put("max-concurrent", "7");
    EVERY_KEY.put("max-body-mb", "2");
    EVERY_KEY.put("drain-seconds", "3");
    EVERY_KEY.put("max-running", "8");
    EVERY_KEY.put("max-waiting", "9");
    EVERY_KEY.put("max-sessions", "10");
    EVERY_KEY.put("prefill-chunk", "64");
    EVERY_KEY.put("session-kv-fraction", "0.5");
    EVERY_KEY.put("eviction", "priority");
    EVERY_KEY.put("tool-parser", "llama3_json");
    EVERY_KEY.put("reasoning-parser", "none");
  }

  @Test
  void nothingSet_everyDefault() {
    ServeCommand serve = parse(Map.of(), ConfigFile.NONE);
    assertThat(serve.model.model()).isEmpty();
    assertThat(serve.model.modelName()).isEmpty();
    assertThat(serve.model.ranks()).isEqualTo(2);
    assertThat(serve.model.kvTokens()).isEmpty();
    assertThat(serve.model.kvType()).isEqualTo(LoadOptions.defaults().kvType());
    assertThat(serve.model.packedCache()).isFalse();
    assertThat(serve.model.threads()).isEqualTo(Runtime.getRuntime().availableProcessors());
    assertThat(serve.model.contextLength()).isEmpty();
    assertThat(serve.serve.config())
        .isEqualTo(
            new GatewayConfig(
                HttpConfig.defaults().listeningOn("127.0.0.1", 8000).withMaxBody(32 << 20),
                new EngineConfig(
                    16, 256, 256, 65_536, 512, 0.8, EvictionPolicy.LRU, Duration.ofMinutes(5)),
                Optional.empty(),
                true,
                IdentityRule.LADDER,
                1024,
                256 << 20,
                ParserChoice.AUTO,
                Duration.ofSeconds(10)));
  }

  @Test
  void everyOption_isAmongTheKeysOfThisTest() {
    CommandLine serve = serve(run(Map.of()).commandLine(new Settings(Map.of(), ConfigFile.NONE)));
    TreeSet<String> names = new TreeSet<>();
    for (OptionSpec option : serve.getCommandSpec().options()) {
      names.add(option.longestName().substring(2));
    }
    assertThat(names).contains("help", "config");
    names.removeAll(List.of("help", "config"));
    assertThat(names).isEqualTo(new TreeSet<>(EVERY_KEY.keySet()));
  }

  @Test
  void eviction_takesEveryPolicy() {
    for (EvictionPolicy policy : EvictionPolicy.values()) {
      ServeCommand serve =
          parse(Map.of(), ConfigFile.NONE, "--eviction", policy.name().toLowerCase(Locale.ROOT));
      assertThat(serve.serve.config().engine().eviction()).isEqualTo(policy);
    }
  }

  @Test
  void everyKey_asFlag() {
    String[] flags =
        EVERY_KEY.entrySet().stream()
            .map(e ->
                e.getKey().equals("implicit-sessions")
                    ? "--no-implicit-sessions"
                    : "--" + e.getKey() + "=" + e.getValue())
            .toArray(String[]::new);
    assertEveryKeySet(parse(Map.of(), ConfigFile.NONE, flags));
  }

  @Test
  void everyKey_inTheEnvironment() {
    Map<String, String> environment =
        EVERY_KEY.entrySet().stream()
            .collect(
                Collectors.toMap(e -> Settings.variable("--" + e.getKey()), Map.Entry::getValue));
    assertThat(environment).containsKey("SOJOURN_SESSION_KV_FRACTION");
    assertEveryKeySet(parse(environment, ConfigFile.NONE));
  }

  @Test
  void everyKey_inTheFile() {
    String yaml =
        EVERY_KEY.entrySet().stream()
            .map(e -> e.getKey() + ": " + e.getValue() + "\n")
            .collect(Collectors.joining());
    assertEveryKeySet(parse(Map.of(), ConfigFile.parse("s.yaml", yaml)));
  }

  @Test
  void flag_beatsEnvironment_beatsFile_beatsDefault() {
    ConfigFile file = ConfigFile.parse("s.yaml", "port: 1\nhost: file\nmax-running: 4\n");
    Map<String, String> environment = Map.of("SOJOURN_PORT", "2", "SOJOURN_HOST", "environment");
    ServeCommand serve = parse(environment, file, "--port", "3");
    assertThat(serve.serve.port()).isEqualTo(3);
    assertThat(serve.serve.host()).isEqualTo("environment");
    assertThat(serve.serve.config().engine().maxRunning()).isEqualTo(4);
    assertThat(serve.serve.config().engine().maxWaiting()).isEqualTo(256);
  }

  @Test
  void unknownKey_isOneLineWithItsPlace(@TempDir Path directory) throws Exception {
    Path file = Files.writeString(directory.resolve("s.yaml"), "ranks: 1\nprot: 80\n");
    Typed typed = Typed.sojourn("serve", "--config", file.toString());
    assertThat(typed.exit()).isEqualTo(ExitCode.USAGE);
    assertThat(typed.err())
        .hasLineCount(1)
        .startsWith("sojourn: " + file + ":2:1: there is no setting 'prot'; did you mean ")
        .contains("? there are api-keys, ");
  }

  @Test
  void valueOutOfBounds_namesWhereItWasSet(@TempDir Path directory) throws Exception {
    Path file = Files.writeString(directory.resolve("s.yaml"), "port: 70000\n");
    assertUsage(
        Typed.sojourn(Map.of("SOJOURN_CONFIG", file.toString()), "serve"),
        file + ":1:1: --port is 0 to 65535, not 70000");
    assertUsage(
        Typed.sojourn(Map.of("SOJOURN_KV_TOKENS", "17"), "serve"),
        "SOJOURN_KV_TOKENS: --kv-tokens is a multiple of 16, not 17");
    assertUsage(
        Typed.sojourn("serve", "--session-kv-fraction", "1.5"),
        "sojourn: --session-kv-fraction is 0 to 1, not 1.5");
    assertUsage(Typed.sojourn("serve", "--eviction", "magic"), "--eviction");
    assertUsage(Typed.sojourn("serve", "--kv-type", "q2"), "--kv-type");
    assertUsage(Typed.sojourn("serve", "--tool-parser", "xml"), "auto, hermes, llama3_json, none");
  }

  @ParameterizedTest
  @ValueSource(strings = {"ranks", "threads", "kv-tokens", "context-length"})
  void zero_isNoWayToSayDefault(String key, @TempDir Path directory) throws Exception {
    Path file = Files.writeString(directory.resolve("s.yaml"), key + ": 0\n");
    assertUsage(Typed.sojourn("serve", "--" + key, "0"), "sojourn: --" + key + " is 1");
    assertUsage(
        Typed.sojourn("serve", "--config", file.toString()), file + ":1:1: --" + key + " is 1");
    String variable = Settings.variable("--" + key);
    Typed typed = Typed.sojourn(Map.of(variable, "0"), "serve");
    assertUsage(typed, variable + ": --" + key + " is 1");
    assertUsage(typed, ", not 0; leave it out for the default");
  }

  @Test
  void fileOfKeys_isReadBeforeTheModelIs(@TempDir Path directory) throws Exception {
    Path model = directory.resolve("none.gguf");
    Path keys = directory.resolve("keys.yaml");
    assertFailsFirst(keys, "there is no such file", model);
    assertFailsFirst(Files.writeString(keys, "- sk-secret"), "key: tenant", model);
    assertFailsFirst(Files.write(keys, new byte[] {(byte) 0xff, 'x'}), "not text in UTF-8", model);
    assertFailsFirst(directory, "directory", model);
  }

  private static void assertFailsFirst(Path keys, String says, Path model) {
    Typed typed =
        Typed.sojourn(
            "serve", "--port=0", "--model", model.toString(), "--api-keys", keys.toString());
    assertThat(typed.exit()).isEqualTo(ExitCode.FAILED);
    assertThat(typed.err())
        .hasLineCount(1)
        .startsWith("sojourn: API keys in " + keys + ": ")
        .containsIgnoringCase(says)
        .doesNotContain("Exception");
  }

  private static void assertUsage(Typed typed, String line) {
    assertThat(typed.exit()).isEqualTo(ExitCode.USAGE);
    assertThat(typed.err()).hasLineCount(1).contains(line);
  }

  private static void assertEveryKeySet(ServeCommand serve) {
    assertThat(serve.model.model()).contains(Path.of("m.gguf"));
    assertThat(serve.model.modelName()).contains("org/name");
    assertThat(serve.model.ranks()).isEqualTo(3);
    assertThat(serve.model.kvTokens()).hasValue(1600);
    assertThat(serve.model.kvType()).isEqualTo(KvType.Q8_0);
    assertThat(serve.model.packedCache()).isTrue();
    assertThat(serve.model.threads()).isEqualTo(5);
    assertThat(serve.model.contextLength()).hasValue(4096);
    List<IdentityRule> identity = new ArrayList<>(IdentityRule.LADDER);
    identity.add(1, new IdentityRule("x-mine", List.of(), ""));
    identity.add(2, new IdentityRule("x-yours", List.of(), ""));
    assertThat(serve.serve.config())
        .isEqualTo(
            new GatewayConfig(
                HttpConfig.defaults().listeningOn("0.0.0.0", 9001).withMaxBody(2 << 20),
                new EngineConfig(
                    8, 64, 9, 10, 512, 0.5, EvictionPolicy.PRIORITY, Duration.ofMinutes(5)),
                Optional.of(Path.of("keys.yaml")),
                false,
                identity,
                7,
                3 << 20,
                new ParserChoice(Optional.of(Calls.LLAMA3_JSON), Optional.of(Reasoning.NONE)),
                Duration.ofSeconds(3)));
  }

  private static ServeCommand parse(
      Map<String, String> environment, ConfigFile file, String... flags) {
    List<String> words = new ArrayList<>(List.of("serve"));
    words.addAll(List.of(flags));
    CommandLine commandLine = run(environment).commandLine(new Settings(environment, file));
    commandLine.parseArgs(words.toArray(String[]::new));
    return serve(commandLine).getCommand();
  }

  private static CommandLine serve(CommandLine sojourn) {
    return requireNonNull(sojourn.getSubcommands().get("serve"));
  }

  private static CommandLineRun run(Map<String, String> environment) {
    PrintWriter nowhere = new PrintWriter(new StringWriter());
    return new CommandLineRun(environment, nowhere, nowhere);
  }
}
