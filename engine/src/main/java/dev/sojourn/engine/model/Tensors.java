package dev.sojourn.engine.model;

import dev.sojourn.engine.kernel.PackedMatrix;
import dev.sojourn.engine.weights.ModelFile;
import dev.sojourn.engine.weights.ModelTensor;
import dev.sojourn.engine.weights.Progress;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Takes a model's tensors out of its file: matrices from where {@link Matrices} has them, vectors
 * as floats; remembers what it took. Used by one thread.
 */
final class Tensors {

  /** Makes packed matrices of a file's tensors. */
  @FunctionalInterface
  interface Matrices {

    /**
     * Returns the matrix of some rows of a tensor.
     *
     * @param tensor as it is stored
     */
    PackedMatrix take(ModelTensor tensor, long firstRow, int rows, int columns);
  }

  private static final float[] NONE = {};

  /** What files hold of rotations that everybody computes from their base. */
  private static final Pattern COMPUTED =
      Pattern.compile("blk\\.\\d+\\.(attn_rot_embd|rotary_emb\\.inv_freq)(\\.\\w+)?");

  private final ModelFile file;
  private final Matrices matrices;
  private final Progress progress;
  private final float epsilon;
  private final long totalBytes;
  private final Set<String> taken = new HashSet<>();
  private long doneBytes;
  private long parameters;

  Tensors(ModelFile file, float epsilon, Matrices matrices, Progress progress) {
    this.file = file;
    this.matrices = matrices;
    this.progress = progress;
    this.epsilon = epsilon;
    this.totalBytes = file.tensors().stream().mapToLong(tensor -> tensor.data().byteSize()).sum();
  }

  boolean has(String name) {
    return file.has(name);
  }

  /** Returns how many rows a matrix has, which must be there. */
  int rows(String name) {
    ModelTensor tensor = file.tensorOfAnyShape(name);
    if (tensor.rows() > Hyperparameters.MOST) {
      throw file.wrong(
          tensor, "at most " + Hyperparameters.MOST + " rows", String.valueOf(tensor.rows()));
    }
    return (int) tensor.rows();
  }

  /** Packs {@code name.weight}, and takes {@code name.bias} if the file has it. */
  Linear linear(String name, int rows, int columns) {
    PackedMatrix weights = matrix(name + ".weight", rows, columns);
    return new Linear(weights, optional(name + ".bias", rows));
  }

  /** Packs {@code name.weight}, which has no bias. */
  Linear unbiased(String name, int rows, int columns) {
    return new Linear(matrix(name + ".weight", rows, columns), NONE);
  }

  /** Packs {@code name.weight}, and takes {@code name.bias}, which must be there. */
  Linear biased(String name, int rows, int columns) {
    return new Linear(matrix(name + ".weight", rows, columns), vector(name + ".bias", rows));
  }

  /**
   * Packs the parts of {@code name.weight}, which stand one after the other in its rows, and takes
   * those of {@code name.bias} if the file has it.
   */
  Linear[] split(String name, int columns, int... rows) {
    int all = Arrays.stream(rows).sum();
    ModelTensor tensor = file.tensor(name + ".weight", columns, all);
    float[] bias = optional(name + ".bias", all);
    Linear[] parts = new Linear[rows.length];
    int first = 0;
    for (int i = 0; i < rows.length; i++) {
      int end = first + rows[i];
      float[] own = bias.length == 0 ? NONE : Arrays.copyOfRange(bias, first, end);
      parts[i] = new Linear(matrices.take(tensor, first, rows[i], columns), own);
      first = end;
    }
    count(tensor);
    return parts;
  }

  /**
   * Packs the matrices of one shape that {@code name.weight} consists of, or that are tensors of
   * their own, {@code name.0.weight} and on.
   */
  Linear[] stack(String name, int depth, int rows, int columns) {
    if (file.has(name + ".0.weight")) {
      Linear[] numbered = new Linear[depth];
      for (int i = 0; i < depth; i++) {
        numbered[i] = unbiased(name + "." + i, rows, columns);
      }
      return numbered;
    }
    ModelTensor tensor = file.tensor(name + ".weight", columns, rows, depth);
    Linear[] parts = new Linear[depth];
    for (int i = 0; i < depth; i++) {
      parts[i] = new Linear(matrices.take(tensor, (long) i * rows, rows, columns), NONE);
    }
    count(tensor);
    return parts;
  }

  private PackedMatrix matrix(String name, int rows, int columns) {
    ModelTensor tensor = file.tensor(name, columns, rows);
    PackedMatrix packed = matrices.take(tensor, 0, rows, columns);
    count(tensor);
    return packed;
  }

  /** Takes the factors of {@code name.weight}. */
  Norm norm(String name, int length) {
    return new Norm(vector(name + ".weight", length), epsilon);
  }

  private float[] vector(String name, int length) {
    ModelTensor tensor = file.tensor(name, length);
    count(tensor);
    float[] numbers = file.vector(tensor);
    for (float number : numbers) {
      if (!Float.isFinite(number)) {
        throw file.wrong(tensor, "finite numbers", String.valueOf(number));
      }
    }
    return numbers;
  }

  /** Takes a vector, or an empty one if it is not there. */
  float[] optional(String name, int length) {
    return file.has(name) ? vector(name, length) : NONE;
  }

  /** Takes what frequencies are divided by, each above 0, or nothing if it is not there. */
  float[] frequencyFactors(String name, int length) {
    float[] factors = optional(name, length);
    for (float factor : factors) {
      if (factor <= 0) {
        throw file.wrong(file.tensor(name, length), "factors above 0", String.valueOf(factor));
      }
    }
    return factors;
  }

  private void count(ModelTensor tensor) {
    taken.add(tensor.name());
    parameters += tensor.elements();
    doneBytes += tensor.data().byteSize();
    if (tensor.data().isMapped()) {
      tensor.data().unload(); // else file and packed weights would be in memory side by side
    }
    progress.at("loading " + file.path().getFileName(), doneBytes, totalBytes);
  }

  /**
   * Checks that nothing is left: a model that is computed without a part of it answers, but
   * wrongly.
   *
   * @throws dev.sojourn.engine.weights.ModelFileException if there are tensors that nobody took
   */
  void requireAllTaken() {
    List<ModelTensor> left =
        file.tensors().stream()
            .filter(tensor -> !taken.contains(tensor.name()))
            .filter(tensor -> !COMPUTED.matcher(tensor.name()).matches())
            .toList();
    if (!left.isEmpty()) {
      throw file.unknown(left);
    }
  }

  /** Returns how many weights were taken. */
  long parameters() {
    return parameters;
  }
}
