package dev.sojourn.acceptance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sojourn.bench.GatewayClient;
import dev.sojourn.cli.Main;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** The commands, against a gateway and against files that are and are not models. */
class CommandLineTest {

  @TempDir Path directory;

  /** What a command line left behind. */
  private record Typed(int exit, String out, String err) {}

  private static Typed sojourn(String... words) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    int exit =
        Main.run(List.of(words), Map.of(), new PrintWriter(out, true), new PrintWriter(err, true));
    return new Typed(exit, out.toString(), err.toString());
  }

  @Test
  void smoke_ofAGatewayInOrder_findsNothingAndLeavesNothing() throws Exception {
    try (House house = House.open(directory, 2, 512)) {
      Typed typed = sojourn("smoke", house.url());
      assertThat(typed.exit()).as(typed.out()).isZero();
      assertThat(typed.out()).contains(" 0 failed").doesNotContain("FAIL");
      house.assertNothingHeld();
      JsonNode json = JsonMapper.shared().readTree(sojourn("smoke", house.url(), "--json").out());
      assertThat(json.path("ok").asBoolean(false)).isTrue();
      assertThat(json.path("checks").size()).isGreaterThan(10);
    }
  }

  @Test
  void smoke_whereNobodyListens_fails() {
    Typed typed = sojourn("smoke", "http://127.0.0.1:1");
    assertThat(typed.exit()).isEqualTo(1);
    assertThat(typed.out()).contains("FAIL", "no gateway answers at http://127.0.0.1:1");
  }

  @Test
  void sessions_areListedShownKeptForkedAndClosed() throws Exception {
    try (House house = House.open(directory, 1, 512)) {
      assertThat(sojourn("sessions", "list", "--url", house.url()).out()).contains("no sessions");
      String name = "a/b ü"; // any name, also one that must be escaped in a path
      ObjectNode body = GatewayClient.object().put("model", House.MODEL).put("max_tokens", 4);
      body.putArray("messages").addObject().put("role", "user").put("content", "Hello!");
      ObjectNode control = body.putObject("nvext").putObject("session_control");
      control.put("session_id", name).put("action", "open");
      house.client().post("/v1/chat/completions", body);
      assertThat(sojourn("sessions", "list", "--url", house.url()).out())
          .containsPattern("(?m)^a/b ü +open +idle +embedded/0 +1 .* (299|300)$");
      assertThat(sojourn("sessions", "show", name, "--url", house.url()).out())
          .containsPattern("(?m)^turns +1$");
      assertThat(sojourn("sessions", "lease", name, "7200", "--url", house.url()).out())
          .containsPattern("(?m)^remaining_seconds +7200$");
      assertThat(sojourn("sessions", "fork", name, "sub", "--url", house.url()).out())
          .containsPattern("(?m)^forked_from +a/b ü$");
      String[] fork = {"sessions", "fork", name, "own", "--url", house.url()};
      Typed own = sojourn(with(fork, "--timeout=60", "--capacity=99", "--on-close=retain"));
      assertThat(own.out())
          .containsPattern("(?m)^timeout +60$")
          .containsPattern("(?m)^capacity +99$")
          .containsPattern("(?m)^on_close +retain$");
      assertThat(sojourn(with(fork, "--on-close=keep")).err())
          .contains("--on-close is one of free, retain, not 'keep'");
      assertThat(sojourn("sessions", "close", "own", "--url", house.url()).exit()).isZero();
      assertThat(sojourn("sessions", "close", "sub", "--url", house.url()).exit()).isZero();
      Typed closed = sojourn("sessions", "close", name, "--url", house.url(), "--json");
      assertThat(closed.exit()).as(closed.err()).isZero();
      assertThat(JsonMapper.shared().readTree(closed.out()).path("tokens_freed").asInt(0))
          .isPositive();
      house.assertNothingHeld();
      Typed again = sojourn("sessions", "close", name, "--url", house.url());
      assertThat(again.exit()).isEqualTo(1);
      assertThat(again.err()).hasLineCount(1).startsWith("sojourn: there is no session a/b ü");
    }
  }

  private static String[] with(String[] words, String... more) {
    return Stream.of(words, more).flatMap(Arrays::stream).toArray(String[]::new);
  }

  @Test
  void benchTurns_takesAllThreeWays_andLeavesNothing() throws Exception {
    try (House house = House.open(directory, 1, 2048)) {
      Path plot = directory.resolve("turns.svg");
      Typed typed =
          sojourn(
              "bench",
              "turns",
              "--turns",
              "4",
              "--sessions",
              "2",
              "--warmup",
              "0",
              "--url",
              house.url(),
              "--plot",
              plot.toString(),
              "--json");
      assertThat(typed.exit()).as(typed.err()).isZero();
      JsonNode ways = JsonMapper.shared().readTree(typed.out()).path("ways");
      for (String way : List.of("stateless", "session_full", "session_delta")) {
        assertThat(ways.path(way).path("latency").path("turns").size()).isEqualTo(4);
        assertThat(ways.path(way).path("latency").path("mean").asDouble(0)).isPositive();
      }
      // The same conversations: what differs between the ways is how they are sent.
      assertThat(ways.path("session_delta").path("prompt_tokens").path("turns"))
          .isEqualTo(ways.path("session_full").path("prompt_tokens").path("turns"));
      assertThat(Files.readString(plot)).startsWith("<svg ");
      house.assertNothingHeld();
    }
  }

  @Test
  void benchPressure_takesAllFourWays_whichAnswerTheSame() throws Exception {
    Path plot = directory.resolve("pressure.svg");
    Path model = directory.resolve("pressure.gguf");
    assertThat(sojourn("model", "synth", model.toString(), "--layers", "1").exit()).isZero();
    Typed typed =
        sojourn(
            "bench", "pressure", "--scale=0.05", "--model=" + model, "--plot=" + plot, "--json");
    assertThat(typed.exit()).as(typed.err()).isZero();
    JsonNode report = JsonMapper.shared().readTree(typed.out());
    assertThat(report.path("answers_equal").asBoolean(false)).isTrue();
    for (String way : List.of("plain_lru", "plain_priority", "sessions", "sessions_priority")) {
      JsonNode run = report.path("ways").path(way);
      assertThat(run.path("main").size()).isEqualTo(3);
      assertThat(run.path("main").path(2).path("recomputed_tokens").isInt()).isTrue();
      assertThat(run.path("main").path(2).path("first_token_ms").asDouble(0)).isPositive();
      assertThat(run.path("subagents").size()).isEqualTo(5);
      assertThat(run.path("subagents").path(4).path("turns").asInt(0)).isEqualTo(15);
      assertThat(run.path("subagents").path(4).path("peak_pages").asInt(0)).isPositive();
      assertThat(run.path("use").size()).isEqualTo(report.path("turns").asInt(0));
      assertThat(run.path("evicted_pages").asInt(0)).isPositive();
      assertThat(run.path("retractions").asInt(-1)).isZero();
      assertThat(run.path("seconds").asDouble(0)).isPositive();
      assertThat(run.path("returned_share").asDouble(-1))
          .satisfies(share -> assertThat(share > 0).isEqualTo(way.startsWith("sessions")));
    }
    assertThat(Files.readString(plot)).startsWith("<svg ");
  }

  @Test
  void benchTurns_plotThatFailsAtTheEnd_losesNoResults() throws Exception {
    Path full = Path.of("/dev/full"); // every write to it finds no space
    assumeTrue(Files.isWritable(full), "this system has no " + full);
    try (House house = House.open(directory, 1, 2048)) {
      Typed typed =
          sojourn(
              "bench",
              "turns",
              "--turns=2",
              "--sessions=1",
              "--warmup=0",
              "--url=" + house.url(),
              "--plot=" + full,
              "--json");
      assertThat(typed.exit()).isEqualTo(1);
      assertThat(JsonMapper.shared().readTree(typed.out()).path("ways").size()).isEqualTo(3);
      assertThat(typed.err())
          .contains("sojourn: the plot cannot be written to /dev/full")
          .doesNotContain("Exception");
    }
  }

  @Test
  void model_isMadeTheSameTwiceAndDescribed() throws Exception {
    Path first = directory.resolve("first.gguf");
    Path second = directory.resolve("second.gguf");
    for (Path path : List.of(first, second)) {
      Typed made = sojourn("model", "synth", path.toString(), "--arch", "llama", "--layers", "2");
      assertThat(made.exit()).as(made.err()).isZero();
    }
    assertThat(Files.mismatch(first, second)).isEqualTo(-1);
    assertThat(sojourn("model", "info", first.toString()).out())
        .contains("architecture  llama", "2 layers of 256");
    JsonNode info =
        JsonMapper.shared().readTree(sojourn("model", "info", first.toString(), "--json").out());
    assertThat(info.path("layers").asInt()).isEqualTo(2);
    assertThat(info.path("bytes").asLong()).isEqualTo(Files.size(first));
  }

  @Test
  void serve_whatIsNoModel_isOneLineThatSaysWhatItIs() throws Exception {
    Path missing = directory.resolve("missing.gguf");
    assertFails("no such file", "serve", "--port", "0", "--model", missing.toString());
    Path foreign = Files.writeString(directory.resolve("page.gguf"), "<html>404</html>");
    assertFails("HTML", "serve", "--port", "0", "--model", foreign.toString());
    Path whole = directory.resolve("whole.gguf");
    assertThat(sojourn("model", "synth", whole.toString()).exit()).isZero();
    byte[] bytes = Files.readAllBytes(whole);
    for (int length : new int[] {20, 10_000, 1 << 20}) { // in the counts, the header, the tensors
      Path cut = Files.write(directory.resolve("cut.gguf"), Arrays.copyOf(bytes, length));
      String found = " bytes, found " + length + ": the file seems cut short; download or copy";
      assertFails(found, "serve", "--port", "0", "--model", cut.toString());
    }
    Path keys = directory.resolve("keys.yaml");
    assertFails("there is no such file", "serve", "--port", "0", "--api-keys", keys.toString());
    Files.writeString(keys, "- sk-secret");
    assertFails("key: tenant", "serve", "--port", "0", "--api-keys", keys.toString());
    assertFails("shape", "model", "synth", "/nowhere/shape.gguf");
    assertFails(
        "memory", "serve", "--port", "0", "--kv-tokens", "2000000000", "--model", whole.toString());
  }

  @Test
  void serve_onAPortInUse_saysSoBeforeItLoads() throws Exception {
    try (House house = House.open(directory, 1, 64)) {
      Typed typed = sojourn("serve", "--port", String.valueOf(house.port()));
      assertThat(typed.exit()).isEqualTo(1);
      assertThat(typed.err())
          .hasLineCount(1)
          .contains("port " + house.port(), "in use", "choose another --port");
    }
  }

  private static void assertFails(String says, String... words) {
    Typed typed = sojourn(words);
    assertThat(typed.exit()).isEqualTo(1);
    assertThat(typed.err().lines().filter(line -> line.startsWith("sojourn: ")))
        .singleElement()
        .asString()
        .contains(says);
    assertThat(typed.err()).doesNotContain("Exception", "\tat ");
  }
}
