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
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * An open GGUF model file (version 2 or 3): its metadata, and its tensors mapped from disk.
 *
 * <p>Opening reads and checks the whole header and touches no tensor. The file must not shrink
 * while it is open: the mapping then has nothing behind it. Safe for use by any thread; {@link
 * #close} ends the life of all tensor data and must not run while another thread reads it.
 */
public final class GgufFile implements AutoCloseable {

  private final Path path;
  private final long size;
  private final Arena arena;
  private final GgufReader.Header header;
  private final Map<String, GgufTensor> byName = new HashMap<>();

  private GgufFile(Path path, long size, Arena arena, GgufReader.Header header) {
    this.path = path;
    this.size = size;
    this.arena = arena;
    this.header = header;
    header.tensors().forEach(tensor -> byName.put(tensor.name(), tensor));
  }

  /**
   * Maps a file and reads its header.
   *
   * @throws ModelFileException if it cannot be read, is not GGUF, or is damaged
   */
  public static GgufFile open(Path path) {
    if (Files.isDirectory(path)) {
      throw new ModelFileException.Unreadable(path, "a directory");
    }
    Arena arena = Arena.ofShared();
    boolean opened = false;
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      long size = channel.size();
      MemorySegment bytes = channel.map(MapMode.READ_ONLY, 0, size, arena);
      GgufFile file = new GgufFile(path, size, arena, GgufReader.read(path, bytes));
      opened = true;
      return file;
    } catch (NoSuchFileException e) {
      throw new ModelFileException.Unreadable(path, "no such file");
    } catch (AccessDeniedException e) {
      throw new ModelFileException.Unreadable(path, "no permission to read it");
    } catch (IOException e) {
      throw new ModelFileException.Unreadable(path, String.valueOf(e.getMessage()));
    } finally {
      if (!opened) {
        arena.close();
      }
    }
  }

  /** Returns where the file is. */
  public Path path() {
    return path;
  }

  /** Returns the bytes of the file. */
  public long size() {
    return size;
  }

  /** Returns the version of the format, 2 or 3. */
  public int version() {
    return header.version();
  }

  /** Returns the key-values. */
  public GgufMetadata metadata() {
    return header.metadata();
  }

  /** Returns all tensors in the order of the file, also of types that are not supported. */
  public List<GgufTensor> tensors() {
    return header.tensors();
  }

  /** Returns {@code general.architecture}: which model this is, and how its keys begin. */
  public String architecture() {
    return metadata().string("general.architecture");
  }

  /** Returns the model's chat template, in Jinja, if it has one. */
  public Optional<String> chatTemplate() {
    return metadata().findString("tokenizer.chat_template");
  }

  /** Returns whether there is a tensor of this name. */
  public boolean has(String name) {
    return byName.containsKey(name);
  }

  /**
   * Returns a tensor to compute with.
   *
   * @param dimensions what its shape must be, GGUF's order (length of a row first)
   * @throws ModelFileException if there is none, its shape is another, or its type is not supported
   */
  public GgufTensor tensor(String name, long... dimensions) {
    return findTensor(name, dimensions)
        .orElseThrow(() ->
            new ModelFileException.Malformed(
                path,
                "tensor \"" + name + "\" with dimensions " + Arrays.toString(dimensions),
                "no such tensor"));
  }

  /** Returns a tensor to compute with, checked as {@link #tensor} does, if there is one. */
  public Optional<GgufTensor> findTensor(String name, long... dimensions) {
    GgufTensor tensor = byName.get(name);
    if (tensor == null) {
      return Optional.empty();
    }
    List<Long> expected = Arrays.stream(dimensions).boxed().toList();
    if (!tensor.dimensions().equals(expected)) {
      throw new ModelFileException.Malformed(
          path,
          tensor.offset(),
          "tensor \"" + name + "\" with dimensions " + expected,
          tensor.dimensions().toString());
    }
    if (!tensor.type().supported()) {
      throw new ModelFileException.Unsupported(
          path,
          OptionalLong.of(tensor.offset()),
          "tensor \"" + name + "\" of a supported type (" + TensorType.supportedNames() + ")",
          "type " + tensor.type());
    }
    return Optional.of(tensor);
  }

  /** Returns what to throw where the numbers of a tensor make no sense. */
  public ModelFileException wrong(GgufTensor tensor, String expected, String found) {
    return new ModelFileException.Malformed(
        path, tensor.offset(), "tensor \"" + tensor.name() + "\" to have " + expected, found);
  }

  /** Unmaps the file. Tensor data may not be touched after; metadata may. */
  @Override
  public void close() {
    if (arena.scope().isAlive()) {
      arena.close();
    }
  }
}
