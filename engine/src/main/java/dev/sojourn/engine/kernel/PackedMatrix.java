package dev.sojourn.engine.kernel;

import dev.sojourn.engine.weights.RowOrder;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Random;

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

  /**
   * Names what packing makes of a matrix, bit by bit: raised whenever that changes, so that packed
   * matrices kept from an earlier version are told from those of this.
   */
  public static final int LAYOUT = 1;

  /** Where in memory matrices begin: at multiples of it. */
  public static final int ALIGNMENT = 64;

  /** From one half of a panel's rows to the other. */
  static final int HALF = PANEL / 2;

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

  /** Packs a matrix whose rows are in order; see below. */
  public static PackedMatrix pack(
      WeightType type,
      MemorySegment source,
      int rows,
      int columns,
      SegmentAllocator memory,
      ComputePool pool) {
    return pack(type, source, RowOrder.SAME, rows, columns, memory, pool);
  }

  /**
   * Packs a matrix, its panels in parallel.
   *
   * @param source the rows one after the other, as in the file, little-endian
   * @param order where in the source the rows stand
   * @param memory where the packed matrix lives
   * @throws IllegalArgumentException if the shape does not fit the type or the source
   * @throws ArithmeticException if a number is not finite: no sound model holds one
   */
  public static PackedMatrix pack(
      WeightType type,
      MemorySegment source,
      RowOrder order,
      int rows,
      int columns,
      SegmentAllocator memory,
      ComputePool pool) {
    MemorySegment data = allocate(type, rows, columns, memory);
    long rowBytes = (long) (columns / type.block()) * type.fileBytes();
    if (source.byteSize() != rows * rowBytes) {
      throw new IllegalArgumentException(
          "%d x %d weights of %s are %d bytes, not %d"
              .formatted(rows, columns, type, rows * rowBytes, source.byteSize()));
    }
    int panels = Math.ceilDiv(rows, PANEL);
    long panelBytes = panelBytes(type, columns);
    Halves halves = type == WeightType.F16 ? Halves.of(source, pool) : Halves.PLAIN;
    PanelPacker[] packers = new PanelPacker[pool.threads()];
    Arrays.setAll(packers, _ -> new PanelPacker(type, columns, halves));
    pool.run(
        panels,
        (worker, panel) -> {
          int first = panel * PANEL;
          int count = Math.min(PANEL, rows - first);
          MemorySegment.copy(
              packers[worker].pack(source, order, first, count),
              0,
              data,
              ValueLayout.JAVA_BYTE,
              panel * panelBytes,
              Math.toIntExact(panelBytes));
        });
    return new PackedMatrix(type, rows, columns, data, halves);
  }

  /**
   * Returns a matrix whose memory holds what {@link #pack} left there, and is not touched: it is
   * allocated as {@code pack} does, in whatever order matrices are asked for.
   *
   * @param normalised as that matrix was
   * @throws IllegalArgumentException if the shape does not fit the type
   */
  public static PackedMatrix packed(
      WeightType type, int rows, int columns, boolean normalised, SegmentAllocator memory) {
    MemorySegment data = allocate(type, rows, columns, memory);
    return new PackedMatrix(
        type, rows, columns, data, normalised ? Halves.NORMALISED : Halves.PLAIN);
  }

  /**
   * Returns a matrix of the same form but another size, of arbitrary weights, always the same:
   * positive and negative ones, of numbers and scales that are neither 0 nor denormal nor endless.
   * For small ones: an array has to hold it.
   *
   * @throws IllegalArgumentException if the shape does not fit the type
   */
  public PackedMatrix arbitrary(int otherRows, int otherColumns, SegmentAllocator memory) {
    MemorySegment other = allocate(type, otherRows, otherColumns, memory);
    byte[] bytes = new byte[Math.toIntExact(other.byteSize())];
    new Random(otherRows).nextBytes(bytes);
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) (0x3c | (bytes[i] & 0x81)); // a float's or a half's sign and exponent
    }
    MemorySegment.copy(bytes, 0, other, ValueLayout.JAVA_BYTE, 0, bytes.length);
    return new PackedMatrix(type, otherRows, otherColumns, other, halves);
  }

  private static MemorySegment allocate(
      WeightType type, int rows, int columns, SegmentAllocator memory) {
    if (rows < 1 || columns < 1 || columns % type.block() != 0) {
      throw new IllegalArgumentException(
          "a %s matrix has rows of whole blocks of %d weights, not %d rows of %d"
              .formatted(type, type.block(), rows, columns));
    }
    return memory.allocate(Math.ceilDiv(rows, PANEL) * panelBytes(type, columns), ALIGNMENT);
  }

  /** Returns how far up in its byte a quant's upper bits are. */
  static int upperShift(WeightType type, int column, int row) {
    return column % WeightType.UPPER_COLUMNS * type.upperBits()
        + (type.bits == 5 && row >= HALF ? 4 : 0);
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

  /** Returns how many weights it has. */
  public long weights() {
    return (long) rows * columns;
  }

  /** Returns the number of panels. */
  public int panels() {
    return Math.ceilDiv(rows, PANEL);
  }

  /** Returns the bytes that it takes. */
  public long bytes() {
    return data.byteSize();
  }

  /** Returns whether its halves are not stored as they are in files; see {@link #packed}. */
  public boolean normalised() {
    return halves.equals(Halves.NORMALISED);
  }

  /** Returns how the weights are stored. */
  public WeightType type() {
    return type;
  }

  MemorySegment data() {
    return data;
  }

  /** Returns how its halves are stored, if it has any. */
  Halves halves() {
    return halves;
  }

  static long panelBytes(WeightType type, int columns) {
    return scalesAt(type, columns, columns);
  }

  /** Returns where, in a panel, upper bits begin: those of the column, and of the three after. */
  static long upperAt(WeightType type, int columns, int column) {
    return (long) columns * type.columnBytes()
        + (long) (column / WeightType.UPPER_COLUMNS) * type.upperBytes();
  }

  /** Returns where, in a panel, the scales of a column's block begin. */
  static long scalesAt(WeightType type, int columns, int column) {
    return upperAt(type, columns, columns) + (long) (column / type.block()) * type.scaleBytes();
  }

  /** Returns where a panel's column begins. */
  long column(int panel, int column) {
    return panel * panelBytes(type, columns) + (long) column * type.columnBytes();
  }

  /** Returns where a panel's column's upper bits begin; the column is a multiple of four. */
  long upper(int panel, int column) {
    return panel * panelBytes(type, columns) + upperAt(type, columns, column);
  }

  /** Returns where the scales of a panel's column begin; the column is the first of its block. */
  long scales(int panel, int column) {
    return panel * panelBytes(type, columns) + scalesAt(type, columns, column);
  }

  /** Writes a row's weights, as products use them, to {@code out}. */
  public void row(int row, float[] out, int at) {
    for (int column = 0; column < columns; column++) {
      out[at + column] = weight(row, column);
    }
  }

  /**
   * Returns a weight as products use it. The definition of each type: a quantised weight is {@code
   * scale * quant + offset}, scale and offset rounded once each, and the weight once, as an FMA.
   */
  float weight(int row, int column) {
    int panel = row / PANEL;
    int lane = row % PANEL;
    long at = column(panel, column);
    return switch (type) {
      case F32 -> data.get(FLOAT, at + 4L * lane);
      case F16 -> halves.decode(data.get(SHORT, at + 2L * lane));
      case BF16 -> Float.intBitsToFloat(data.get(SHORT, at + 2L * lane) << 16);
      case Q8_0 -> half(scales(panel, column) + 2L * lane) * byteAt(at + lane);
      default -> {
        long scales = scales(panel, column);
        float scale = half(scales + 2L * lane);
        float minimum = type.halves == 2 ? half(scales + 2L * (PANEL + lane)) : 0;
        long own =
            scales
                + (long) PANEL
                    * (2 * type.halves + column % type.block() / type.subBlock * type.own)
                + lane;
        if (type.own > 0) {
          scale *= byteAt(own);
        }
        float offset =
            switch (type.own) {
              case 2 -> -(minimum * byteAt(own + PANEL));
              default -> type.halves == 2 ? minimum : -(scale * type.zero());
            };
        yield Math.fma(scale, quant(panel, column, lane), offset);
      }
    };
  }

  private int quant(int panel, int column, int lane) {
    int lower = byteAt(column(panel, column) + lane % HALF) >> (lane < HALF ? 0 : 4) & 15;
    if (type.upperBits() == 0) {
      return lower;
    }
    long at = upper(panel, column) + (type.bits == 5 ? lane % HALF : lane);
    int upper = byteAt(at) >> upperShift(type, column, lane);
    return lower | ((upper & ((1 << type.upperBits()) - 1)) << 4);
  }

  private int byteAt(long at) {
    return data.get(ValueLayout.JAVA_BYTE, at);
  }

  private float half(long at) {
    return Float.float16ToFloat(data.get(SHORT, at));
  }
}
