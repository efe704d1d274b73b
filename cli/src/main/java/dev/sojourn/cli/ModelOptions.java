package dev.sojourn.cli;

import dev.sojourn.core.BlockHasher;
import dev.sojourn.engine.model.KvType;
import dev.sojourn.engine.model.LoadOptions;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalInt;
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
          "GGUF file to serve (of one in parts the first, NAME-00001-of-0000N.gguf), or directory"
              + " of a checkpoint (config.json, tokenizer.json, safetensors). Without it, a small"
              + " model with random weights, made at first start.")
  private @Nullable Path model;

  @Option(
      names = "--model-name",
      paramLabel = "NAME",
      description =
          "What clients call the model (default: the file's name without .gguf and"
              + " -00001-of-0000N, or the directory's).")
  private @Nullable String modelName;

  @Option(
      names = "--ranks",
      paramLabel = "N",
      description = "Ranks, each with its own KV (default: 1 with --model, 2 without).")
  private @Nullable Integer ranks;

  @Option(
      names = "--kv-tokens",
      paramLabel = "N",
      description =
          "Tokens whose KV each rank can hold, a multiple of 16 (default: what fits into a quarter"
              + " of the memory, at most 131072).")
  private @Nullable Integer kvTokens;

  @Option(
      names = "--kv-type",
      paramLabel = "TYPE",
      description = "How KV is stored: f16, bf16, f32 or q8_0 (default: ${DEFAULT-VALUE}).",
      defaultValue = "f16")
  private KvType kvType = LoadOptions.defaults().kvType();

  @Option(
      names = "--packed-cache",
      description =
          "Keep the packed weights in a file beside the model, FILE.sojourn-packed, so that the"
              + " next start reads instead of packing. It takes as much disk as the weights take"
              + " memory.")
  private boolean packedCache;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Threads that compute, shared by all ranks (default: one a processor).")
  private @Nullable Integer threads;

  @Option(
      names = "--context-length",
      paramLabel = "N",
      description =
          "Most tokens of a context (default: the model's own; beyond it, YaRN stretches it).")
  private @Nullable Integer contextLength;

  /** Returns the options that serve the model of our own in a given size. */
  static ModelOptions ofOurOwn(int ranks, int threads, int kvTokens, OptionalInt contextLength) {
    ModelOptions options = new ModelOptions();
    options.ranks = ranks;
    options.threads = threads;
    options.kvTokens = kvTokens;
    options.contextLength = contextLength.isPresent() ? contextLength.getAsInt() : null;
    return options;
  }

  /** Returns these options for the model in a file. */
  ModelOptions serving(Path file) {
    model = file;
    return this;
  }

  Optional<Path> model() {
    return Optional.ofNullable(model);
  }

  Optional<String> modelName() {
    return Optional.ofNullable(modelName);
  }

  int ranks() {
    if (ranks != null) {
      return ranks;
    }
    return model == null ? 2 : 1;
  }

  /** Returns how many tokens' KV a rank holds, if that was said. */
  OptionalInt kvTokens() {
    return optional(kvTokens);
  }

  KvType kvType() {
    return kvType;
  }

  /** Returns whether packed weights are kept beside the model. */
  boolean packedCache() {
    return packedCache;
  }

  int threads() {
    return threads != null ? threads : Runtime.getRuntime().availableProcessors();
  }

  /** Returns the most tokens of a context, if that was said. */
  OptionalInt contextLength() {
    return optional(contextLength);
  }

  /**
   * Checks every value.
   *
   * @throws ParameterException at the first that is out of bounds
   */
  void check() {
    Bounds bounds = new Bounds(spec.commandLine());
    bounds.betweenIfGiven("--ranks", ranks, 1, 64);
    bounds.betweenIfGiven("--threads", threads, 1, 1024);
    bounds.betweenIfGiven(
        "--kv-tokens",
        kvTokens,
        BlockHasher.BLOCK,
        Integer.MAX_VALUE / BlockHasher.BLOCK * BlockHasher.BLOCK);
    bounds.betweenIfGiven("--context-length", contextLength, 1, 16 << 20);
    if (kvTokens != null && kvTokens % BlockHasher.BLOCK != 0) {
      throw bounds.wrong("--kv-tokens", "is a multiple of 16, not " + kvTokens);
    }
  }

  private static OptionalInt optional(@Nullable Integer value) {
    return value == null ? OptionalInt.empty() : OptionalInt.of(value);
  }
}
