package dev.sojourn.cli;

import dev.sojourn.bench.GatewayClient;
import dev.sojourn.bench.Meter;
import dev.sojourn.bench.TurnsBench;
import dev.sojourn.bench.TurnsPlot;
import dev.sojourn.bench.TurnsReport;
import dev.sojourn.core.Clock;
import dev.sojourn.engine.weights.SyntheticModel;
import dev.sojourn.server.Gateway;
import dev.sojourn.server.GatewayConfig;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Measures long conversations. */
@Command(
    name = "turns",
    description = {
      "Measure long agent conversations.",
      "Each turn has 16 tokens in and 8 out, in three ways that alternate: without a session, in a"
          + " session with full prompts, in a session with deltas.",
      "",
      "By default a gateway of its own serves the small model over HTTP, computing on one thread:"
          + " then CPU time outside the model is the process's CPU time less the time inside the"
          + " model and less that of the benchmark's own threads. --url measures a gateway that"
          + " runs already.",
      "",
      "\"growth\" is how many times the CPU time outside the model around turn 10 the last ten turns"
          + " take: about 1 where a turn costs the same however long the conversation is."
    },
    footer = {
      "",
      "Examples:",
      "  sojourn bench turns --turns 100",
      "  sojourn bench turns --plot turns.svg --json > turns.json"
    })
final class BenchTurns extends HelpOption implements Callable<Integer> {

  /** More than a turn takes with its template, so that nothing is evicted. */
  private static final int KV_TOKENS_A_TURN = 48;

  @Spec private CommandSpec spec = CommandSpec.create();

  @Option(
      names = "--turns",
      paramLabel = "N",
      defaultValue = "300",
      description = "Turns of each conversation (default: ${DEFAULT-VALUE}).")
  private int turns;

  @Option(
      names = "--sessions",
      paramLabel = "N",
      defaultValue = "4",
      description = "Conversations of each way, at the same time (default: ${DEFAULT-VALUE}).")
  private int sessions;

  @Option(
      names = "--warmup",
      paramLabel = "N",
      description = "Turns of a run before, thrown away (default: as many as --turns).")
  private @Nullable Integer warmupTurns;

  @Option(
      names = "--url",
      paramLabel = "URL",
      description = "Measure the gateway at this address instead of one of its own.")
  private @Nullable URI url;

  @Option(
      names = "--api-key",
      paramLabel = "KEY",
      description = "The API key for --url; better given as SOJOURN_API_KEY.")
  private @Nullable String apiKey;

  @Option(
      names = "--plot",
      paramLabel = "FILE",
      defaultValue = "bench-turns.svg",
      description = "Where the plot goes (default: ${DEFAULT-VALUE}).")
  private Path plot = Path.of("bench-turns.svg");

  @Option(names = "--json", description = "Answer in JSON, with every turn.")
  private boolean json;

  @Override
  public Integer call() throws IOException, InterruptedException {
    Bounds bounds = new Bounds(spec.commandLine());
    bounds.between("--turns", turns, 2, 100_000);
    bounds.between("--sessions", sessions, 1, 1024);
    bounds.betweenIfGiven("--warmup", warmupTurns, 0, 100_000);
    PlotFile drawing = PlotFile.at(plot);
    TurnsReport report = url == null ? inProcess() : measure(url, false);
    Output output = new Output(spec.commandLine().getOut());
    if (json) {
      output.json(report.json());
    } else {
      print(report, output);
    }
    drawing.write(TurnsPlot.svg(report));
    if (!json) {
      output.line("plot: " + plot);
    }
    return ExitCode.OK;
  }

  private TurnsReport inProcess() throws IOException, InterruptedException {
    long tokens = 3L * sessions * Math.max(turns, warmup()) * KV_TOKENS_A_TURN;
    if (tokens > Integer.MAX_VALUE / 2) {
      throw new ParameterException(
          spec.commandLine(), sessions + " sessions of " + turns + " turns are too many");
    }
    int context = Math.max(turns, warmup()) * KV_TOKENS_A_TURN;
    OptionalInt stretched =
        context > SyntheticModel.Spec.small().context()
            ? OptionalInt.of(context)
            : OptionalInt.empty();
    ModelOptions options = ModelOptions.ofOurOwn(1, 1, (int) tokens, stretched);
    GatewayConfig defaults = GatewayConfig.defaults();
    GatewayConfig config = defaults.withHttp(defaults.http().listeningOn("127.0.0.1", 0));
    try (LocalModel local = LocalModel.load(options, SyntheticCache.directory(), progress());
        Gateway gateway = Gateway.start(config, local.served(), Clock.system())) {
      return measure(URI.create(ServeCommand.url(gateway.address())), true);
    }
  }

  private TurnsReport measure(URI address, boolean inProcess) throws InterruptedException {
    GatewayClient client = GatewayOption.client(address, Optional.ofNullable(apiKey));
    Meter meter = inProcess ? Meter.inProcess(client) : Meter.remote(client);
    ProgressLine progress = progress();
    return new TurnsBench(client, meter, client.model(), sessions, turns, warmup(), 1)
        .run(turn -> progress.at("turns", turn, turns));
  }

  private int warmup() {
    return warmupTurns == null ? turns : warmupTurns;
  }

  private ProgressLine progress() {
    return new ProgressLine(spec.commandLine().getErr(), ProgressLine.onTerminal(), Clock.system());
  }

  private void print(TurnsReport report, Output output) {
    output.line(
        report.sessions()
            + " conversations of "
            + report.turns()
            + " turns with "
            + report.model()
            + "; milliseconds of a turn");
    List<List<Object>> rows = new ArrayList<>();
    report
        .ways()
        .forEach((way, turns) ->
            rows.add(
                List.of(
                    way.label(),
                    millis(TurnsReport.mean(turns, TurnsReport.Turn::latency)),
                    millis(TurnsReport.last(turns, TurnsReport.Turn::latency)),
                    millis(TurnsReport.last(turns, TurnsReport.Turn::firstToken)),
                    millis(TurnsReport.mean(turns, TurnsReport.Turn::cpuOutside)),
                    millis(TurnsReport.aroundTenth(turns, TurnsReport.Turn::cpuOutside)),
                    millis(TurnsReport.last(turns, TurnsReport.Turn::cpuOutside)),
                    millis(TurnsReport.growth(turns, TurnsReport.Turn::cpuOutside)),
                    Math.round(TurnsReport.last(turns, TurnsReport.Turn::prompt)),
                    Math.round(TurnsReport.last(turns, TurnsReport.Turn::cached)))));
    output.table(
        List.of(
            "way",
            "mean",
            "last 10",
            "first token, last 10",
            "CPU outside model, mean",
            "around turn 10",
            "last 10",
            "growth",
            "prompt",
            "reused"),
        rows);
    if (!report.stops().isEmpty()) {
      output.line(stops("the garbage collector", report.collections()));
      output.line(stops("other reasons", report.otherStops()));
    }
  }

  private static String stops(String what, double[] sorted) {
    return "stops of all threads for "
        + what
        + ": "
        + sorted.length
        + ", half up to "
        + millis(TurnsReport.quantile(sorted, 0.5))
        + " ms, p99 "
        + millis(TurnsReport.quantile(sorted, 0.99))
        + " ms, longest "
        + millis(TurnsReport.quantile(sorted, 1))
        + " ms";
  }

  private static String millis(double value) {
    return String.format(Locale.ROOT, "%.2f", value);
  }
}
