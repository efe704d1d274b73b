package dev.sojourn.engine.kernel;

/**
 * How a matrix's weights are stored, in the file and packed. Names and file layouts are GGUF's.
 *
 * <p>Packed, a panel is a run of cells: a cell is one column of its 32 rows, or, of the quantised
 * types, the 32 rows' scales (as halves) and then a block of 32 columns. A column of {@code Q4_0}
 * is 16 bytes: byte j holds row j in its low half and row j + 16 in its high half.
 */
public enum WeightType {
  F32(1, 4, 128),
  F16(1, 2, 64),
  BF16(1, 2, 64),
  Q8_0(32, 2 + 32, 64 + 32 * 32),
  Q4_0(32, 2 + 16, 64 + 32 * 16);

  /** Bytes of a panel's scales before its block of quantised weights. */
  static final int SCALES = 64;

  /**
   * How a half becomes a float: its bits, with the sign extended, shifted to where a float's are,
   * masked, make the number times 2^-112, denormal halves included. Infinity and NaN become finite:
   * from 2^16 on.
   */
  static final int HALF_SHIFT = 13;

  static final int HALF_BITS = 0x8fffe000;
  static final float HALF_FACTOR = 0x1p112f;

  private final int block;
  private final int fileBytes;
  private final int cellBytes;

  WeightType(int block, int fileBytes, int cellBytes) {
    this.block = block;
    this.fileBytes = fileBytes;
    this.cellBytes = cellBytes;
  }

  /** Returns the columns of a block: a matrix's columns are a multiple of it. */
  public int block() {
    return block;
  }

  /** Returns the bytes of a row's block in the file. */
  public int fileBytes() {
    return fileBytes;
  }

  /** Returns the bytes of a panel's block when packed. */
  int cellBytes() {
    return cellBytes;
  }
}
