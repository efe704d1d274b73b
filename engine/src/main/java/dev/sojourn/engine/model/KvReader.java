package dev.sojourn.engine.model;

import dev.sojourn.engine.kernel.Kernels;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Reads pages of a {@link KvCache} as floats into their places in a span. Numbers are copied onto
 * the heap as they are stored and converted there: between arrays C2 makes better loops, and the
 * copy streams from memory.
 *
 * <p>Owned by one thread; allocates nothing.
 */
final class KvReader {

  private static final int SLOTS = Kernels.LANES;
  private static final int SPAN = Kernels.SPAN;

  private final Kernels kernels;
  private final int headDim;
  private final int panels;
  private final short[] shorts;
  private final byte[] bytes;
  private final float[] scales;

  KvReader(Kernels kernels, int headDim) {
    this.kernels = kernels;
    this.headDim = headDim;
    this.panels = Math.ceilDiv(headDim, SLOTS);
    this.shorts = new short[panels * SLOTS * SLOTS];
    this.bytes = new byte[panels * SLOTS * SLOTS];
    this.scales = new float[KvType.Q8_0.scales(headDim) * SLOTS];
  }

  /** Reads keys as {@link Kernels#scores} takes them. */
  void keys(KvCache kv, int page, int layer, int kvHead, float[] span, int place) {
    MemorySegment data = kv.data();
    long at = kv.keys(page, layer, kvHead);
    int n = headDim * SLOTS;
    int to = place * n;
    switch (kv.type()) {
      case F32 -> MemorySegment.copy(data, ValueLayout.JAVA_FLOAT, at, span, to, n);
      case F16 -> {
        MemorySegment.copy(data, ValueLayout.JAVA_SHORT, at, shorts, 0, n);
        kernels.widenHalves(shorts, 0, span, to, n);
      }
      case BF16 -> {
        MemorySegment.copy(data, ValueLayout.JAVA_SHORT, at, shorts, 0, n);
        kernels.widenBfloats(shorts, 0, span, to, n);
      }
      case Q8_0 -> {
        MemorySegment.copy(data, ValueLayout.JAVA_BYTE, at, bytes, 0, n);
        long scalesAt = kv.keyScales(page, layer, kvHead);
        MemorySegment.copy(data, ValueLayout.JAVA_FLOAT, scalesAt, scales, 0, scales.length);
        int block = KvType.SCALED * SLOTS;
        for (int i = 0; i < n; i += block) {
          int scale = i / block * SLOTS;
          kernels.widenColumns(bytes, i, scales, scale, span, to + i, Math.min(block, n - i));
        }
      }
    }
  }

  /** Reads values as {@link Kernels#accumulate} takes them. */
  void values(KvCache kv, int page, int layer, int kvHead, float[] span, int place) {
    MemorySegment data = kv.data();
    long at = kv.values(page, layer, kvHead);
    int panel = SLOTS * SLOTS;
    switch (kv.type()) {
      case F32 -> {}
      case F16, BF16 ->
          MemorySegment.copy(data, ValueLayout.JAVA_SHORT, at, shorts, 0, panels * panel);
      case Q8_0 -> {
        MemorySegment.copy(data, ValueLayout.JAVA_BYTE, at, bytes, 0, panels * panel);
        long scalesAt = kv.valueScales(page, layer, kvHead);
        MemorySegment.copy(data, ValueLayout.JAVA_FLOAT, scalesAt, scales, 0, scales.length);
      }
    }
    for (int i = 0; i < panels; i++) {
      int from = i * panel;
      int to = (i * SPAN + place * SLOTS) * SLOTS;
      switch (kv.type()) {
        case F32 ->
            MemorySegment.copy(data, ValueLayout.JAVA_FLOAT, at + 4L * from, span, to, panel);
        case F16 -> kernels.widenHalves(shorts, from, span, to, panel);
        case BF16 -> kernels.widenBfloats(shorts, from, span, to, panel);
        case Q8_0 -> {
          int scale = i * SLOTS / KvType.SCALED * SLOTS;
          kernels.widenRows(bytes, from, scales, scale, span, to, panel);
        }
      }
    }
  }
}
