package dev.sojourn.engine.weights;

import java.util.Arrays;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * How the numbers of a tensor are stored: GGML's types, by their codes in a file. All are known by
 * name and size so that a file can be listed; {@link #supported} ones can also be computed with.
 */
public enum TensorType {
  F32(0, 1, 4, true),
  F16(1, 1, 2, true),
  Q4_0(2, 32, 18, true),
  Q4_1(3, 32, 20, true),
  Q5_0(6, 32, 22, true),
  Q5_1(7, 32, 24, true),
  Q8_0(8, 32, 34, true),
  Q8_1(9, 32, 36, false),
  Q2_K(10, 256, 84, false),
  Q3_K(11, 256, 110, false),
  Q4_K(12, 256, 144, true),
  Q5_K(13, 256, 176, true),
  Q6_K(14, 256, 210, true),
  Q8_K(15, 256, 292, false),
  IQ2_XXS(16, 256, 66, false),
  IQ2_XS(17, 256, 74, false),
  IQ3_XXS(18, 256, 98, false),
  IQ1_S(19, 256, 50, false),
  IQ4_NL(20, 32, 18, false),
  IQ3_S(21, 256, 110, false),
  IQ2_S(22, 256, 82, false),
  IQ4_XS(23, 256, 136, false),
  I8(24, 1, 1, false),
  I16(25, 1, 2, false),
  I32(26, 1, 4, false),
  I64(27, 1, 8, false),
  F64(28, 1, 8, false),
  IQ1_M(29, 256, 56, false),
  BF16(30, 1, 2, true),
  TQ1_0(34, 256, 54, false),
  TQ2_0(35, 256, 66, false),
  MXFP4(39, 32, 17, false);

  private final int code;
  private final int blockElements;
  private final int blockBytes;
  private final boolean supported;

  TensorType(int code, int blockElements, int blockBytes, boolean supported) {
    this.code = code;
    this.blockElements = blockElements;
    this.blockBytes = blockBytes;
    this.supported = supported;
  }

  /** Returns the type with this code in a GGUF file. */
  public static Optional<TensorType> ofCode(int code) {
    return Arrays.stream(values()).filter(type -> type.code == code).findFirst();
  }

  /** Returns the names of the supported types, for messages. */
  public static String supportedNames() {
    return Arrays.stream(values())
        .filter(TensorType::supported)
        .map(TensorType::name)
        .collect(Collectors.joining(", "));
  }

  /** Returns the code in a GGUF file. */
  public int code() {
    return code;
  }

  /** Returns how many numbers share a block; a row is a whole number of blocks. */
  public int blockElements() {
    return blockElements;
  }

  /** Returns the bytes of a block. */
  public int blockBytes() {
    return blockBytes;
  }

  /** Returns whether tensors of this type can be loaded and written. */
  public boolean supported() {
    return supported;
  }

  /**
   * Returns the bytes of so many numbers.
   *
   * @throws IllegalArgumentException if they are not a whole number of blocks
   */
  public long bytes(long elements) {
    if (elements < 0 || elements % blockElements != 0) {
      throw new IllegalArgumentException(
          elements + " numbers are not whole blocks of " + blockElements + " of type " + this);
    }
    return Math.multiplyExact(elements / blockElements, (long) blockBytes);
  }
}
