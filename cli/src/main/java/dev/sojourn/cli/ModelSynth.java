package dev.sojourn.cli;

import static java.util.Objects.requireNonNullElse;

import dev.sojourn.core.Clock;
import dev.sojourn.engine.weights.SyntheticModel;
import dev.sojourn.engine.weights.SyntheticModel.Architecture;
import dev.sojourn.engine.weights.SyntheticModel.Spec;
import dev.sojourn.engine.weights.TensorType;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
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
      "Examples:",
      "  sojourn model synth tiny.gguf --dimension 64 --heads 2 --kv-heads 1",
      "  sojourn model synth m.gguf --shape 0.6b --type f16"
    })
final class ModelSynth extends HelpOption implements Runnable {

  /** Where the numbers come from that are not said. */
  private enum Shape {
    SMALL("small"),
    HALF_BILLION("0.6b"),
    ONE_BILLION("1.2b");

    private final String word;

    Shape(String word) {
      this.word = word;
    }

    Spec spec() {
      return switch (this) {
        case SMALL -> Spec.small();
        case HALF_BILLION -> Spec.halfBillion();
        case ONE_BILLION -> Spec.oneBillion();
      };
    }

    @Override
    public String toString() {
      return word; // as it is typed
    }
  }

  /** What the matrices' weights are stored as. */
  private enum Type {
    F32,
    F16,
    BF16,
    Q8_0,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q4_K,
    Q5_K,
    Q6_K,
    Q4_K_M;

    TensorType most() {
      return this == Q4_K_M ? TensorType.Q4_K : TensorType.valueOf(name());
    }
  }

  @picocli.CommandLine.Spec private CommandSpec spec = CommandSpec.create();

  @Parameters(paramLabel = "OUT", description = "The file to write; one that is there is replaced.")
  private Path out = Path.of("model.gguf");

  @Option(
      names = "--shape",
      paramLabel = "NAME",
      defaultValue = "small",
      description = {
        "What the options below start from (default: ${DEFAULT-VALUE}):",
        "small  qwen3, 4 layers of 256, 4 million parameters",
        "0.6b   qwen3, 28 layers of 1024, vocabulary 151936",
        "1.2b   llama, 16 layers of 2048, vocabulary 128256"
      })
  private Shape shape = Shape.SMALL;

  @Option(
      names = "--arch",
      paramLabel = "NAME",
      description =
          "llama, qwen2, qwen3, qwen3moe (8 experts, 2 used), gemma3 or phi3 (default: the"
              + " shape's).")
  private @Nullable Architecture arch;

  @Option(names = "--layers", paramLabel = "N", description = "Transformer blocks.")
  private @Nullable Integer layers;

  @Option(names = "--dimension", paramLabel = "N", description = "Of the residual stream.")
  private @Nullable Integer dimension;

  @Option(names = "--hidden", paramLabel = "N", description = "Of the feed-forward part.")
  private @Nullable Integer hidden;

  @Option(names = "--heads", paramLabel = "N", description = "Heads of queries.")
  private @Nullable Integer heads;

  @Option(names = "--kv-heads", paramLabel = "N", description = "Of keys and values.")
  private @Nullable Integer kvHeads;

  @Option(names = "--head-dimension", paramLabel = "N", description = "Of one head.")
  private @Nullable Integer headDimension;

  @Option(names = "--vocabulary", paramLabel = "N", description = "Tokens.")
  private @Nullable Integer vocabulary;

  @Option(
      names = "--type",
      paramLabel = "TYPE",
      description =
          "f32, f16, bf16, q8_0, q4_0, q4_1, q5_0, q5_1, q4_k, q5_k, q6_k, or q4_k_m: q4_k with"
              + " some matrices of q6_k (default: q8_0).")
  private @Nullable Type type;

  @Option(
      names = "--context",
      paramLabel = "N",
      description = "Longest context, tokens (default: 32768).")
  private @Nullable Integer context;

  @Option(
      names = "--seed",
      paramLabel = "N",
      description = "What the weights are drawn from (default: 1).")
  private long seed = SyntheticCache.SEED;

  @Override
  public void run() {
    Spec from = shape.spec();
    Spec made;
    try {
      made =
          new Spec(
              requireNonNullElse(arch, from.architecture()),
              requireNonNullElse(layers, from.layers()),
              requireNonNullElse(dimension, from.dimension()),
              requireNonNullElse(hidden, from.hidden()),
              requireNonNullElse(heads, from.heads()),
              requireNonNullElse(kvHeads, from.kvHeads()),
              requireNonNullElse(headDimension, from.headDimension()),
              requireNonNullElse(vocabulary, from.vocabulary()),
              type == null ? from.type() : type.most(),
              type == Type.Q4_K_M,
              requireNonNullElse(context, from.context()));
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), String.valueOf(e.getMessage()));
    }
    ProgressLine progress =
        new ProgressLine(spec.commandLine().getErr(), ProgressLine.onTerminal(), Clock.system());
    SyntheticModel.write(out, made, seed, progress);
    new Output(spec.commandLine().getOut()).line("wrote " + out);
  }
}
