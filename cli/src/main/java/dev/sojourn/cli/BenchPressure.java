package dev.sojourn.cli;

import dev.sojourn.bench.GatewayClient;
import dev.sojourn.bench.PressureBench;
import dev.sojourn.bench.PressurePlot;
import dev.sojourn.bench.PressureReport;
import dev.sojourn.bench.PressureWay;
import dev.sojourn.core.BlockHasher;
import dev.sojourn.core.Clock;
import dev.sojourn.engine.EngineConfig;
import dev.sojourn.engine.EvictionPolicy;
import dev.sojourn.server.Gateway;
import dev.sojourn.server.GatewayConfig;
import dev.sojourn.server.ServedModel;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Measures a main agent and its subagents in a pool that is too small for all. */
@Command(
    name = "pressure",
    description = {
      "Measure a main agent that waits for its subagents.",
      "Five subagents of 9 to 15 turns take their turns between those of a main agent, in a pool"
          + " that holds the main agent and half of the others, in four ways: without sessions,"
          + " evicting by age or by priority, and with sessions, without and with priorities.",
      "",
      "Each way has a gateway of its own, which serves the small model on one thread. A first run"
          + " in a pool that holds everything warms up and finds out how large the pool is to be."
    },
    footer = {
      "",
      "Examples:",
      "  sojourn bench pressure",
      "  sojourn bench pressure --scale 4 --plot pressure.svg --json > pressure.json"
    })
final class BenchPressure extends HelpOption implements Callable<Integer> {

  private static final double SMALLEST = 0.05;
  private static final double LARGEST = 8;

  @Spec private CommandSpec spec = CommandSpec.create();

  @Option(
      names = "--scale",
      paramLabel = "X",
      defaultValue = "1",
      description =
          "How long prompts are; at 1 the main agent's first has 1200 tokens (default:"
              + " ${DEFAULT-VALUE}).")
  private double scale;

  @Option(
      names = "--model",
      paramLabel = "FILE",
      description = "GGUF file, or directory of a checkpoint (default: the small model).")
  private @Nullable Path model;

  @Option(
      names = "--plot",
      paramLabel = "FILE",
      defaultValue = "bench-pressure.svg",
      description = "Where the plot goes (default: ${DEFAULT-VALUE}).")
  private Path plot = Path.of("bench-pressure.svg");

  @Option(names = "--json", description = "Answer in JSON, with every turn.")
  private boolean json;

  @Override
  public Integer call() throws IOException, InterruptedException {
    new Bounds(spec.commandLine()).between("--scale", scale, SMALLEST, LARGEST);
    PlotFile drawing = PlotFile.at(plot);
    PressureReport report = measure();
    Output output = new Output(spec.commandLine().getOut());
    if (json) {
      output.json(report.json());
    } else {
      print(report, output);
    }
    drawing.write(PressurePlot.svg(report));
    if (!json) {
      output.line("plot: " + plot);
    }
    return report.answersAreEqual() ? ExitCode.OK : ExitCode.FAILED;
  }

  private PressureReport measure() throws IOException, InterruptedException {
    int enough = PressureBench.tokens(scale) / BlockHasher.BLOCK + 1;
    ModelOptions options =
        ModelOptions.ofOurOwn(1, 1, enough * BlockHasher.BLOCK, OptionalInt.empty());
    if (model != null) {
      options = options.serving(model);
    }
    try (LocalModel local = LocalModel.load(options, SyntheticCache.directory(), progress())) {
      PressureReport.Run rehearsal = run(PressureWay.SESSIONS, local.served());
      int pages = rehearsal.pagesUnderPressure();
      Map<PressureWay, PressureReport.Run> ways = new EnumMap<>(PressureWay.class);
      for (PressureWay way : PressureWay.values()) {
        ways.put(way, run(way, local.again(pages)));
      }
      return new PressureReport(local.served().id(), scale, pages, ways);
    }
  }

  private PressureReport.Run run(PressureWay way, ServedModel model) throws IOException {
    Clock clock = Clock.system();
    try (Gateway gateway = Gateway.start(config(way), model, clock)) {
      URI address = URI.create(ServeCommand.url(gateway.address()));
      GatewayClient client = GatewayOption.client(address, Optional.empty());
      ProgressLine progress = progress();
      return new PressureBench(client, model.id(), way, scale, clock, 1)
          .run(turn -> progress.at(way.label(), turn, PressureBench.turns()));
    }
  }

  private static GatewayConfig config(PressureWay way) {
    GatewayConfig defaults = GatewayConfig.defaults();
    EngineConfig engine = defaults.engine();
    EvictionPolicy eviction = way.hasPriority() ? EvictionPolicy.PRIORITY : EvictionPolicy.LRU;
    return defaults
        .withHttp(defaults.http().listeningOn("127.0.0.1", 0))
        .withEngine(
            new EngineConfig(
                engine.maxRunning(),
                engine.prefillChunk(),
                engine.maxWaiting(),
                engine.maxSessions(),
                engine.reserve(),
                engine.sessionKvFraction(),
                eviction,
                engine.retention()));
  }

  private ProgressLine progress() {
    return new ProgressLine(spec.commandLine().getErr(), ProgressLine.onTerminal(), Clock.system());
  }

  private static void print(PressureReport report, Output output) {
    output.line(
        "a main agent and "
            + PressureBench.TURNS.size()
            + " subagents with "
            + report.model()
            + ", one turn after the other, in a pool of "
            + report.pages()
            + " pages");
    List<List<Object>> rows = new ArrayList<>();
    report.ways().forEach((way, run) -> rows.add(row(way, run)));
    output.table(
        List.of(
            "way",
            "main computed again: turn 2",
            "turn 3",
            "its first token, ms: turn 1",
            "turn 2",
            "turn 3",
            "pages returned by closes",
            "pages evicted",
            "retracted",
            "seconds"),
        rows);
    output.line(
        report.answersAreEqual()
            ? "with sessions, and without, both ways gave the same answers"
            : "two ways gave different answers that must not, which is a fault");
  }

  private static List<Object> row(PressureWay way, PressureReport.Run run) {
    return List.of(
        way.label(),
        run.main().get(1).recomputed(),
        run.main().get(2).recomputed(),
        decimals(run.main().get(0).firstToken()),
        decimals(run.main().get(1).firstToken()),
        decimals(run.main().get(2).firstToken()),
        way.hasSessions() ? Math.round(100 * run.returnedShare()) + " %" : "-",
        run.evictedPages(),
        run.retractions(),
        decimals(run.seconds()));
  }

  private static String decimals(double value) {
    return String.format(Locale.ROOT, "%.1f", value);
  }
}
