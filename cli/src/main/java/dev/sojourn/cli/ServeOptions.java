package dev.sojourn.cli;

import dev.sojourn.engine.EngineConfig;
import dev.sojourn.engine.EvictionPolicy;
import dev.sojourn.server.GatewayConfig;
import dev.sojourn.server.access.IdentityRule;
import dev.sojourn.server.http.HttpConfig;
import dev.sojourn.text.answer.AnswerStyle.Calls;
import dev.sojourn.text.answer.AnswerStyle.Reasoning;
import dev.sojourn.text.answer.ParserChoice;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.Spec.Target;

/** How a gateway listens, schedules and keeps; its defaults are those of the records it makes. */
final class ServeOptions {

  private static final GatewayConfig GATEWAY = GatewayConfig.defaults();
  private static final EngineConfig ENGINE = EngineConfig.defaults();

  @Spec(Target.MIXEE)
  private CommandSpec spec = CommandSpec.create();

  @Option(
      names = "--host",
      paramLabel = "H",
      description =
          "Address to listen on (default: 127.0.0.1, this machine alone; 0.0.0.0 is every one).")
  private String host = GATEWAY.http().host();

  @Option(
      names = "--port",
      paramLabel = "P",
      description = "Port to listen on; 0 takes a free one (default: ${DEFAULT-VALUE}).")
  private int port = GATEWAY.http().port();

  @Option(
      names = "--api-keys",
      paramLabel = "FILE",
      description = "File of API keys and their tenants (default: no key is needed).")
  private @Nullable Path apiKeys;

  @Option(
      names = "--implicit-sessions",
      negatable = true,
      fallbackValue = "true",
      description =
          "Whether a turn that only names a session, by header or in its body, opens it"
              + " (default: ${DEFAULT-VALUE}).")
  private boolean implicitSessions = GATEWAY.implicitSessions();

  @Option(
      names = "--session-headers",
      paramLabel = "H,…",
      hideParamSyntax = true,
      split = ",",
      description =
          "More headers in which clients name their session, tried before those of coding agents.")
  private List<String> sessionHeaders = List.of();

  @Option(
      names = "--transcript-mb",
      paramLabel = "N",
      description =
          "Most megabytes of what sessions have said, in all (default: ${DEFAULT-VALUE}).")
  private int transcriptMb = (int) (GATEWAY.transcriptBytes() >> 20);

  @Option(
      names = "--max-concurrent",
      paramLabel = "N",
      description = "Most generations at one time; more get 529 (default: ${DEFAULT-VALUE}).")
  private int maxConcurrent = GATEWAY.maxConcurrent();

  @Option(
      names = "--max-body-mb",
      paramLabel = "N",
      description = "Most megabytes of a request's body; more get 413 (default: ${DEFAULT-VALUE}).")
  private int maxBodyMb = GATEWAY.http().maxBody() >> 20;

  @Option(
      names = "--drain-seconds",
      paramLabel = "N",
      description = "How long running requests may take at shutdown (default: ${DEFAULT-VALUE}).")
  private int drainSeconds = (int) GATEWAY.drain().toSeconds();

  @Option(
      names = "--max-running",
      paramLabel = "N",
      description = "Most turns in a rank's batch (default: ${DEFAULT-VALUE}).")
  private int maxRunning = ENGINE.maxRunning();

  @Option(
      names = "--max-waiting",
      paramLabel = "N",
      description = "Most turns that wait for a rank; more get 529 (default: ${DEFAULT-VALUE}).")
  private int maxWaiting = ENGINE.maxWaiting();

  @Option(
      names = "--max-sessions",
      paramLabel = "N",
      description = "Most sessions open on a rank (default: ${DEFAULT-VALUE}).")
  private int maxSessions = ENGINE.maxSessions();

  @Option(
      names = "--prefill-chunk",
      paramLabel = "N",
      description =
          "Most prompt tokens of one step; no stream waits longer (default: ${DEFAULT-VALUE}).")
  private int prefillChunk = ENGINE.prefillChunk();

  @Option(
      names = "--session-kv-fraction",
      paramLabel = "F",
      description =
          "Share of a rank's KV that idle sessions keep before others' (default: ${DEFAULT-VALUE}).")
  private double sessionKvFraction = ENGINE.sessionKvFraction();

  @Option(
      names = "--eviction",
      paramLabel = "POLICY",
      defaultValue = "lru",
      description =
          "What is evicted first: lru, lfu, fifo, mru, filo, slru or priority"
              + " (default: ${DEFAULT-VALUE}).")
  private EvictionPolicy eviction = ENGINE.eviction();

  @Option(
      names = "--tool-parser",
      paramLabel = "STYLE",
      defaultValue = "auto",
      description =
          "How the model writes calls of tools: auto (as its template does), hermes, llama3_json or"
              + " none (default: ${DEFAULT-VALUE}).")
  private ToolParser toolParser = ToolParser.AUTO;

  @Option(
      names = "--reasoning-parser",
      paramLabel = "STYLE",
      defaultValue = "auto",
      description =
          "How the model marks reasoning: auto (as its template does), think or none"
              + " (default: ${DEFAULT-VALUE}).")
  private ReasoningParser reasoningParser = ReasoningParser.AUTO;

  private enum ToolParser {
    AUTO(Optional.empty()),
    HERMES(Optional.of(Calls.HERMES)),
    LLAMA3_JSON(Optional.of(Calls.LLAMA3_JSON)),
    NONE(Optional.of(Calls.NONE));

    private final Optional<Calls> style;

    ToolParser(Optional<Calls> style) {
      this.style = style;
    }
  }

  private enum ReasoningParser {
    AUTO(Optional.empty()),
    THINK(Optional.of(Reasoning.THINK)),
    NONE(Optional.of(Reasoning.NONE));

    private final Optional<Reasoning> style;

    ReasoningParser(Optional<Reasoning> style) {
      this.style = style;
    }
  }

  String host() {
    return host;
  }

  int port() {
    return port;
  }

  /**
   * Returns the configuration that these options stand for.
   *
   * @throws ParameterException at the first value that is out of bounds
   */
  GatewayConfig config() {
    Bounds bounds = new Bounds(spec.commandLine());
    bounds.between("--port", port, 0, 65_535);
    bounds.between("--max-concurrent", maxConcurrent, 1, 1_000_000);
    bounds.between("--max-body-mb", maxBodyMb, 1, 1024);
    bounds.between("--transcript-mb", transcriptMb, 1, 1 << 20);
    bounds.between("--drain-seconds", drainSeconds, 0, 3600);
    bounds.between("--max-running", maxRunning, 1, 4096);
    bounds.between("--max-waiting", maxWaiting, 1, 1_000_000);
    bounds.between("--max-sessions", maxSessions, 1, 16 << 20);
    bounds.between("--prefill-chunk", prefillChunk, 1, 65_536);
    bounds.between("--session-kv-fraction", sessionKvFraction, 0, 1);
    HttpConfig http = HttpConfig.defaults().listeningOn(host, port).withMaxBody(maxBodyMb << 20);
    EngineConfig engine =
        new EngineConfig(
            maxRunning,
            prefillChunk,
            maxWaiting,
            maxSessions,
            ENGINE.reserve(),
            sessionKvFraction,
            eviction,
            ENGINE.retention());
    List<IdentityRule> identity = new ArrayList<>();
    identity.add(IdentityRule.LADDER.getFirst());
    for (String header : sessionHeaders) {
      identity.add(new IdentityRule(header.strip().toLowerCase(Locale.ROOT), List.of(), ""));
    }
    identity.addAll(IdentityRule.LADDER.subList(1, IdentityRule.LADDER.size()));
    return new GatewayConfig(
        http,
        engine,
        Optional.ofNullable(apiKeys),
        implicitSessions,
        identity,
        maxConcurrent,
        (long) transcriptMb << 20,
        new ParserChoice(toolParser.style, reasoningParser.style),
        Duration.ofSeconds(drainSeconds));
  }
}
