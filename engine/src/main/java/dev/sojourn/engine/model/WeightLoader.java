package dev.sojourn.engine.model;

import dev.sojourn.engine.kernel.ComputePool;
import dev.sojourn.engine.kernel.PackedMatrix;
import dev.sojourn.engine.kernel.WeightType;
import dev.sojourn.engine.weights.ModelFile;
import dev.sojourn.engine.weights.ModelTensor;
import dev.sojourn.engine.weights.Progress;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;

/**
 * Loads a model's weights. All packed matrices are one image in memory, in the order in which the
 * architecture takes them: its size is known from the file's headers, and it can be kept in a file
 * as it is ({@link PackedCache}). Used by one thread.
 */
final class WeightLoader {

  /**
   * A matrix of the image: which one, and its form.
   *
   * @param tensor its name
   * @param firstRow of the tensor, of those that the matrix has
   * @param type of its weights, as in the model's file
   */
  record Shape(String tensor, long firstRow, WeightType type, int rows, int columns) {}

  /**
   * What was loaded.
   *
   * @param parameters how many weights the file has
   */
  record Loaded(Weights weights, long parameters) {}

  private final ModelFile file;
  private final Architecture architecture;
  private final Hyperparameters h;
  private final List<Shape> shapes = new ArrayList<>();
  private final Weights outline;
  private long bytes;

  /**
   * Measures the image, without touching a matrix.
   *
   * @param contextLength the one asked for
   * @throws dev.sojourn.engine.weights.ModelFileException if the file is not a model that we know
   */
  WeightLoader(ModelFile file, OptionalInt contextLength) {
    this.file = file;
    this.architecture = Architecture.of(file);
    this.h = Hyperparameters.read(file, contextLength);
    Tensors tensors = new Tensors(file, h.epsilon(), this::measure, Progress.NONE);
    this.outline = Weights.read(architecture, h, tensors);
    tensors.requireAllTaken();
  }

  /** Returns the numbers that the file states. */
  Hyperparameters parameters() {
    return h;
  }

  /** Returns the weights as they will be, without the matrices' memory: their forms alone. */
  Weights outline() {
    return outline;
  }

  /** Returns the bytes of the image. */
  long bytes() {
    return bytes;
  }

  /** Returns the matrices of the image, in order. */
  List<Shape> shapes() {
    return shapes;
  }

  /**
   * Packs the weights.
   *
   * @param image where to, at a multiple of {@link PackedMatrix#ALIGNMENT}
   * @param packed gets the matrices, in order
   */
  Loaded pack(MemorySegment image, ComputePool pool, List<PackedMatrix> packed, Progress progress) {
    SegmentAllocator memory = SegmentAllocator.slicingAllocator(image);
    return read(
        (tensor, firstRow, rows, columns) -> {
          PackedMatrix matrix = pack(tensor, firstRow, rows, columns, memory, pool);
          packed.add(matrix);
          return matrix;
        },
        progress);
  }

  /**
   * Takes the weights of an image that was packed before.
   *
   * @param normalised of each matrix, in order
   */
  Loaded restore(MemorySegment image, boolean[] normalised) {
    SegmentAllocator memory = SegmentAllocator.slicingAllocator(image);
    int[] next = {0};
    return read(
        (tensor, _, rows, columns) ->
            PackedMatrix.packed(
                WeightType.of(tensor.type()), rows, columns, normalised[next[0]++], memory),
        Progress.NONE);
  }

  private Loaded read(Tensors.Matrices matrices, Progress progress) {
    Tensors tensors = new Tensors(file, h.epsilon(), matrices, progress);
    return new Loaded(Weights.read(architecture, h, tensors), tensors.parameters());
  }

  private PackedMatrix measure(ModelTensor tensor, long firstRow, int rows, int columns) {
    WeightType type = WeightType.of(tensor.type());
    shapes.add(new Shape(tensor.name(), firstRow, type, rows, columns));
    return PackedMatrix.packed(type, rows, columns, false, this::measure);
  }

  private MemorySegment measure(long size, long alignment) {
    bytes = Math.addExact(Math.ceilDiv(bytes, alignment) * alignment, size);
    return MemorySegment.NULL;
  }

  private PackedMatrix pack(
      ModelTensor tensor,
      long firstRow,
      int rows,
      int columns,
      SegmentAllocator memory,
      ComputePool pool) {
    long rowBytes = tensor.type().bytes(columns);
    try {
      return PackedMatrix.pack(
          WeightType.of(tensor.type()),
          tensor.data().asSlice(firstRow * rowBytes, rows * rowBytes),
          file.order(tensor),
          rows,
          columns,
          memory,
          pool);
    } catch (ArithmeticException e) {
      throw file.wrong(tensor, "finite numbers", String.valueOf(e.getMessage()));
    }
  }
}
