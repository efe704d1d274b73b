package dev.sojourn.engine.model;

/** How numbers of the KV cache are stored. */
public enum KvType {
  /** 32-bit floats. */
  F32(4),
  /** The upper half of 32-bit floats, rounded to the nearest even. */
  BF16(2),
  /** IEEE half precision, rounded to the nearest even. */
  F16(2);

  private final int bytes;

  KvType(int bytes) {
    this.bytes = bytes;
  }

  /** Returns the bytes of one number. */
  public int bytes() {
    return bytes;
  }
}
