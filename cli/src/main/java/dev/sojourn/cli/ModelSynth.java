package dev.sojourn.cli;

import dev.sojourn.core.Clock;
import dev.sojourn.engine.weights.SyntheticModel;
import dev.sojourn.engine.weights.SyntheticModel.Architecture;
import dev.sojourn.engine.weights.SyntheticModel.Spec;
import dev.sojourn.engine.weights.TensorType;
import java.nio.file.Path;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;

/** Makes a model with random weights. */
@Command(
    name = "synth",
    description = {
      "Make a complete GGUF model with random weights.",
      "It is for tests, and to try things out. The same options and seed give the same bytes on"
          + " every machine."
    },
    footer = {
      "",
      "Example:",
      "  sojourn model synth tiny.gguf --arch qwen2 --dimension 64 --heads 2 --kv-heads 1 --type f32"
    })
final class ModelSynth extends HelpOption implements Runnable {

  private static final Spec SMALL = Spec.small();

  @picocli.CommandLine.Spec private CommandSpec spec = CommandSpec.create();

  @Parameters(paramLabel = "OUT", description = "The file to write; one that is there is replaced.")
  private Path out = Path.of("model.gguf");

  @Option(
      names = "--arch",
      paramLabel = "NAME",
      defaultValue = "qwen3",
      description = "llama, qwen2 or qwen3 (default: ${DEFAULT-VALUE}).")
  private Architecture arch = SMALL.architecture();

  @Option(
      names = "--layers",
      paramLabel = "N",
      description = "Transformer blocks (default: ${DEFAULT-VALUE}).")
  private int layers = SMALL.layers();

  @Option(
      names = "--dimension",
      paramLabel = "N",
      description = "Of the residual stream (default: ${DEFAULT-VALUE}).")
  private int dimension = SMALL.dimension();

  @Option(
      names = "--hidden",
      paramLabel = "N",
      description = "Of the feed-forward part (default: ${DEFAULT-VALUE}).")
  private int hidden = SMALL.hidden();

  @Option(
      names = "--heads",
      paramLabel = "N",
      description = "Heads of queries (default: ${DEFAULT-VALUE}).")
  private int heads = SMALL.heads();

  @Option(
      names = "--kv-heads",
      paramLabel = "N",
      description = "Of keys and values (default: ${DEFAULT-VALUE}).")
  private int kvHeads = SMALL.kvHeads();

  @Option(
      names = "--head-dimension",
      paramLabel = "N",
      description = "Of one head (default: ${DEFAULT-VALUE}).")
  private int headDimension = SMALL.headDimension();

  @Option(
      names = "--vocabulary",
      paramLabel = "N",
      description = "Tokens (default: ${DEFAULT-VALUE}).")
  private int vocabulary = SMALL.vocabulary();

  @Option(
      names = "--type",
      paramLabel = "TYPE",
      defaultValue = "q8_0",
      description = "f32, f16, bf16, q8_0 or q4_0 (default: ${DEFAULT-VALUE}).")
  private TensorType type = SMALL.type();

  @Option(
      names = "--context",
      paramLabel = "N",
      description = "Longest context, tokens (default: ${DEFAULT-VALUE}).")
  private int context = SMALL.context();

  @Option(
      names = "--seed",
      paramLabel = "N",
      description = "What the weights are drawn from (default: 1).")
  private long seed = SyntheticCache.SEED;

  @Override
  public void run() {
    Spec shape;
    try {
      shape =
          new Spec(
              arch,
              layers,
              dimension,
              hidden,
              heads,
              kvHeads,
              headDimension,
              vocabulary,
              type,
              context);
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), String.valueOf(e.getMessage()));
    }
    ProgressLine progress =
        new ProgressLine(spec.commandLine().getErr(), ProgressLine.onTerminal(), Clock.system());
    SyntheticModel.write(out, shape, seed, progress);
    new Output(spec.commandLine().getOut()).line("wrote " + out);
  }
}
