package dev.sojourn.engine.weights;

import dev.sojourn.text.Vocabulary;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.Collectors;

/**
 * An open model: its metadata and vocabulary, and its tensors mapped from disk. Whatever the
 * format, keys and tensors have GGUF's names, and messages the file's own.
 *
 * <p>Opening reads and checks all headers and touches no tensor. The files must not shrink while
 * they are open: the mapping then has nothing behind it. Safe for use by any thread; {@link #close}
 * ends the life of all tensor data and must not run while another thread reads it.
 */
public abstract sealed class ModelFile implements AutoCloseable permits GgufFile, Checkpoint {

  /**
   * The version of what is made of stored matrices ({@link #order}): another whenever the same
   * matrix is given other numbers, or the same in another order, so that nobody takes what was made
   * of the former for the latter.
   */
  public static final int RESTORED = 1;

  private static final int MOST_NAMES = 5;

  private final Path path;
  private final TensorFiles files;
  private final ModelMetadata metadata;
  private final List<ModelTensor> tensors;
  private final Map<String, ModelTensor> byName = new HashMap<>();

  /** Creates it; {@code files} hold the tensors and are closed with it. */
  ModelFile(Path path, TensorFiles files, ModelMetadata metadata, List<ModelTensor> tensors) {
    this.path = path;
    this.files = files;
    this.metadata = metadata;
    this.tensors = List.copyOf(tensors);
    tensors.forEach(tensor -> byName.put(tensor.name(), tensor));
  }

  /**
   * Opens a model of any format.
   *
   * @param path a GGUF file or the first of its parts, the directory of a checkpoint, or one of its
   *     safetensors files
   * @throws ModelFileException if it cannot be read, is of no known format, or is damaged
   */
  public static ModelFile open(Path path) {
    boolean checkpoint = Files.isDirectory(path) || path.toString().endsWith(".safetensors");
    return checkpoint ? Checkpoint.open(path) : GgufFile.open(path);
  }

  /** Returns where the model is. */
  public final Path path() {
    return path;
  }

  /** Returns the files that its tensors are in, and that say what they mean. */
  public List<Path> files() {
    return files.files();
  }

  /** Returns the bytes of the files that its tensors are in. */
  public final long size() {
    return files.size();
  }

  /** Returns the name of the format, for a person ({@code "GGUF version 3"}). */
  public abstract String format();

  /** Returns the model's vocabulary. */
  public abstract Vocabulary vocabulary();

  /** Returns the name of what splits text into tokens, for a person, if the model says so. */
  public abstract Optional<String> tokenizer();

  /** Returns the model's chat template, in Jinja, if it has one. */
  public abstract Optional<String> chatTemplate();

  /** Returns the key-values. */
  public final ModelMetadata metadata() {
    return metadata;
  }

  /** Returns all tensors in the order of the file, also of types that are not supported. */
  public final List<ModelTensor> tensors() {
    return tensors;
  }

  /** Returns {@code general.architecture}: which model this is, and how its keys begin. */
  public final String architecture() {
    return metadata.string("general.architecture");
  }

  /** Returns whether there is a tensor of this name. */
  public final boolean has(String name) {
    return byName.containsKey(name);
  }

  /**
   * Returns a tensor of whatever shape and type.
   *
   * @throws ModelFileException if there is none
   */
  public final ModelTensor tensorOfAnyShape(String name) {
    ModelTensor tensor = byName.get(name);
    if (tensor == null) {
      throw new ModelFileException.Malformed(path, quoted(name), "no such tensor");
    }
    return tensor;
  }

  /**
   * Returns a tensor to compute with, its numbers as they are stored: {@link #order} tells in which
   * order rows are, {@link #vector} makes of a vector what is computed with.
   *
   * @param dimensions what its shape must be, GGUF's order (length of a row first)
   * @throws ModelFileException if there is none, its shape is another, or its type is not supported
   */
  public final ModelTensor tensor(String name, long... dimensions) {
    ModelTensor tensor = byName.get(name);
    List<Long> expected = Arrays.stream(dimensions).boxed().toList();
    String described = quoted(name) + " with dimensions " + expected;
    if (tensor == null) {
      throw new ModelFileException.Malformed(path, described, "no such tensor");
    }
    if (!tensor.dimensions().equals(expected)) {
      throw new ModelFileException.Malformed(
          place(tensor), tensor.offset(), described, tensor.dimensions().toString());
    }
    if (!tensor.type().supported()) {
      throw new ModelFileException.Unsupported(
          place(tensor),
          OptionalLong.of(tensor.offset()),
          quoted(name) + " of a supported type (" + TensorType.supportedNames() + ")",
          "type " + tensor.type());
    }
    return tensor;
  }

  /** Returns what to throw where the numbers of a tensor make no sense. */
  public final ModelFileException wrong(ModelTensor tensor, String expected, String found) {
    return new ModelFileException.Malformed(
        place(tensor), tensor.offset(), quoted(tensor.name()) + " to have " + expected, found);
  }

  /** Returns what to throw where a model has tensors that its architecture has no use for. */
  public final ModelFileException unknown(List<ModelTensor> unknown) {
    ModelTensor first = unknown.getFirst();
    String names =
        unknown.stream()
            .limit(MOST_NAMES)
            .map(tensor -> quoted(tensor.name()))
            .collect(Collectors.joining(", "));
    int more = unknown.size() - MOST_NAMES;
    return new ModelFileException.Unsupported(
        place(first),
        OptionalLong.of(first.offset()),
        "tensors of \"" + architecture() + "\" and no others",
        names + (more > 0 ? " and " + more + " more" : ""));
  }

  private String quoted(String name) {
    return "tensor \"" + ownName(name) + '"';
  }

  /** Returns the file that holds a tensor. */
  private Path place(ModelTensor tensor) {
    return files.place(tensor.name()).orElse(path);
  }

  /** Returns what the files call a tensor. */
  String ownName(String name) {
    return name;
  }

  /**
   * Returns where a tensor's rows stand, or a vector's numbers, that have GGUF's order. It is that
   * of whole heads too, wherever in the tensor they begin.
   */
  public RowOrder order(ModelTensor tensor) {
    return RowOrder.SAME;
  }

  /** Returns a vector's numbers as GGUF has them. */
  public float[] vector(ModelTensor tensor) {
    return tensor.toFloats();
  }

  /** Unmaps the files. Tensor data may not be touched after; metadata may. */
  @Override
  public final void close() {
    files.close();
  }
}
