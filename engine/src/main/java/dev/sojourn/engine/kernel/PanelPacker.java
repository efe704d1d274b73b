package dev.sojourn.engine.kernel;

import dev.sojourn.engine.weights.QuantBlock;
import dev.sojourn.engine.weights.RowOrder;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Packs a matrix's panels, one after the other in the same arrays: a model has millions of blocks,
 * and an object for each would fill the heap while weights are loaded. Each thread has its own.
 */
final class PanelPacker {

  /** Columns that are packed row by row: a panel's, of the widest type, fit into the L1 cache. */
  private static final int TILE = 64;

  private static final int PANEL = PackedMatrix.PANEL;
  private static final int HALF = PackedMatrix.HALF;

  private static final VarHandle SHORTS =
      MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle INTS =
      MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);

  private final WeightType type;
  private final int columns;
  private final Halves halves;
  private final int rowBytes;

  /** Rows of a panel as in the file. */
  private final byte[] in;

  /** A panel. */
  private final byte[] out;

  /** What each block in turn is taken apart in; null if the type is not quantised. */
  private final @Nullable QuantBlock block;

  PanelPacker(WeightType type, int columns, Halves halves) {
    this.type = type;
    this.columns = columns;
    this.halves = halves;
    rowBytes = columns / type.block() * type.fileBytes();
    in = new byte[Math.multiplyExact(PANEL, rowBytes)];
    out = new byte[Math.toIntExact(PackedMatrix.panelBytes(type, columns))];
    block = type.subBlock > 0 ? new QuantBlock(type.file()) : null;
  }

  /**
   * Packs some rows into a panel, whose other rows are zeros.
   *
   * @param source all rows, as in the file
   * @param order where in the source the rows stand
   * @return the panel, until the next is packed
   * @throws ArithmeticException if a number is not finite
   */
  byte[] pack(MemorySegment source, RowOrder order, int first, int count) {
    for (int row = 0; row < count; row++) {
      long at = order.stored(first + row) * rowBytes;
      MemorySegment.copy(source, ValueLayout.JAVA_BYTE, at, in, row * rowBytes, rowBytes);
    }
    Arrays.fill(out, (byte) 0); // some types pack into bits
    int step = Math.max(TILE, type.block());
    for (int from = 0; from < columns; from += step) {
      int end = Math.min(from + step, columns);
      for (int row = 0; row < count; row++) {
        if (block == null) {
          packNumbers(row, from, end);
        } else {
          packBlocks(block, row, from, end);
        }
      }
    }
    return out;
  }

  private void packNumbers(int row, int from, int end) {
    int at = row * rowBytes;
    // A loop for each width: the switch does not leave the loop by itself.
    switch (type) {
      case F16 -> {
        for (int k = from; k < end; k++) {
          short half = (short) SHORTS.get(in, at + 2 * k);
          SHORTS.set(out, 2 * (k * PANEL + row), halves.encode(half));
        }
      }
      case BF16 -> {
        int worst = 0; // an exponent of ones and one more carry into the sign's bit
        for (int k = from; k < end; k++) {
          short half = (short) SHORTS.get(in, at + 2 * k);
          worst |= (half & 0x7fff) + 0x80;
          SHORTS.set(out, 2 * (k * PANEL + row), half);
        }
        requireFinite(worst << 16);
      }
      default -> {
        int worst = 0;
        for (int k = from; k < end; k++) {
          int bits = (int) INTS.get(in, at + 4 * k);
          worst |= (bits & 0x7fffffff) + 0x00800000;
          INTS.set(out, 4 * (k * PANEL + row), bits);
        }
        requireFinite(worst);
      }
    }
  }

  private static void requireFinite(int worst) {
    if (worst < 0) {
      throw new ArithmeticException("a number that is not finite");
    }
  }

  private void packBlocks(QuantBlock each, int row, int from, int end) {
    for (int first = from; first < end; first += type.block()) {
      each.read(in, row * rowBytes + first / type.block() * type.fileBytes());
      int scales = (int) PackedMatrix.scalesAt(type, columns, first);
      SHORTS.set(out, scales + 2 * row, Halves.requireFinite(each.scale()));
      if (type.halves == 2) {
        SHORTS.set(out, scales + 2 * (PANEL + row), Halves.requireFinite(each.minimum()));
      }
      int own = scales + 2 * PANEL * type.halves + row;
      for (int sub = 0; sub < type.block() / type.subBlock; sub++) {
        if (type.own > 0) {
          out[own + sub * type.own * PANEL] = (byte) each.ownScale(sub);
        }
        if (type.own == 2) {
          out[own + (sub * 2 + 1) * PANEL] = (byte) each.ownMinimum(sub);
        }
      }
      for (int k = 0; k < type.block(); k++) {
        packQuant(each.quant(k), row, first + k);
      }
    }
  }

  private void packQuant(int quant, int row, int column) {
    if (type.bits == 8) {
      out[column * PANEL + row] = (byte) quant;
      return;
    }
    int lane = row % HALF;
    out[column * HALF + lane] |= (byte) ((quant & 15) << (row < HALF ? 0 : 4));
    if (type.upperBits() > 0) {
      int at = (int) PackedMatrix.upperAt(type, columns, column) + (type.bits == 5 ? lane : row);
      out[at] |= (byte) ((quant >> 4) << PackedMatrix.upperShift(type, column, row));
    }
  }
}
