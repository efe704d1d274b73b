package dev.sojourn.engine.weights;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * Turns floats into stored numbers and back, one row or tensor at a time: plain types here, blocks
 * by {@link QuantBlock} and {@link Quantizer}. The same bits on every machine.
 */
final class TensorCodec {

  private static final ValueLayout.OfFloat F32 =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfShort I16 =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private TensorCodec() {}

  /** Stores {@code numbers}, whole blocks of them, at the start of {@code into}. */
  static void encode(TensorType type, float[] numbers, MemorySegment into) {
    switch (type) {
      case F32 -> MemorySegment.copy(numbers, 0, into, F32, 0, numbers.length);
      case F16 -> {
        for (int i = 0; i < numbers.length; i++) {
          into.set(I16, 2L * i, Float.floatToFloat16(numbers[i]));
        }
      }
      case BF16 -> {
        for (int i = 0; i < numbers.length; i++) {
          into.set(I16, 2L * i, toBfloat16(numbers[i]));
        }
      }
      default -> {
        Quantizer quantizer = new Quantizer(type);
        byte[] block = new byte[type.blockBytes()];
        for (int i = 0; i < numbers.length; i += type.blockElements()) {
          Arrays.fill(block, (byte) 0);
          quantizer.encode(numbers, i, block);
          MemorySegment.copy(block, 0, into, ValueLayout.JAVA_BYTE, type.bytes(i), block.length);
        }
      }
    }
  }

  /** Reads {@code numbers.length} numbers from the start of {@code from}. */
  static void decode(TensorType type, MemorySegment from, float[] numbers) {
    switch (type) {
      case F32 -> MemorySegment.copy(from, F32, 0, numbers, 0, numbers.length);
      case F16 -> {
        for (int i = 0; i < numbers.length; i++) {
          numbers[i] = Float.float16ToFloat(from.get(I16, 2L * i));
        }
      }
      case BF16 -> {
        for (int i = 0; i < numbers.length; i++) {
          numbers[i] = Float.intBitsToFloat(from.get(I16, 2L * i) << 16);
        }
      }
      default -> {
        QuantBlock block = new QuantBlock(type);
        byte[] bytes = new byte[type.blockBytes()];
        for (int i = 0; i < numbers.length; i += type.blockElements()) {
          MemorySegment.copy(from, ValueLayout.JAVA_BYTE, type.bytes(i), bytes, 0, bytes.length);
          block.read(bytes, 0);
          for (int j = 0; j < type.blockElements(); j++) {
            numbers[i + j] = block.number(j);
          }
        }
      }
    }
  }

  /** Rounds to the nearest, ties to even; a NaN stays one. */
  private static short toBfloat16(float number) {
    int bits = Float.floatToIntBits(number);
    if (Float.isNaN(number)) {
      return (short) ((bits >> 16) | 64);
    }
    return (short) ((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
  }
}
