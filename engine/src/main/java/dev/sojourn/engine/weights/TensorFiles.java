package dev.sojourn.engine.weights;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The mapped files of a model, and which of its tensors is in which: one file, the shards of a
 * checkpoint, or the parts of a GGUF file. Filled by one thread, then safe for use by any; {@link
 * #close} as {@link ModelFile#close}.
 */
final class TensorFiles implements AutoCloseable {

  private final Arena arena = Arena.ofShared();
  private final List<Path> files = new ArrayList<>();
  private final List<ModelTensor> tensors = new ArrayList<>();
  private final Map<String, Path> places = new HashMap<>();
  private long size;

  /** Maps one more file, read-only. */
  MemorySegment map(Path file) {
    if (Files.isDirectory(file)) {
      throw new ModelFileException.Unreadable(file, "a directory");
    }
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      MemorySegment bytes = channel.map(MapMode.READ_ONLY, 0, channel.size(), arena);
      files.add(file);
      size += bytes.byteSize();
      return bytes;
    } catch (NoSuchFileException e) {
      throw new ModelFileException.Unreadable(file, "no such file");
    } catch (AccessDeniedException e) {
      throw new ModelFileException.Unreadable(file, "no permission to read it");
    } catch (IOException e) {
      throw new ModelFileException.Unreadable(file, String.valueOf(e.getMessage()));
    }
  }

  /**
   * Adds a tensor of a mapped file.
   *
   * @throws ModelFileException if there is one of this name
   */
  void add(Path file, ModelTensor tensor) {
    Path before = places.put(tensor.name(), file);
    if (before != null) {
      throw new ModelFileException.Malformed(
          file,
          tensor.offset(),
          "each tensor once",
          "\"" + tensor.name() + "\", which " + before.getFileName() + " has too");
    }
    tensors.add(tensor);
  }

  /** Returns the files in the order in which they were mapped. */
  List<Path> files() {
    return List.copyOf(files);
  }

  /** Returns the tensors in the order in which they were added. */
  List<ModelTensor> tensors() {
    return List.copyOf(tensors);
  }

  /** Returns the file that holds a tensor. */
  Optional<Path> place(String tensor) {
    return Optional.ofNullable(places.get(tensor));
  }

  /** Returns the bytes of all files. */
  long size() {
    return size;
  }

  /** Unmaps the files. */
  @Override
  public void close() {
    if (arena.scope().isAlive()) {
      arena.close();
    }
  }
}
