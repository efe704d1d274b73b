package dev.sojourn.cli;

import dev.sojourn.engine.weights.GgufFile;
import dev.sojourn.engine.weights.ModelFileException;
import dev.sojourn.engine.weights.Progress;
import dev.sojourn.engine.weights.SyntheticModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/**
 * The model that is served when none is given, kept between starts in the user's cache directory:
 * {@code SOJOURN_CACHE}, else {@code $XDG_CACHE_HOME/sojourn}, else {@code ~/.cache/sojourn}. It is
 * written beside its place and moved there whole, so two first starts at once do no harm.
 */
final class SyntheticCache {

  /** What the weights of the model are drawn from. */
  static final long SEED = 1;

  /** What clients call it. */
  static final String NAME = "sojourn-tiny";

  private SyntheticCache() {}

  /** Returns the directory of the user that runs this process. */
  static Path directory() {
    return directory(System.getenv(), Path.of(System.getProperty("user.home")));
  }

  static Path directory(Map<String, String> environment, Path home) {
    String own = environment.getOrDefault("SOJOURN_CACHE", "");
    if (!own.isEmpty()) {
      return Path.of(own);
    }
    String xdg = environment.getOrDefault("XDG_CACHE_HOME", "");
    return (xdg.isEmpty() ? home.resolve(".cache") : Path.of(xdg)).resolve("sojourn");
  }

  /**
   * Returns the model's file, made now if it is not there, or not whole.
   *
   * @throws UserError if the directory cannot be made
   * @throws ModelFileException if the file cannot be written
   */
  static Path model(Path directory, Progress progress) {
    Path file = directory.resolve(NAME + "-" + SyntheticModel.EDITION + ".gguf");
    if (isWhole(file)) {
      return file;
    }
    try {
      Files.createDirectories(directory);
    } catch (IOException e) {
      throw UserError.failed(
          "the directory "
              + directory
              + " cannot be made ("
              + UserError.reason(e)
              + "); set SOJOURN_CACHE to one that can, or give a --model");
    }
    SyntheticModel.write(file, SyntheticModel.Spec.small(), SEED, progress);
    return file;
  }

  private static boolean isWhole(Path file) {
    if (!Files.exists(file)) {
      return false;
    }
    try (GgufFile opened = GgufFile.open(file)) {
      return opened.size() == SyntheticModel.bytes(SyntheticModel.Spec.small());
    } catch (ModelFileException e) {
      return false;
    }
  }
}
