package dev.sojourn.engine.weights;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Turns floats into stored numbers and back, one row or tensor at a time, as GGML's reference code
 * does: {@code Q8_0} is a half-precision scale and 32 signed bytes, {@code Q4_0} a scale and 32
 * nibbles with an offset of 8, the low nibbles first. A decoded number is {@code d * q}, rounded
 * once. The same bits on every machine.
 */
final class TensorCodec {

  private static final ValueLayout.OfFloat F32 =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfShort I16 =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private static final int BLOCK = 32;

  private TensorCodec() {}

  /** Stores {@code numbers}, whole blocks of them, at the start of {@code into}. */
  static void encode(TensorType type, float[] numbers, MemorySegment into) {
    for (int i = 0; i < numbers.length; i += type.blockElements()) {
      long at = (long) (i / type.blockElements()) * type.blockBytes();
      switch (type) {
        case F32 -> into.set(F32, at, numbers[i]);
        case F16 -> into.set(I16, at, Float.floatToFloat16(numbers[i]));
        case BF16 -> into.set(I16, at, toBfloat16(numbers[i]));
        case Q8_0 -> encodeQ8(numbers, i, into, at);
        case Q4_0 -> encodeQ4(numbers, i, into, at);
        default -> throw unsupported(type);
      }
    }
  }

  /** Reads {@code numbers.length} numbers from the start of {@code from}. */
  static void decode(TensorType type, MemorySegment from, float[] numbers) {
    for (int i = 0; i < numbers.length; i += type.blockElements()) {
      long at = (long) (i / type.blockElements()) * type.blockBytes();
      switch (type) {
        case F32 -> numbers[i] = from.get(F32, at);
        case F16 -> numbers[i] = Float.float16ToFloat(from.get(I16, at));
        case BF16 -> numbers[i] = Float.intBitsToFloat(from.get(I16, at) << 16);
        case Q8_0 -> {
          float d = Float.float16ToFloat(from.get(I16, at));
          for (int j = 0; j < BLOCK; j++) {
            numbers[i + j] = d * from.get(ValueLayout.JAVA_BYTE, at + 2 + j);
          }
        }
        case Q4_0 -> {
          float d = Float.float16ToFloat(from.get(I16, at));
          for (int j = 0; j < BLOCK / 2; j++) {
            int pair = from.get(ValueLayout.JAVA_BYTE, at + 2 + j);
            numbers[i + j] = d * ((pair & 15) - 8);
            numbers[i + j + BLOCK / 2] = d * (((pair >> 4) & 15) - 8);
          }
        }
        default -> throw unsupported(type);
      }
    }
  }

  private static void encodeQ8(float[] numbers, int from, MemorySegment into, long at) {
    float largest = 0;
    for (int j = 0; j < BLOCK; j++) {
      largest = Math.max(largest, Math.abs(numbers[from + j]));
    }
    float d = largest / 127;
    float inverse = d == 0 ? 0 : 1 / d;
    into.set(I16, at, Float.floatToFloat16(d));
    for (int j = 0; j < BLOCK; j++) {
      into.set(ValueLayout.JAVA_BYTE, at + 2 + j, (byte) Math.round(numbers[from + j] * inverse));
    }
  }

  private static void encodeQ4(float[] numbers, int from, MemorySegment into, long at) {
    float extreme = 0; // of largest magnitude, with its sign: it becomes -8
    for (int j = 0; j < BLOCK; j++) {
      float number = numbers[from + j];
      extreme = Math.abs(number) > Math.abs(extreme) ? number : extreme;
    }
    float d = extreme / -8;
    float inverse = d == 0 ? 0 : 1 / d;
    into.set(I16, at, Float.floatToFloat16(d));
    for (int j = 0; j < BLOCK / 2; j++) {
      int low = nibble(numbers[from + j] * inverse);
      int high = nibble(numbers[from + j + BLOCK / 2] * inverse);
      into.set(ValueLayout.JAVA_BYTE, at + 2 + j, (byte) (low | (high << 4)));
    }
  }

  private static int nibble(float scaled) {
    return Math.clamp((int) (scaled + 8.5f), 0, 15);
  }

  /** Rounds to the nearest, ties to even; a NaN stays one. */
  private static short toBfloat16(float number) {
    int bits = Float.floatToIntBits(number);
    if (Float.isNaN(number)) {
      return (short) ((bits >> 16) | 64);
    }
    return (short) ((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
  }

  private static IllegalArgumentException unsupported(TensorType type) {
    return new IllegalArgumentException(
        "tensor type " + type + "; supported are " + TensorType.supportedNames());
  }
}
