package dev.sojourn.engine.weights;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.regex.Pattern;

/**
 * Reads the headers of a checkpoint's safetensors files. With an index, each must hold exactly what
 * the index says; a tensor that the model has no place for is refused, since leaving it out would
 * change what the model computes.
 */
final class Shards {

  private static final String SINGLE = "model.safetensors";
  private static final String INDEX = "model.safetensors.index.json";
  private static final String IN_INDEX = "weight_map.";

  /** A file beside the index and nowhere else. */
  private static final Pattern PLAIN_NAME =
      Pattern.compile("[A-Za-z0-9_][A-Za-z0-9._-]{0,200}\\.safetensors");

  private final Path directory;
  private final CheckpointFamily family;
  private final TensorFiles files;

  /** Creates a reader of a directory's files, which it adds to {@code files}. */
  Shards(Path directory, CheckpointFamily family, TensorFiles files) {
    this.directory = directory;
    this.family = family;
    this.files = files;
  }

  /** Maps the files and adds their tensors by GGUF's names. */
  void read() {
    Path indexFile = directory.resolve(INDEX);
    if (Files.exists(directory.resolve(SINGLE)) || !Files.exists(indexFile)) {
      add(directory.resolve(SINGLE));
      return;
    }
    Map<String, String> index = readIndex(indexFile);
    for (String name : new TreeSet<>(index.values())) {
      for (ModelTensor tensor : add(directory.resolve(name))) {
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
  private List<ModelTensor> add(Path file) {
    List<ModelTensor> own = SafetensorsReader.read(file, files.map(file));
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
    files.add(
        file,
        new ModelTensor(name, tensor.type(), tensor.dimensions(), tensor.offset(), tensor.data()));
  }
}
