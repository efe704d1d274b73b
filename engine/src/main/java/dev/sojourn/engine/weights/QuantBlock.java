package dev.sojourn.engine.weights;

import java.util.Arrays;

/**
 * A block of quantised numbers, taken apart: what GGML's block types have in common once their bits
 * are in order. A number is {@code scale * quant - minimum}, with scale and minimum shared by a
 * sub-block of 16 or 32 numbers:
 *
 * <ul>
 *   <li>{@code Q8_0}, {@code Q4_0}, {@code Q5_0}, {@code Q6_K} are symmetric: the minimum is the
 *       scale times the quant that stands for 0;
 *   <li>{@code Q4_1}, {@code Q5_1} store the minimum, negated;
 *   <li>the K types' blocks are 256 numbers in 8 or 16 sub-blocks, whose scales (and minimums) are
 *       small integers times the block's own.
 * </ul>
 *
 * <p>Scale and minimum are rounded once each (no product of the formats needs more bits than a
 * float has), and so is the number, as one FMA.
 *
 * <p>Read one block after the other into the same object; not thread-safe.
 */
public final class QuantBlock {

  private static final int MOST = 256;

  private final TensorType type;

  /** The block's scale and minimum, halves. Symmetric types have no minimum. */
  short scale;

  short minimum;

  /** The sub-blocks' own: 6 bits, or 8 with a sign ({@code Q6_K}); 1 where there is one block. */
  final byte[] scales = new byte[MOST / 16];

  final byte[] minimums = new byte[MOST / 32];

  /** What is stored for each number: unsigned, except for {@code Q8_0}. */
  final byte[] quants = new byte[MOST];

  /**
   * Makes an empty block.
   *
   * @throws IllegalArgumentException if the type is not quantised, or not supported
   */
  public QuantBlock(TensorType type) {
    bits(type);
    this.type = type;
    Arrays.fill(scales, (byte) 1);
  }

  /**
   * Returns how many bits a number has, without its share of scales.
   *
   * @throws IllegalArgumentException as the constructor
   */
  public static int bits(TensorType type) {
    return switch (type) {
      case Q4_0, Q4_1, Q4_K -> 4;
      case Q5_0, Q5_1, Q5_K -> 5;
      case Q6_K -> 6;
      case Q8_0 -> 8;
      default -> throw new IllegalArgumentException(type + " is not a supported type of blocks");
    };
  }

  /** Returns how many numbers of a type share a scale. */
  public static int subBlock(TensorType type) {
    return type == TensorType.Q6_K ? 16 : 32;
  }

  /** Returns the block's scale, a half. */
  public short scale() {
    return scale;
  }

  /** Returns the block's minimum, a half, as it is stored; without meaning for symmetric types. */
  public short minimum() {
    return minimum;
  }

  /** Returns what a sub-block's scale is in terms of the block's. */
  public int ownScale(int subBlock) {
    return scales[subBlock];
  }

  /** Returns what a sub-block's minimum is in terms of the block's. */
  public int ownMinimum(int subBlock) {
    return minimums[subBlock];
  }

  /** Returns what is stored for a number. */
  public int quant(int index) {
    return quants[index];
  }

  float number(int index) {
    int sub = index / subBlock(type);
    return Math.fma(scale(sub), quants[index], -minimum(sub));
  }

  float scale(int subBlock) {
    return Float.float16ToFloat(scale) * scales[subBlock];
  }

  float minimum(int subBlock) {
    return switch (type) {
      case Q4_1, Q5_1 -> -Float.float16ToFloat(minimum);
      case Q4_K, Q5_K -> Float.float16ToFloat(minimum) * minimums[subBlock];
      case Q8_0 -> 0;
      default -> scale(subBlock) * (1 << (bits(type) - 1));
    };
  }

  /** Takes a block apart; {@code in} has it from {@code at} on, as a file does. */
  public void read(byte[] in, int at) {
    switch (type) {
      case Q8_0 -> {
        scale = half(in, at);
        System.arraycopy(in, at + 2, quants, 0, 32);
      }
      case Q4_0 -> {
        scale = half(in, at);
        readNibbles(in, at + 2, 16);
      }
      case Q4_1 -> {
        scale = half(in, at);
        minimum = half(in, at + 2);
        readNibbles(in, at + 4, 16);
      }
      case Q5_0 -> {
        scale = half(in, at);
        readNibbles(in, at + 6, 16);
        readFifthBits(in, at + 2);
      }
      case Q5_1 -> {
        scale = half(in, at);
        minimum = half(in, at + 2);
        readNibbles(in, at + 8, 16);
        readFifthBits(in, at + 4);
      }
      case Q4_K -> {
        readScales(in, at);
        readNibbles(in, at + 16, 32);
      }
      case Q5_K -> {
        readScales(in, at);
        readNibbles(in, at + 48, 32);
        for (int i = 0; i < 256; i++) {
          quants[i] |= (byte) ((in[at + 16 + i % 32] >> (i / 32) & 1) << 4);
        }
      }
      case Q6_K -> {
        readNibbles(in, at, 64);
        for (int i = 0; i < 256; i++) {
          quants[i] |= (byte) ((in[at + 128 + sixthByte(i)] >> sixthShift(i) & 3) << 4);
        }
        System.arraycopy(in, at + 192, scales, 0, 16);
        scale = half(in, at + 208);
      }
      default -> throw new AssertionError(type);
    }
  }

  /** Puts a block together again; {@code out} is zeros from {@code at} on. */
  void write(byte[] out, int at) {
    switch (type) {
      case Q8_0 -> {
        half(scale, out, at);
        System.arraycopy(quants, 0, out, at + 2, 32);
      }
      case Q4_0 -> {
        half(scale, out, at);
        writeNibbles(out, at + 2, 16);
      }
      case Q4_1 -> {
        half(scale, out, at);
        half(minimum, out, at + 2);
        writeNibbles(out, at + 4, 16);
      }
      case Q5_0 -> {
        half(scale, out, at);
        writeNibbles(out, at + 6, 16);
        writeFifthBits(out, at + 2);
      }
      case Q5_1 -> {
        half(scale, out, at);
        half(minimum, out, at + 2);
        writeNibbles(out, at + 8, 16);
        writeFifthBits(out, at + 4);
      }
      case Q4_K -> {
        writeScales(out, at);
        writeNibbles(out, at + 16, 32);
      }
      case Q5_K -> {
        writeScales(out, at);
        writeNibbles(out, at + 48, 32);
        for (int i = 0; i < 256; i++) {
          out[at + 16 + i % 32] |= (byte) ((quants[i] >> 4) << (i / 32));
        }
      }
      case Q6_K -> {
        writeNibbles(out, at, 64);
        for (int i = 0; i < 256; i++) {
          out[at + 128 + sixthByte(i)] |= (byte) ((quants[i] >> 4) << sixthShift(i));
        }
        System.arraycopy(scales, 0, out, at + 192, 16);
        half(scale, out, at + 208);
      }
      default -> throw new AssertionError(type);
    }
  }

  /** Of each {@code 2 * half} numbers the low nibbles of the bytes are the first half. */
  private void readNibbles(byte[] in, int at, int half) {
    for (int i = 0; i < type.blockElements(); i += 2 * half) {
      for (int j = 0; j < half; j++) {
        int pair = in[at + i / 2 + j];
        quants[i + j] = (byte) (pair & 15);
        quants[i + half + j] = (byte) (pair >> 4 & 15);
      }
    }
  }

  private void writeNibbles(byte[] out, int at, int half) {
    for (int i = 0; i < type.blockElements(); i += 2 * half) {
      for (int j = 0; j < half; j++) {
        out[at + i / 2 + j] = (byte) ((quants[i + j] & 15) | (quants[i + half + j] << 4));
      }
    }
  }

  private void readFifthBits(byte[] in, int at) {
    for (int i = 0; i < 32; i++) {
      quants[i] |= (byte) ((in[at + i / 8] >> (i % 8) & 1) << 4);
    }
  }

  private void writeFifthBits(byte[] out, int at) {
    for (int i = 0; i < 32; i++) {
      out[at + i / 8] |= (byte) ((quants[i] >> 4) << (i % 8));
    }
  }

  /** Each half of {@code Q6_K} has its two upper bits in 32 bytes, four numbers to a byte. */
  private static int sixthByte(int i) {
    return i / 128 * 32 + i % 32;
  }

  private static int sixthShift(int i) {
    return i % 128 / 32 * 2;
  }

  /**
   * Eight scales and eight minimums of six bits, in twelve bytes: the first four of each in their
   * bytes' lower six bits; of the last four, four bits each in a byte of their own, and the upper
   * two above those of the first.
   */
  private void readScales(byte[] in, int at) {
    scale = half(in, at);
    minimum = half(in, at + 2);
    int from = at + 4;
    for (int i = 0; i < 4; i++) {
      int low = in[from + i];
      int high = in[from + 4 + i];
      int rest = in[from + 8 + i];
      scales[i] = (byte) (low & 63);
      minimums[i] = (byte) (high & 63);
      scales[i + 4] = (byte) ((rest & 15) | ((low >> 6 & 3) << 4));
      minimums[i + 4] = (byte) ((rest >> 4 & 15) | ((high >> 6 & 3) << 4));
    }
  }

  private void writeScales(byte[] out, int at) {
    half(scale, out, at);
    half(minimum, out, at + 2);
    int to = at + 4;
    for (int i = 0; i < 4; i++) {
      out[to + i] = (byte) (scales[i] | ((scales[i + 4] >> 4) << 6));
      out[to + 4 + i] = (byte) (minimums[i] | ((minimums[i + 4] >> 4) << 6));
      out[to + 8 + i] = (byte) ((scales[i + 4] & 15) | (minimums[i + 4] << 4));
    }
  }

  private static short half(byte[] in, int at) {
    return (short) ((in[at] & 255) | (in[at + 1] << 8));
  }

  private static void half(short value, byte[] out, int at) {
    out[at] = (byte) value;
    out[at + 1] = (byte) (value >> 8);
  }
}
