package dev.sojourn.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Where a plot goes: looked at before measuring, which takes minutes, and written after. */
record PlotFile(Path path) {

  /**
   * Returns the file.
   *
   * @throws UserError if it could not be written
   */
  static PlotFile at(Path path) {
    PlotFile file = new PlotFile(path);
    Path folder = path.toAbsolutePath().getParent();
    if (Files.isDirectory(path)) {
      throw file.unwritable("it is a directory");
    }
    if (folder == null || !Files.isDirectory(folder)) {
      throw file.unwritable("there is no directory " + folder);
    }
    if (!Files.isWritable(Files.exists(path) ? path : folder)) {
      throw file.unwritable("permission denied");
    }
    return file;
  }

  /**
   * Writes the plot.
   *
   * @throws UserError if that fails
   */
  void write(String svg) {
    try {
      Files.writeString(path, svg);
    } catch (IOException e) {
      throw unwritable(UserError.reason(e));
    }
  }

  private UserError unwritable(String why) {
    return UserError.failed(
        "the plot cannot be written to " + path + " (" + why + "); choose another --plot");
  }
}
