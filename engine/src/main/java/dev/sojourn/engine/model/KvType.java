package dev.sojourn.engine.model;

/** How numbers of the KV cache are stored. */
public enum KvType {
  /** 32-bit floats. */
  F32(4),
  /** The upper half of 32-bit floats, rounded to the nearest even. */
  BF16(2),
  /**
   * IEEE half precision, rounded to the nearest even; numbers beyond its range to the greatest that
   * it has, as an infinite key would make the answer NaN.
   */
  F16(2),
  /**
   * Bytes, and for each 32 dimensions of a token's head a scale: a 127th of their greatest
   * magnitude, as a float. A byte is the number divided by the scale, rounded to the nearest even.
   */
  Q8_0(1);

  /** Dimensions that share a scale of {@link #Q8_0}. */
  static final int SCALED = 32;

  private final int bytes;

  KvType(int bytes) {
    this.bytes = bytes;
  }

  /** Returns the bytes of one number, a scale apart. */
  int bytes() {
    return bytes;
  }

  /** Returns how many scales the dimensions of a token's head have. */
  int scales(int headDim) {
    return this == Q8_0 ? Math.ceilDiv(headDim, SCALED) : 0;
  }
}
