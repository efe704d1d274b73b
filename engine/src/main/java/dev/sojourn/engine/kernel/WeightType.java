package dev.sojourn.engine.kernel;

import dev.sojourn.engine.weights.QuantBlock;
import dev.sojourn.engine.weights.TensorType;

/**
 * How a matrix's weights are stored, in the file and packed. Names and file layouts are GGUF's.
 *
 * <p>Packed, a panel is its columns one after the other, each with a weight of each of the 32 rows;
 * then, of types of five and six bits, the upper bits; and then, of the quantised types, for each
 * block of columns the 32 rows' scales. So a loop over columns strides evenly, which C2 needs to
 * see that it stays in bounds.
 *
 * <ul>
 *   <li>A column of {@code Q8_0} is 32 bytes. Of the other quantised types it is 16: byte j holds
 *       the lower four bits of row j in its low half, and those of row j + 16 in its high half.
 *   <li>Of four columns the fifth bits are 16 bytes: byte j holds row j's in its low half, those of
 *       row j + 16 in its high half, a bit for each column. The fifth and sixth bits of {@code
 *       Q6_K} are 32 bytes: byte j holds two bits of row j for each column. Lowest bits first.
 *   <li>A block's scales are 32 halves, and where the type stores minimums 32 more. Of the K types
 *       follow, for each sub-block, the 32 rows' own scales and, if there are any, their own
 *       minimums, a byte each.
 * </ul>
 */
public enum WeightType {
  F32(TensorType.F32),
  F16(TensorType.F16),
  BF16(TensorType.BF16),
  Q8_0(TensorType.Q8_0, 1, 0),
  Q4_0(TensorType.Q4_0, 1, 0),
  Q4_1(TensorType.Q4_1, 2, 0),
  Q5_0(TensorType.Q5_0, 1, 0),
  Q5_1(TensorType.Q5_1, 2, 0),
  Q4_K(TensorType.Q4_K, 2, 2),
  Q5_K(TensorType.Q5_K, 2, 2),
  Q6_K(TensorType.Q6_K, 1, 1);

  /** Columns whose upper bits stand together. */
  static final int UPPER_COLUMNS = 4;

  private static final int PANEL = PackedMatrix.PANEL;

  private final TensorType file;

  /** Bits of a weight; of quantised types without its share of scales. */
  final int bits;

  /** Columns that share a scale; 0 if the type is not quantised. */
  final int subBlock;

  /** Halves that belong to a row's block: its scale, and its minimum if it stores one. */
  final int halves;

  /** Bytes that belong to a row's sub-block: its own scale, and its own minimum. */
  final int own;

  WeightType(TensorType file) {
    this.file = file;
    bits = 8 * file.blockBytes();
    subBlock = 0;
    halves = 0;
    own = 0;
  }

  WeightType(TensorType file, int halves, int own) {
    this.file = file;
    bits = QuantBlock.bits(file);
    subBlock = QuantBlock.subBlock(file);
    this.halves = halves;
    this.own = own;
  }

  /**
   * Returns the type whose file layout this is.
   *
   * @throws IllegalArgumentException if the type is not supported
   */
  public static WeightType of(TensorType file) {
    return valueOf(file.name());
  }

  /** Returns how the weights are stored in the file. */
  TensorType file() {
    return file;
  }

  /** Returns the columns of a block: a matrix's columns are a multiple of it. */
  public int block() {
    return file.blockElements();
  }

  /** Returns the bytes of a row's block in the file. */
  public int fileBytes() {
    return file.blockBytes();
  }

  /** Returns the bytes of a panel's column when packed, without its upper bits. */
  int columnBytes() {
    return upperBits() > 0 ? PANEL / 2 : PANEL * bits / 8;
  }

  /** Returns how many bits of a quant stand apart, above its lower four. */
  int upperBits() {
    return bits == 5 || bits == 6 ? bits - 4 : 0;
  }

  /** Returns the bytes that four columns' upper bits take. */
  int upperBytes() {
    return UPPER_COLUMNS * PANEL * upperBits() / 8;
  }

  /** Returns what is taken from each quant; 0 where the type stores minimums. */
  int zero() {
    return subBlock == 0 || halves == 2 || bits == 8 ? 0 : 1 << (bits - 1);
  }

  /** Returns the bytes of a panel's block when packed, beside its columns and their upper bits. */
  int scaleBytes() {
    return subBlock == 0 ? 0 : PANEL * (Short.BYTES * halves + block() / subBlock * own);
  }
}
