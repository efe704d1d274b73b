package dev.sojourn.cli;

import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.Spec.Target;

/** Which model runs in this process, and how much of the machine it gets. */
final class ModelOptions {

  @Spec(Target.MIXEE)
  private CommandSpec spec = CommandSpec.create();

  @Option(
      names = "--model",
      paramLabel = "FILE",
      description =
          "GGUF file to serve. Without it, a small model with random weights, made at first start.")
  private @Nullable Path model;

  @Option(
      names = "--model-name",
      paramLabel = "NAME",
      description = "What clients call the model (default: the file's name without .gguf).")
  private @Nullable String modelName;

  @Option(
      names = "--ranks",
      paramLabel = "N",
      defaultValue = "0",
      description = "Ranks, each with its own KV (default: 1 with --model, 2 without).")
  private int ranks;

  @Option(
      names = "--kv-tokens",
      paramLabel = "N",
      defaultValue = "0",
      description =
          "Tokens whose KV each rank can hold, a multiple of 16 (default: what fits into a quarter"
              + " of the memory, at most 131072).")
  private int kvTokens;

  @Option(
      names = "--threads",
      paramLabel = "N",
      defaultValue = "0",
      description = "Threads that compute, shared by all ranks (default: one a processor).")
  private int threads;

  @Option(
      names = "--context-length",
      paramLabel = "N",
      defaultValue = "0",
      description =
          "Most tokens of a context (default: the model's own; beyond it, YaRN stretches it).")
  private int contextLength;

  /** Returns the options that serve the model of our own in a given size. */
  static ModelOptions ofOurOwn(int ranks, int threads, int kvTokens, int contextLength) {
    ModelOptions options = new ModelOptions();
    options.ranks = ranks;
    options.threads = threads;
    options.kvTokens = kvTokens;
    options.contextLength = contextLength;
    return options;
  }

  Optional<Path> model() {
    return Optional.ofNullable(model);
  }

  Optional<String> modelName() {
    return Optional.ofNullable(modelName);
  }

  int ranks() {
    return ranks > 0 ? ranks : model == null ? 2 : 1;
  }

  int kvTokens() {
    return kvTokens;
  }

  int threads() {
    return threads > 0 ? threads : Runtime.getRuntime().availableProcessors();
  }

  int contextLength() {
    return contextLength;
  }

  /**
   * Checks every value.
   *
   * @throws ParameterException at the first that is out of bounds
   */
  void check() {
    Bounds bounds = new Bounds(spec.commandLine());
    bounds.between("--ranks", ranks, 0, 64);
    bounds.between("--threads", threads, 0, 1024);
    bounds.between("--kv-tokens", kvTokens, 0, Integer.MAX_VALUE);
    bounds.between("--context-length", contextLength, 0, 16 << 20);
    if (kvTokens % 16 != 0) {
      throw bounds.wrong("--kv-tokens", "is a multiple of 16, not " + kvTokens);
    }
  }
}
