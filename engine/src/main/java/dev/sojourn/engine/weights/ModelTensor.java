package dev.sojourn.engine.weights;

import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * A tensor of a model file: its numbers as they are stored, mapped from disk. Immutable and safe
 * for use by any thread while its {@link ModelFile} is open.
 *
 * @param name as in the file ({@code blk.0.attn_q.weight})
 * @param type how the numbers are stored
 * @param dimensions GGUF's order: the first is the length of a row, whose numbers stand together
 * @param offset of the first byte in the file
 * @param data little-endian, read-only, exactly the tensor's bytes
 */
public record ModelTensor(
    String name, TensorType type, List<Long> dimensions, long offset, MemorySegment data) {

  public ModelTensor {
    dimensions = List.copyOf(dimensions);
  }

  /** Returns how many numbers a row has. */
  public long columns() {
    return dimensions.getFirst();
  }

  /** Returns how many rows there are: the product of all dimensions but the first. */
  public long rows() {
    return elements() / columns();
  }

  /** Returns how many numbers there are. */
  public long elements() {
    return dimensions.stream().reduce(1L, (a, b) -> a * b);
  }

  /** Returns the bytes of a row. */
  public long rowBytes() {
    return type.bytes(columns());
  }

  /**
   * Returns all numbers as floats: for vectors (norms, biases) and tests, not for matrices.
   *
   * @throws IllegalArgumentException if the type is not supported or there are too many
   */
  public float[] toFloats() {
    float[] numbers = new float[Math.toIntExact(elements())];
    TensorCodec.decode(type, data, numbers);
    return numbers;
  }
}
