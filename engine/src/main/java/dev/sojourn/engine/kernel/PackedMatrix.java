package dev.sojourn.engine.kernel;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * A matrix of weights, laid out for products: panels of 32 rows, columns one after the other within
 * a panel, so that vector lanes are rows and each lane adds its products in order of the column.
 *
 * <p>32 is a multiple of the lanes of every width, so the layout does not depend on the machine;
 * two vectors of 512 bits are enough to hide an FMA's latency behind memory, and 32 rows are few
 * enough to share small matrices out among threads. Rows that a last panel lacks are zeros.
 *
 * <p>Immutable once packed; safe for any thread while its memory lives.
 */
public final class PackedMatrix {

  /** Rows of a panel. */
  public static final int PANEL = 32;

  static final ValueLayout.OfFloat FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final WeightType type;
  private final int rows;
  private final int columns;
  private final MemorySegment data;
  private final Halves halves;

  private PackedMatrix(WeightType type, int rows, int columns, MemorySegment data, Halves halves) {
    this.type = type;
    this.rows = rows;
    this.columns = columns;
    this.data = data;
    this.halves = halves;
  }

  /**
   * Packs a matrix, its panels in parallel.
   *
   * @param source the rows one after the other, as in the file, little-endian
   * @param memory where the packed matrix lives
   * @throws IllegalArgumentException if the shape does not fit the type or the source
   * @throws ArithmeticException if a half is not finite
   */
  public static PackedMatrix pack(
      WeightType type,
      MemorySegment source,
      int rows,
      int columns,
      SegmentAllocator memory,
      ComputePool pool) {
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
    long panelBytes = panelBytes(type, columns);
    MemorySegment data = memory.allocate(panels * panelBytes, 64);
    Halves halves = type == WeightType.F16 ? Halves.of(source, pool) : Halves.PLAIN;
    byte[][] ins = new byte[pool.threads()][Math.toIntExact(PANEL * rowBytes)];
    byte[][] outs = new byte[pool.threads()][Math.toIntExact(panelBytes)];
    pool.run(
        panels,
        (worker, panel) -> {
          int first = panel * PANEL;
          int count = Math.min(PANEL, rows - first);
          byte[] in = ins[worker];
          int bytes = Math.toIntExact(count * rowBytes);
          MemorySegment.copy(source, ValueLayout.JAVA_BYTE, first * rowBytes, in, 0, bytes);
          byte[] out = outs[worker];
          Arrays.fill(out, (byte) 0); // some types pack into bits
          for (int row = 0; row < count; row++) {
            packRow(type, in, Math.toIntExact(row * rowBytes), columns, row, halves, out);
          }
          MemorySegment.copy(out, 0, data, ValueLayout.JAVA_BYTE, panel * panelBytes, out.length);
        });
    return new PackedMatrix(type, rows, columns, data, halves);
  }

  private static void packRow(
      WeightType type, byte[] in, int at, int columns, int row, Halves halves, byte[] out) {
    int blocks = columns / type.block();
    for (int block = 0; block < blocks; block++) {
      int from = at + block * type.fileBytes();
      int to = block * type.block() * type.columnBytes();
      int scales = columns * type.columnBytes() + block * type.scaleBytes();
      switch (type) {
        case F32, BF16 ->
            System.arraycopy(in, from, out, to + row * type.fileBytes(), type.fileBytes());
        case F16 -> putShort(out, to + 2 * row, halves.encode(shortAt(in, from)));
        case Q8_0 -> {
          putShort(out, scales + 2 * row, Halves.requireFinite(shortAt(in, from)));
          for (int k = 0; k < 32; k++) {
            out[to + k * 32 + row] = in[from + 2 + k];
          }
        }
        case Q4_0 -> {
          putShort(out, scales + 2 * row, Halves.requireFinite(shortAt(in, from)));
          for (int k = 0; k < 32; k++) {
            // The file's byte k holds columns k and k + 16 of one row.
            int quant = in[from + 2 + k % 16] >>> (k < 16 ? 0 : 4) & 15;
            out[to + k * 16 + row % 16] |= (byte) (quant << (row < 16 ? 0 : 4));
          }
        }
      }
    }
  }

  private static short shortAt(byte[] bytes, int at) {
    return (short) ((bytes[at] & 0xff) | bytes[at + 1] << 8);
  }

  private static void putShort(byte[] bytes, int at, short value) {
    bytes[at] = (byte) value;
    bytes[at + 1] = (byte) (value >> 8);
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

  /** Returns how its halves are stored, if it has any. */
  Halves halves() {
    return halves;
  }

  private static long panelBytes(WeightType type, int columns) {
    return (long) columns * type.columnBytes()
        + (long) (columns / type.block()) * type.scaleBytes();
  }

  /** Returns where a panel's column begins. */
  long column(int panel, int column) {
    return panel * panelBytes(type, columns) + (long) column * type.columnBytes();
  }

  /** Returns where the scales of a panel's column begin; the column is the first of its block. */
  long scales(int panel, int column) {
    return column(panel, columns) + (long) (column / type.block()) * type.scaleBytes();
  }

  /** Writes a row's weights, as products use them, to {@code out}. */
  public void row(int row, float[] out, int at) {
    for (int column = 0; column < columns; column++) {
      out[at + column] = weight(row, column);
    }
  }

  /** Returns a weight as products use it: rounded once. The definition of each type. */
  float weight(int row, int column) {
    int panel = row / PANEL;
    int lane = row % PANEL;
    long at = column(panel, column);
    long scale = scales(panel, column) + 2L * lane;
    return switch (type) {
      case F32 -> data.get(FLOAT, at + 4L * lane);
      case F16 -> halves.decode(data.get(SHORT, at + 2L * lane));
      case BF16 -> Float.intBitsToFloat(data.get(SHORT, at + 2L * lane) << 16);
      case Q8_0 -> half(scale) * data.get(ValueLayout.JAVA_BYTE, at + lane);
      case Q4_0 -> {
        byte pair = data.get(ValueLayout.JAVA_BYTE, at + lane % 16);
        yield half(scale) * ((pair >>> (lane < 16 ? 0 : 4) & 15) - 8);
      }
    };
  }

  private float half(long at) {
    return Float.float16ToFloat(data.get(SHORT, at));
  }
}
