package dev.sojourn.engine.model;

import dev.sojourn.engine.kernel.Kernels;
import dev.sojourn.engine.kernel.LargeMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The storage of KV pages, off-heap. A page is one run of bytes: for each layer and KV head 16 keys
 * and then 16 values; each with its scales behind it, if the type has any.
 *
 * <p>Keys lie dimension by dimension ({@code [d][slot]}), so that a page's 16 scores are 16 lanes;
 * values in panels of 16 dimensions ({@code [d / 16][slot][d % 16]}, the last one perhaps partly
 * empty), so that lanes are dimensions; scales block by block ({@code [d / 32][slot]}). Pages are
 * not cleared when they change hands: whoever reads one uses only the slots of its own tokens.
 *
 * <p>Safe for several threads, as long as no one reads a slot while another writes it. {@link
 * KvReader} reads.
 */
final class KvCache implements AutoCloseable {

  private static final int SLOTS = Kernels.LANES;
  private static final float GREATEST_HALF = 65504;

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
    this.headBytes = keyBytes() + valueNumbers() + scaleBytes();
    this.data = new LargeMemory(arena).allocate(pages * headBytes * kvHeads * layers, 64);
  }

  /** Returns the bytes of a page of a model. */
  static long pageBytes(KvType type, int layers, int kvHeads, int headDim) {
    int dims = headDim + Math.ceilDiv(headDim, SLOTS) * SLOTS;
    long scales = 2L * type.scales(headDim) * Float.BYTES;
    return SLOTS * ((long) dims * type.bytes() + scales) * kvHeads * layers;
  }

  private long keyNumbers() {
    return (long) SLOTS * headDim * type.bytes();
  }

  private long keyBytes() {
    return keyNumbers() + scaleBytes();
  }

  private long valueNumbers() {
    return (long) SLOTS * panels() * SLOTS * type.bytes();
  }

  private long scaleBytes() {
    return (long) SLOTS * type.scales(headDim) * Float.BYTES;
  }

  private int panels() {
    return Math.ceilDiv(headDim, SLOTS);
  }

  KvType type() {
    return type;
  }

  MemorySegment data() {
    return data;
  }

  /** Returns where in the data a head's keys begin. */
  long keys(int page, int layer, int kvHead) {
    return (((long) page * layers + layer) * kvHeads + kvHead) * headBytes;
  }

  long keyScales(int page, int layer, int kvHead) {
    return keys(page, layer, kvHead) + keyNumbers();
  }

  long values(int page, int layer, int kvHead) {
    return keys(page, layer, kvHead) + keyBytes();
  }

  long valueScales(int page, int layer, int kvHead) {
    return values(page, layer, kvHead) + valueNumbers();
  }

  /** Stores the key and the value of a token's head, each number rounded once. */
  void write(
      int page,
      int layer,
      int kvHead,
      int slot,
      float[] key,
      int keyAt,
      float[] value,
      int valueAt) {
    long keys = keys(page, layer, kvHead);
    long values = values(page, layer, kvHead);
    if (type == KvType.Q8_0) {
      long keyScales = keyScales(page, layer, kvHead);
      long valueScales = valueScales(page, layer, kvHead);
      for (int first = 0; first < headDim; first += KvType.SCALED) {
        int end = Math.min(first + KvType.SCALED, headDim);
        float keyScale = scale(key, keyAt + first, keyAt + end);
        float valueScale = scale(value, valueAt + first, valueAt + end);
        int scale = first / KvType.SCALED * SLOTS + slot;
        data.set(ValueLayout.JAVA_FLOAT, keyScales + 4L * scale, keyScale);
        data.set(ValueLayout.JAVA_FLOAT, valueScales + 4L * scale, valueScale);
        for (int d = first; d < end; d++) {
          data.set(ValueLayout.JAVA_BYTE, keys + key(d, slot), round(key[keyAt + d], keyScale));
          data.set(
              ValueLayout.JAVA_BYTE,
              values + value(d, slot),
              round(value[valueAt + d], valueScale));
        }
      }
      return;
    }
    for (int d = 0; d < headDim; d++) {
      put(keys, key(d, slot), key[keyAt + d]);
      put(values, value(d, slot), value[valueAt + d]);
    }
  }

  private static int key(int d, int slot) {
    return d * SLOTS + slot;
  }

  private static int value(int d, int slot) {
    return (d / SLOTS * SLOTS + slot) * SLOTS + d % SLOTS;
  }

  private void put(long at, int index, float number) {
    if (type == KvType.F32) {
      data.set(ValueLayout.JAVA_FLOAT, at + 4L * index, number);
    } else {
      short rounded = type == KvType.F16 ? half(number) : bfloat(number);
      data.set(ValueLayout.JAVA_SHORT, at + 2L * index, rounded);
    }
  }

  private static short half(float number) {
    return Float.floatToFloat16(Math.clamp(number, -GREATEST_HALF, GREATEST_HALF));
  }

  /** Rounds to the nearest float whose lower half is 0, ties to even; NaN stays NaN. */
  private static short bfloat(float number) {
    int bits = Float.floatToRawIntBits(number);
    int rounded = bits + 0x7fff + (bits >>> 16 & 1);
    return (short) ((Float.isNaN(number) ? bits | 0x400000 : rounded) >>> 16);
  }

  /** Returns a 127th of the greatest magnitude; NaN if there is one, so that it is not lost. */
  private static float scale(float[] numbers, int from, int to) {
    float greatest = 0;
    for (int i = from; i < to; i++) {
      greatest = Math.max(greatest, Math.abs(numbers[i]));
    }
    return greatest / 127;
  }

  private static byte round(float number, float scale) {
    return (byte) Math.clamp((int) Math.rint(number / scale), -127, 127);
  }

  /** Copies the first slots of a page. */
  void copySlots(int from, int to, int slots) {
    int number = type.bytes();
    int scales = type.scales(headDim);
    for (int layer = 0; layer < layers; layer++) {
      for (int head = 0; head < kvHeads; head++) {
        copy(keys(from, layer, head), keys(to, layer, head), headDim, number, slots);
        copy(keyScales(from, layer, head), keyScales(to, layer, head), scales, Float.BYTES, slots);
        copy(values(from, layer, head), values(to, layer, head), panels(), SLOTS * number, slots);
        copy(
            valueScales(from, layer, head),
            valueScales(to, layer, head),
            scales,
            Float.BYTES,
            slots);
      }
    }
  }

  /** Copies the first slots of each of {@code runs} runs of 16. */
  private void copy(long from, long to, int runs, int slotBytes, int slots) {
    for (int run = 0; run < runs; run++) {
      long at = (long) run * SLOTS * slotBytes;
      MemorySegment.copy(data, from + at, data, to + at, (long) slots * slotBytes);
    }
  }

  @Override
  public void close() {
    if (arena.scope().isAlive()) {
      arena.close();
    }
  }
}
