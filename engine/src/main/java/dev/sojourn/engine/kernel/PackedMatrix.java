package dev.sojourn.engine.kernel;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * A matrix of weights, laid out for products: panels of 32 rows, columns one after the other within
 * a panel, so that vector lanes are rows and each lane adds its products in order of the column.
 *
 * <p>32 is a multiple of the lanes of every width, so the layout does not depend on the machine;
 * two vectors of 512 bits are enough to hide an FMA's latency behind memory, and 32 rows are few
 * enough to share small matrices out among threads. Rows that a last panel lacks are zeros.
 *
 * <p>Immutable once packed; safe for any thread while its arena is open.
 */
public final class PackedMatrix {

  /** Rows of a panel. */
  public static final int PANEL = 32;

  static final ValueLayout.OfFloat FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final WeightType type;
  private final int rows;
  private final int columns;
  private final MemorySegment data;

  private PackedMatrix(WeightType type, int rows, int columns, MemorySegment data) {
    this.type = type;
    this.rows = rows;
    this.columns = columns;
    this.data = data;
  }

  /**
   * Packs a matrix, its panels in parallel.
   *
   * @param source the rows one after the other, as in the file, little-endian
   * @param arena where the packed matrix lives
   * @throws IllegalArgumentException if the shape does not fit the type or the source
   * @throws ArithmeticException if a half is not finite
   */
  public static PackedMatrix pack(
      WeightType type, MemorySegment source, int rows, int columns, Arena arena, ComputePool pool) {
    if (rows < 1 || columns < 1 || columns % type.block() != 0) {
      throw new IllegalArgumentException(
          "a %s matrix has rows of whole blocks of %d weights, not %d rows of %d"
              .formatted(type, type.block(), rows, columns));
    }
    long rowBytes = (long) (columns / type.block()) * type.fileBytes();
    if (source.byteSize() != rows * rowBytes) {
      throw new IllegalArgumentException(
          "%d x %d weights of %s are %d bytes, not %d"
              .formatted(rows, columns, type, rows * rowBytes, source.byteSize()));
    }
    int panels = Math.ceilDiv(rows, PANEL);
    long panelBytes = (long) (columns / type.block()) * type.cellBytes();
    MemorySegment data = arena.allocate(panels * panelBytes, 64);
    pool.run(
        panels,
        (_, panel) -> {
          int first = panel * PANEL;
          int count = Math.min(PANEL, rows - first);
          byte[] in =
              source.asSlice(first * rowBytes, count * rowBytes).toArray(ValueLayout.JAVA_BYTE);
          byte[] out = new byte[Math.toIntExact(panelBytes)];
          for (int row = 0; row < count; row++) {
            packRow(type, in, Math.toIntExact(row * rowBytes), columns, row, out);
          }
          MemorySegment.copy(out, 0, data, ValueLayout.JAVA_BYTE, panel * panelBytes, out.length);
        });
    return new PackedMatrix(type, rows, columns, data);
  }

  private static void packRow(
      WeightType type, byte[] in, int at, int columns, int row, byte[] out) {
    int blocks = columns / type.block();
    for (int block = 0; block < blocks; block++) {
      int from = at + block * type.fileBytes();
      int cell = block * type.cellBytes();
      switch (type) {
        case F32, F16, BF16 -> {
          if (type == WeightType.F16) {
            requireFinite(in, from);
          }
          System.arraycopy(in, from, out, cell + row * type.fileBytes(), type.fileBytes());
        }
        case Q8_0 -> {
          requireFinite(in, from);
          System.arraycopy(in, from, out, cell + 2 * row, 2);
          for (int k = 0; k < 32; k++) {
            out[cell + WeightType.SCALES + k * 32 + row] = in[from + 2 + k];
          }
        }
        case Q4_0 -> {
          requireFinite(in, from);
          System.arraycopy(in, from, out, cell + 2 * row, 2);
          for (int k = 0; k < 32; k++) {
            // The file's byte k holds columns k and k + 16 of one row.
            int quant = in[from + 2 + k % 16] >>> (k < 16 ? 0 : 4) & 15;
            int to = cell + WeightType.SCALES + k * 16 + row % 16;
            out[to] |= (byte) (quant << (row < 16 ? 0 : 4));
          }
        }
      }
    }
  }

  /** The vector conversion of halves knows no infinity; no sound model holds one. */
  private static void requireFinite(byte[] in, int at) {
    if ((in[at + 1] & 0x7c) == 0x7c) {
      throw new ArithmeticException("a half-precision number that is not finite");
    }
  }

  /** Returns the number of rows. */
  public int rows() {
    return rows;
  }

  /** Returns the number of rows of all panels: {@code rows} up to a multiple of 32. */
  public int paddedRows() {
    return panels() * PANEL;
  }

  /** Returns the number of columns. */
  public int columns() {
    return columns;
  }

  /** Returns the number of panels. */
  public int panels() {
    return Math.ceilDiv(rows, PANEL);
  }

  /** Returns the bytes that it takes. */
  public long bytes() {
    return data.byteSize();
  }

  WeightType type() {
    return type;
  }

  MemorySegment data() {
    return data;
  }

  /** Returns where a column's cell begins; the column is the first of its block. */
  long cell(int panel, int column) {
    return ((long) panel * (columns / type.block()) + column / type.block()) * type.cellBytes();
  }

  /** Writes a row's weights, as products use them, to {@code out}. */
  public void row(int row, float[] out, int at) {
    for (int column = 0; column < columns; column++) {
      out[at + column] = weight(row, column);
    }
  }

  /** Returns a weight as products use it: rounded once. The definition of each type. */
  float weight(int row, int column) {
    int lane = row % PANEL;
    long cell = cell(row / PANEL, column);
    long block = cell + WeightType.SCALES;
    return switch (type) {
      case F32 -> data.get(FLOAT, cell + 4L * lane);
      case F16 -> half(cell + 2L * lane);
      case BF16 -> Float.intBitsToFloat(data.get(SHORT, cell + 2L * lane) << 16);
      case Q8_0 -> {
        byte quant = data.get(ValueLayout.JAVA_BYTE, block + column % 32 * 32L + lane);
        yield half(cell + 2L * lane) * quant;
      }
      case Q4_0 -> {
        byte pair = data.get(ValueLayout.JAVA_BYTE, block + column % 32 * 16L + lane % 16);
        yield half(cell + 2L * lane) * ((pair >>> (lane < 16 ? 0 : 4) & 15) - 8);
      }
    };
  }

  private float half(long at) {
    return Float.float16ToFloat(data.get(SHORT, at));
  }
}
