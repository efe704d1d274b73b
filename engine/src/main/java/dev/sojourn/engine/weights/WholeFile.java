package dev.sojourn.engine.weights;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Writes files that are there whole or not at all: under another name beside their place, forced to
 * the disk, then moved into place in one step. So a target is the old file or the new one, whatever
 * happens. What was written so far is deleted on failure; if the process was killed, by whoever
 * writes the same target next.
 */
public final class WholeFile {

  /** Writes the bytes. */
  @FunctionalInterface
  public interface Content {

    /** Writes all bytes, in any order. */
    void write(FileChannel channel) throws IOException;
  }

  private WholeFile() {}

  /**
   * Writes a file.
   *
   * @param bytes that will be written
   * @param sources what it is made of: nobody may read the file who may not read all of these; if
   *     there are none, who may is left to the system
   * @throws ModelFileException.Unwritable if there is no room or no permission
   */
  public static void write(Path target, long bytes, List<Path> sources, Content content) {
    Path absolute = target.toAbsolutePath();
    checkPlace(target, absolute, bytes);
    try (PartFile part = PartFile.of(absolute, sources)) {
      content.write(part.channel());
      part.finish();
    } catch (IOException e) {
      throw new ModelFileException.Unwritable(
          target, room(absolute, bytes) + " and permission to write there", found(absolute, e));
    }
  }

  private static void checkPlace(Path target, Path absolute, long bytes) {
    if (Files.isDirectory(absolute)) {
      throw new ModelFileException.Unwritable(target, "a file to write", "a directory");
    }
    Path directory = absolute.getParent();
    if (directory == null || !Files.isDirectory(directory)) {
      throw new ModelFileException.Unwritable(
          target, "a file in an existing directory", "no directory " + directory);
    }
    if (free(absolute) < bytes) {
      throw new ModelFileException.Unwritable(
          target, room(absolute, bytes), free(absolute) + " bytes free");
    }
  }

  private static String room(Path absolute, long bytes) {
    return bytes + " bytes free in " + absolute.getParent();
  }

  private static String found(Path absolute, IOException e) {
    String reason =
        e instanceof FileSystemException named && named.getReason() != null
            ? named.getReason()
            : e.getClass().getSimpleName() + ": " + e.getMessage();
    return free(absolute) + " bytes free, and: " + reason;
  }

  private static long free(Path absolute) {
    try {
      return Files.getFileStore(absolute.resolveSibling(".")).getUsableSpace();
    } catch (IOException e) {
      return Long.MAX_VALUE; // unknown: writing will tell
    }
  }
}
