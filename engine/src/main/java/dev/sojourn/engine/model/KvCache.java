package dev.sojourn.engine.model;

import dev.sojourn.core.BlockHasher;
import dev.sojourn.engine.kernel.Kernels;
import dev.sojourn.engine.kernel.LargeMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The storage of KV pages, off-heap. A page is one run of bytes: for each layer and KV head 16 keys
 * and then 16 values.
 *
 * <p>Keys lie dimension by dimension, so that a page's 16 scores are 16 lanes; values lie token by
 * token, so that lanes are dimensions. Pages are not cleared when they change hands: whoever reads
 * one reads only the slots of its own tokens.
 */
final class KvCache implements AutoCloseable {

  private static final int SLOTS = BlockHasher.BLOCK;

  private final KvType type;
  private final int layers;
  private final int kvHeads;
  private final int headDim;
  private final long headBytes;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment data;

  KvCache(KvType type, int layers, int kvHeads, int headDim, int pages) {
    this.type = type;
    this.layers = layers;
    this.kvHeads = kvHeads;
    this.headDim = headDim;
    this.headBytes = 2L * SLOTS * headDim * type.bytes();
    this.data = new LargeMemory(arena).allocate(pages * pageBytes(), 64);
  }

  /** Returns the bytes of a page of a model. */
  static long pageBytes(KvType type, int layers, int kvHeads, int headDim) {
    return 2L * SLOTS * headDim * type.bytes() * kvHeads * layers;
  }

  private long pageBytes() {
    return headBytes * kvHeads * layers;
  }

  private long head(int page, int layer, int kvHead) {
    return page * pageBytes() + ((long) layer * kvHeads + kvHead) * headBytes;
  }

  /** Stores the key and the value of a token's head, each rounded once. */
  void write(
      int page,
      int layer,
      int kvHead,
      int slot,
      float[] key,
      int keyAt,
      float[] value,
      int valueAt) {
    long keys = head(page, layer, kvHead);
    long values = keys + headBytes / 2;
    for (int d = 0; d < headDim; d++) {
      put(keys, d * SLOTS + slot, key[keyAt + d]);
      put(values, slot * headDim + d, value[valueAt + d]);
    }
  }

  private void put(long at, int index, float number) {
    switch (type) {
      case F32 -> data.set(ValueLayout.JAVA_FLOAT, at + 4L * index, number);
      case F16 -> data.set(ValueLayout.JAVA_SHORT, at + 2L * index, Float.floatToFloat16(number));
      case BF16 -> data.set(ValueLayout.JAVA_SHORT, at + 2L * index, bfloat(number));
    }
  }

  /** Rounds to the nearest float whose lower half is 0, ties to even; NaN stays NaN. */
  private static short bfloat(float number) {
    int bits = Float.floatToRawIntBits(number);
    int rounded = bits + 0x7fff + (bits >>> 16 & 1);
    return (short) ((Float.isNaN(number) ? bits | 0x400000 : rounded) >>> 16);
  }

  /** Returns floats that a head of a page has: its keys, then its values. */
  int headFloats() {
    return 2 * SLOTS * headDim;
  }

  /**
   * Returns where a head of a page can be read as floats: here, or, converted, in {@code scratch}.
   */
  MemorySegment read(int page, int layer, int kvHead, Kernels kernels, MemorySegment scratch) {
    long at = head(page, layer, kvHead);
    switch (type) {
      case F32 -> {
        return data;
      }
      case F16 -> kernels.widenHalves(data, at, scratch, headFloats());
      case BF16 -> kernels.widenBfloats(data, at, scratch, headFloats());
    }
    return scratch;
  }

  /** Returns where in the segment of {@link #read} the keys begin; values follow them. */
  long readAt(int page, int layer, int kvHead) {
    return type == KvType.F32 ? head(page, layer, kvHead) : 0;
  }

  /** Copies the first slots of a page. */
  void copySlots(int from, int to, int slots) {
    int bytes = type.bytes();
    for (int layer = 0; layer < layers; layer++) {
      for (int kvHead = 0; kvHead < kvHeads; kvHead++) {
        long source = head(from, layer, kvHead);
        long target = head(to, layer, kvHead);
        for (int d = 0; d < headDim; d++) {
          long row = (long) d * SLOTS * bytes;
          MemorySegment.copy(data, source + row, data, target + row, (long) slots * bytes);
        }
        long values = headBytes / 2;
        long length = (long) slots * headDim * bytes;
        MemorySegment.copy(data, source + values, data, target + values, length);
      }
    }
  }

  @Override
  public void close() {
    if (arena.scope().isAlive()) {
      arena.close();
    }
  }
}
