package dev.sojourn.cli;

import dev.sojourn.core.BlockHasher;
import dev.sojourn.engine.model.LoadOptions;
import dev.sojourn.engine.model.LoadedModel;
import dev.sojourn.engine.model.ModelRunner;
import dev.sojourn.engine.model.NotEnoughMemoryException;
import dev.sojourn.engine.weights.ModelFile;
import dev.sojourn.engine.weights.Progress;
import dev.sojourn.server.ServedModel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * A model loaded into this process, with the runners of its ranks. The runners pass to the gateway
 * that serves them; the weights stay here, and are freed by {@link #close} after the gateway.
 */
final class LocalModel implements AutoCloseable {

  /** The most KV tokens of a rank that nobody chose. */
  private static final int MOST_KV_TOKENS = 131_072;

  private final LoadedModel loaded;
  private final ServedModel served;
  private final int kvTokens;

  private LocalModel(LoadedModel loaded, ServedModel served, int kvTokens) {
    this.loaded = loaded;
    this.served = served;
    this.kvTokens = kvTokens;
  }

  /**
   * Loads the model that the options name, or the one of our own.
   *
   * @param cache the directory that keeps our own
   * @throws UserError if the machine cannot run it
   * @throws dev.sojourn.engine.weights.ModelFileException if the file is no model that we can run
   */
  static LocalModel load(ModelOptions options, Path cache, Progress progress) {
    checkProcessor();
    Path path = options.model().orElseGet(() -> SyntheticCache.model(cache, progress));
    String id =
        options
            .modelName()
            .or(() -> options.model().map(LocalModel::nameOf))
            .orElse(SyntheticCache.NAME);
    try (ModelFile file = ModelFile.open(path)) {
      LoadOptions how = loadOptions(options);
      int pages = pages(options, LoadedModel.kvBytesPerPage(file, how));
      LoadedModel.checkMemory(file, how, options.ranks(), pages);
      LoadedModel loaded = LoadedModel.loadWarm(file, how, progress);
      List<ModelRunner> runners = new ArrayList<>();
      boolean ready = false;
      try {
        for (int rank = 0; rank < options.ranks(); rank++) {
          runners.add(loaded.newRunner(pages));
        }
        ServedModel served =
            new ServedModel(
                id, installed(path), file.vocabulary(), file.chatTemplate().orElse(""), runners);
        ready = true;
        return new LocalModel(loaded, served, pages * BlockHasher.BLOCK);
      } finally {
        if (!ready) {
          runners.forEach(ModelRunner::close);
          loaded.close();
        }
      }
    } catch (NotEnoughMemoryException e) {
      throw UserError.failed(String.valueOf(e.getMessage()));
    }
  }

  /**
   * Refuses a machine that can run no model, before one is made or read.
   *
   * @throws UserError if it has no FMA instructions
   */
  static void checkProcessor() {
    try {
      LoadedModel.checkProcessor();
    } catch (UnsupportedOperationException e) {
      throw UserError.failed(String.valueOf(e.getMessage()));
    }
  }

  ServedModel served() {
    return served;
  }

  /**
   * Returns the model for another gateway, with one rank of its own; to be served after the first
   * gateway has ended.
   *
   * @param pages the rank's KV pages
   */
  ServedModel again(int pages) {
    return new ServedModel(
        served.id(),
        served.created(),
        served.vocabulary(),
        served.chatTemplate(),
        List.of(loaded.newRunner(pages)));
  }

  /** Returns how many tokens' KV each rank can hold. */
  int kvTokens() {
    return kvTokens;
  }

  /**
   * Returns what to say where a rank cannot hold one conversation of the model's whole context;
   * nothing where it can.
   */
  Optional<String> tooLittleKv() {
    int context = served.runners().getFirst().contextLength();
    return kvTokens >= context
        ? Optional.empty()
        : Optional.of(
            "a rank has KV for %d tokens, but a context may have %d: longer prompts will be refused; raise --kv-tokens, or say --context-length %d"
                .formatted(kvTokens, context, kvTokens));
  }

  @Override
  public void close() {
    loaded.close();
  }

  private static LoadOptions loadOptions(ModelOptions options) {
    return new LoadOptions(
        options.threads(), options.contextLength(), options.kvType(), options.packedCache());
  }

  private static int pages(ModelOptions options, long bytesPerPage) {
    OptionalInt tokens = options.kvTokens();
    if (tokens.isPresent()) {
      return tokens.getAsInt() / BlockHasher.BLOCK;
    }
    var machine =
        (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    long share = machine.getTotalMemorySize() / 4 / options.ranks();
    return Math.clamp(share / bytesPerPage, 1, MOST_KV_TOKENS / BlockHasher.BLOCK);
  }

  /** Returns what a model is called of which nobody said it. */
  static String nameOf(Path file) {
    Path whole = file.toAbsolutePath().normalize();
    if (whole.toString().endsWith(".safetensors") && whole.getParent() != null) {
      whole = whole.getParent();
    }
    return String.valueOf(whole.getFileName()).replaceFirst("(-00001-of-\\d{5})?\\.gguf$", "");
  }

  private static Instant installed(Path file) {
    try {
      return Files.getLastModifiedTime(file).toInstant();
    } catch (IOException e) {
      throw new UncheckedIOException("the time of " + file + " cannot be read", e);
    }
  }
}
