package dev.sojourn.cli;

import dev.sojourn.bench.engine.EngineBench;
import dev.sojourn.bench.engine.EnginePlot;
import dev.sojourn.bench.engine.EngineReport;
import dev.sojourn.bench.engine.EngineReport.Missing;
import dev.sojourn.bench.engine.MachineSpeed;
import dev.sojourn.bench.engine.Peers;
import dev.sojourn.bench.engine.Side;
import dev.sojourn.core.Clock;
import dev.sojourn.engine.model.KvType;
import dev.sojourn.engine.model.LoadOptions;
import dev.sojourn.engine.weights.ModelFile;
import dev.sojourn.engine.weights.ModelInfo;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Measures the engine beside its peers. */
@Command(
    name = "engine",
    description = {
      "Measure the engine beside its peers, on one model.",
      "Every side runs in a process of its own, with as many threads. They take turns at each point,"
          + " after one that is not counted: medians of tokens per second are shown with the least"
          + " and the most, and how many times as fast as each peer we are.",
      "",
      "Peers come from their packages: llama.cpp as Node's node-llama-cpp, jinfer as the jar and"
          + " llama3.java as the source file that its users have."
    },
    sortOptions = false,
    footer = {
      "",
      "Examples:",
      "  sojourn bench engine --quick",
      "  sojourn bench engine --model m.gguf --vs llama.cpp=peers --plot engine.svg",
      "",
      "llama.cpp in the directory 'peers':",
      "  npm install --prefix peers --ignore-scripts node-llama-cpp @node-llama-cpp/linux-x64"
    })
final class BenchEngine extends HelpOption implements Callable<Integer> {

  private static final Duration PATIENCE = Duration.ofMinutes(10);
  private static final int MOST_TOKENS = 1 << 20; // of a prompt or a context

  /** Room that a context must have left for the tokens that are decoded from it. */
  private static final int DECODED = 128;

  private static final int MOST_SEQUENCES = 64;

  @Spec private CommandSpec spec = CommandSpec.create();

  @Option(
      names = "--model",
      paramLabel = "FILE",
      description = "GGUF file to measure. Without it, the small model with random weights.")
  private @Nullable Path model;

  @Option(
      names = "--vs",
      paramLabel = "PEER",
      description =
          "llama.cpp[=DIR], where DIR holds node_modules (default: here); jinfer=JAR;"
              + " llama3.java=FILE. Again for each peer.")
  private List<String> peers = List.of();

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Threads of each side (default: one a processor).")
  private @Nullable Integer threads;

  @Option(
      names = "--prefill",
      paramLabel = "N",
      split = ",",
      description = "Lengths of prompts (default: 32,128,512,2048,8192).")
  private List<Integer> prompts = List.of();

  @Option(
      names = "--context",
      paramLabel = "N",
      split = ",",
      description = "Contexts to decode from (default: 128,2048,8192).")
  private List<Integer> contexts = List.of();

  @Option(
      names = "--batch",
      paramLabel = "N",
      split = ",",
      description = "Sequences decoded at a time (default: 1,2,4,8).")
  private List<Integer> batches = List.of();

  @Option(
      names = "--kv-type",
      paramLabel = "TYPE",
      description = "How our engine stores KV: f32, bf16, f16 or q8_0 (default: as it serves).")
  private KvType kvType = LoadOptions.defaults().kvType();

  @Option(
      names = "--minutes",
      paramLabel = "N",
      description =
          "What the run may take: rounds are left out first, then points (default: 60; 15 with"
              + " --quick).")
  private @Nullable Integer minutes;

  @Option(
      names = "--quick",
      description =
          "A few minutes: fewer rounds, and by default prompts of 32,128,512, contexts of 128 and"
              + " batches of 1,4.")
  private boolean quick;

  @Option(names = "--plot", paramLabel = "FILE", description = "Draw a plot, as SVG.")
  private @Nullable Path plot;

  @Option(names = "--json", description = "Answer in JSON, with every round.")
  private boolean json;

  @Override
  public Integer call() throws IOException, InterruptedException {
    EngineBench.Plan asked = plan(MOST_TOKENS);
    int used = threads == null ? Runtime.getRuntime().availableProcessors() : threads;
    new Bounds(spec.commandLine()).between("--threads", used, 1, 1024);
    PlotFile drawing = plot == null ? null : PlotFile.at(plot);
    LocalModel.checkProcessor();
    PrintWriter err = spec.commandLine().getErr();
    ProgressLine progress = new ProgressLine(err, ProgressLine.onTerminal(), Clock.system());
    Path file = model == null ? SyntheticCache.model(SyntheticCache.directory(), progress) : model;
    Path scratch = Files.createTempDirectory("sojourn-bench-");
    // Also where Ctrl-C ends it: states of contexts take gigabytes.
    Runtime.getRuntime().addShutdownHook(new Thread(() -> delete(scratch)));
    List<Side> sides = sides(new Peers(file, used, scratch));
    EngineBench.Plan plan = model == null ? asked : plan(context(model));
    LoadOptions options = new LoadOptions(used, OptionalInt.empty(), kvType);
    EngineBench bench = new EngineBench(file, options, sides, plan, Clock.system());
    EngineReport report = bench.run(MachineSpeed.measure(used, Clock.system()), err::println);
    Output output = new Output(spec.commandLine().getOut());
    if (json) {
      output.json(report.json());
    } else {
      new EngineTables(output, spec.commandLine().getColorScheme()).print(report);
    }
    if (drawing != null) {
      drawing.write(EnginePlot.svg(report));
    }
    if (report.starts().getFirst().readyMillis() instanceof Missing(String why)) {
      throw UserError.failed("our own engine was not measured: it " + why);
    }
    return ExitCode.OK;
  }

  /** Returns how many tokens a model's context has, if it says. */
  private static int context(Path file) {
    try (ModelFile opened = ModelFile.open(file)) {
      return ModelInfo.of(opened).context().orElse(MOST_TOKENS);
    }
  }

  private EngineBench.Plan plan(int context) {
    new Bounds(spec.commandLine()).betweenIfGiven("--minutes", minutes, 1, 1440);
    return new EngineBench.Plan(
        EngineBench.Plan.points(
            list(
                "--prefill",
                prompts,
                Math.min(MOST_TOKENS, context),
                quick ? List.of(32, 128, 512) : List.of(32, 128, 512, 2048, 8192)),
            list(
                "--context",
                contexts,
                Math.clamp(context - DECODED, 1, MOST_TOKENS),
                quick ? List.of(128) : List.of(128, 2048, 8192)),
            list("--batch", batches, MOST_SEQUENCES, quick ? List.of(1, 4) : List.of(1, 2, 4, 8))),
        quick ? 3 : 5,
        quick ? 1 : 3,
        Duration.ofSeconds(quick ? 30 : 180),
        Duration.ofMinutes(minutes != null ? minutes : quick ? 15 : 60),
        PATIENCE);
  }

  /**
   * Returns what an option lists, each of it from one to {@code most}, or its default as far as
   * that.
   */
  private List<Integer> list(
      String option, List<Integer> given, int most, List<Integer> otherwise) {
    Bounds bounds = new Bounds(spec.commandLine());
    given.forEach(value -> bounds.between(option, value, 1, most));
    return given.isEmpty() ? otherwise.stream().filter(value -> value <= most).toList() : given;
  }

  private List<Side> sides(Peers known) throws InterruptedException {
    List<Side> sides = new ArrayList<>();
    sides.add(known.sojourn(kvType));
    try {
      for (String peer : peers) {
        int equals = peer.indexOf('=');
        String name = equals < 0 ? peer : peer.substring(0, equals);
        Optional<Path> where =
            equals < 0 ? Optional.empty() : Optional.of(Path.of(peer.substring(equals + 1)));
        sides.add(
            switch (name) {
              case "llama.cpp" -> known.llamaCpp(where.orElse(Path.of(".")));
              case "jinfer" -> known.jinfer(where.orElseThrow(() -> incomplete(peer, "JAR")));
              case "llama3.java" ->
                  known.llama3Java(where.orElseThrow(() -> incomplete(peer, "FILE")));
              default ->
                  throw new Bounds(spec.commandLine())
                      .wrong("--vs", "is llama.cpp, jinfer=JAR or llama3.java=FILE, not " + peer);
            });
      }
    } catch (Peers.NotFoundException e) {
      throw UserError.failed(String.valueOf(e.getMessage()));
    }
    return sides;
  }

  private RuntimeException incomplete(String peer, String what) {
    return new Bounds(spec.commandLine()).wrong("--vs", "is " + peer + "=" + what);
  }

  private static void delete(Path directory) {
    try (Stream<Path> files = Files.walk(directory)) {
      files.sorted(Comparator.reverseOrder()).forEach(file -> file.toFile().delete());
    } catch (IOException | UncheckedIOException e) {
      return; // a side is writing still; such files are the system's to clear
    }
  }
}
