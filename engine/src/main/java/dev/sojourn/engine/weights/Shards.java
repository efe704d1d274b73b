package dev.sojourn.engine.weights;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;

/**
 * The safetensors files of a checkpoint, and which tensor is in which. With an index, each must
 * hold exactly what the index says; a tensor that the model has no place for is refused, since
 * leaving it out would change what the model computes.
 */
final class Shards {

  private static final String SINGLE = "model.safetensors";
  private static final String INDEX = "model.safetensors.index.json";
  private static final String IN_INDEX = "weight_map.";

  /** A file beside the index and nowhere else. */
  private static final Pattern PLAIN_NAME =
      Pattern.compile("[A-Za-z0-9_][A-Za-z0-9._-]{0,200}\\.safetensors");

  private final CheckpointFamily family;
  private final Map<String, Path> files = new HashMap<>();
  private final List<ModelTensor> tensors = new ArrayList<>();
  private long size;

  private Shards(CheckpointFamily family) {
    this.family = family;
  }

  /** Maps a directory's files and reads their headers. */
  static Shards open(Path directory, CheckpointFamily family, Arena arena) {
    Shards shards = new Shards(family);
    Path indexFile = directory.resolve(INDEX);
    if (Files.exists(directory.resolve(SINGLE)) || !Files.exists(indexFile)) {
      shards.add(directory.resolve(SINGLE), arena);
      return shards;
    }
    Map<String, String> index = readIndex(indexFile);
    for (String name : new TreeSet<>(index.values())) {
      for (ModelTensor tensor : shards.add(directory.resolve(name), arena)) {
        String planned = index.remove(tensor.name());
        if (!name.equals(planned)) {
          throw new ModelFileException.Malformed(
              directory.resolve(name),
              "tensor \"" + tensor.name() + "\" where " + INDEX + " has it",
              "it is here, and by the index " + (planned == null ? "nowhere" : "in " + planned));
        }
      }
    }
    index.forEach((tensor, name) -> {
      throw new ModelFileException.Malformed(
          directory.resolve(name), "tensor \"" + tensor + "\", by " + INDEX, "no such tensor");
    });
    return shards;
  }

  private static Map<String, String> readIndex(Path file) {
    ModelMetadata json = JsonMetadata.read(file);
    Map<String, String> index = new LinkedHashMap<>();
    for (String key : json.keys()) {
      if (key.startsWith(IN_INDEX)) {
        String name = json.string(key);
        if (!PLAIN_NAME.matcher(name).matches()) {
          throw json.wrong(key, "the name of a .safetensors file in the same directory");
        }
        index.put(key.substring(IN_INDEX.length()), name);
      }
    }
    if (index.isEmpty()) {
      throw new ModelFileException.Malformed(file, "\"weight_map\" with tensors", "none");
    }
    return index;
  }

  /** Adds a file; returns its tensors by their own names. */
  private List<ModelTensor> add(Path file, Arena arena) {
    MemorySegment bytes = ModelFile.map(file, arena);
    size += bytes.byteSize();
    List<ModelTensor> own = SafetensorsReader.read(file, bytes);
    for (ModelTensor tensor : own) {
      if (!family.ignores(tensor.name())) {
        add(file, tensor);
      }
    }
    return own;
  }

  private void add(Path file, ModelTensor tensor) {
    String name =
        family
            .ggufName(tensor.name())
            .orElseThrow(() ->
                new ModelFileException.Malformed(
                    file,
                    tensor.offset(),
                    "tensors of a " + family.architecture() + " model",
                    "\"" + tensor.name() + "\""));
    Path before = files.put(name, file);
    if (before != null) {
      throw new ModelFileException.Malformed(
          file,
          tensor.offset(),
          "each tensor once",
          "\"" + tensor.name() + "\", which " + before.getFileName() + " has too");
    }
    tensors.add(
        new ModelTensor(name, tensor.type(), tensor.dimensions(), tensor.offset(), tensor.data()));
  }

  /** Returns the tensors by GGUF's names. */
  List<ModelTensor> tensors() {
    return tensors;
  }

  /** Returns the file that holds a tensor. */
  Optional<Path> file(String ggufName) {
    return Optional.ofNullable(files.get(ggufName));
  }

  /** Returns all files that hold tensors, in order of name. */
  Set<Path> files() {
    return new TreeSet<>(files.values());
  }

  /** Returns the bytes of all files. */
  long size() {
    return size;
  }
}
