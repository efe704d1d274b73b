package dev.sojourn.engine.kernel;

/**
 * How a matrix's weights are stored, in the file and packed. Names and file layouts are GGUF's.
 *
 * <p>Packed, a panel is its columns one after the other, each with a weight of each of the 32 rows,
 * and then, of the quantised types, for each block of columns the 32 rows' scales, as halves. So a
 * loop over columns strides evenly, which C2 needs to see that it stays in bounds. A column of
 * {@code Q4_0} is 16 bytes: byte j holds row j in its low half and row j + 16 in its high half.
 */
public enum WeightType {
  F32(1, 4, 128, 0),
  F16(1, 2, 64, 0),
  BF16(1, 2, 64, 0),
  Q8_0(32, 2 + 32, 32, 64),
  Q4_0(32, 2 + 16, 16, 64);

  private final int block;
  private final int fileBytes;
  private final int columnBytes;
  private final int scaleBytes;

  WeightType(int block, int fileBytes, int columnBytes, int scaleBytes) {
    this.block = block;
    this.fileBytes = fileBytes;
    this.columnBytes = columnBytes;
    this.scaleBytes = scaleBytes;
  }

  /** Returns the columns of a block: a matrix's columns are a multiple of it. */
  public int block() {
    return block;
  }

  /** Returns the bytes of a row's block in the file. */
  public int fileBytes() {
    return fileBytes;
  }

  /** Returns the bytes of a panel's column when packed. */
  int columnBytes() {
    return columnBytes;
  }

  /** Returns the bytes of a panel's block when packed, beside its columns. */
  int scaleBytes() {
    return scaleBytes;
  }
}
