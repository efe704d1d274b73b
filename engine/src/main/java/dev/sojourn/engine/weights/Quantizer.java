package dev.sojourn.engine.weights;

/**
 * Chooses the scales and integers of a {@link QuantBlock} for given numbers: the plain way, scales
 * that just span the numbers, integers rounded to the nearest. Quantisers that search for better
 * scales gain a little accuracy on real models; here the numbers are random. The same integers on
 * every machine. Not thread-safe.
 */
final class Quantizer {

  /** Of a sub-block's own scale. */
  private static final int MOST_SCALE = 63;

  private final TensorType type;
  private final QuantBlock block;
  private final int subBlock;
  private final int levels;

  Quantizer(TensorType type) {
    this.type = type;
    block = new QuantBlock(type);
    subBlock = QuantBlock.subBlock(type);
    levels = (1 << QuantBlock.bits(type)) - 1;
  }

  /** Writes the block of numbers that begin at {@code from}; {@code out} is zeros. */
  void encode(float[] numbers, int from, byte[] out) {
    switch (type) {
      case Q8_0 -> eightBits(numbers, from);
      case Q4_0, Q5_0 -> symmetric(numbers, from);
      case Q4_1, Q5_1 -> fromMinimum(numbers, from);
      case Q4_K, Q5_K -> fromScaledMinimums(numbers, from);
      case Q6_K -> withScaledScales(numbers, from);
      default -> throw new AssertionError(type);
    }
    block.write(out, 0);
  }

  private void eightBits(float[] numbers, int from) {
    float scale = Math.abs(extreme(numbers, from)) / 127;
    float inverse = inverse(scale);
    block.scale = Float.floatToFloat16(scale);
    for (int i = 0; i < subBlock; i++) {
      block.quants[i] = (byte) Math.round(numbers[from + i] * inverse);
    }
  }

  private void symmetric(float[] numbers, int from) {
    int zero = levels / 2 + 1;
    float scale = extreme(numbers, from) / -zero;
    block.scale = Float.floatToFloat16(scale);
    quantize(numbers, from, 0, inverse(scale), zero);
  }

  private void fromMinimum(float[] numbers, int from) {
    float minimum = lowest(numbers, from);
    float scale = (highest(numbers, from) - minimum) / levels;
    float inverse = inverse(scale);
    block.scale = Float.floatToFloat16(scale);
    block.minimum = Float.floatToFloat16(minimum);
    quantize(numbers, from, 0, inverse, -minimum * inverse);
  }

  private void fromScaledMinimums(float[] numbers, int from) {
    float[] scales = new float[type.blockElements() / subBlock];
    float[] minimums = new float[scales.length];
    float mostScale = 0;
    float mostMinimum = 0;
    for (int sub = 0; sub < scales.length; sub++) {
      int at = from + sub * subBlock;
      minimums[sub] = Math.max(0, -lowest(numbers, at)); // its integer has no sign
      scales[sub] = Math.max(0, highest(numbers, at) + minimums[sub]) / levels;
      mostScale = Math.max(mostScale, scales[sub]);
      mostMinimum = Math.max(mostMinimum, minimums[sub]);
    }
    block.scale = Float.floatToFloat16(mostScale / MOST_SCALE);
    block.minimum = Float.floatToFloat16(mostMinimum / MOST_SCALE);
    for (int sub = 0; sub < scales.length; sub++) {
      block.scales[sub] = (byte) Math.round(scales[sub] * inverse(mostScale / MOST_SCALE));
      block.minimums[sub] = (byte) Math.round(minimums[sub] * inverse(mostMinimum / MOST_SCALE));
      float inverse = inverse(block.scale(sub));
      quantize(numbers, from, sub * subBlock, inverse, block.minimum(sub) * inverse);
    }
  }

  private void withScaledScales(float[] numbers, int from) {
    int zero = levels / 2 + 1;
    float[] scales = new float[type.blockElements() / subBlock];
    float most = 0;
    for (int sub = 0; sub < scales.length; sub++) {
      scales[sub] = extreme(numbers, from + sub * subBlock) / -zero;
      most = Math.max(most, Math.abs(scales[sub]));
    }
    block.scale = Float.floatToFloat16(most / 127);
    for (int sub = 0; sub < scales.length; sub++) {
      block.scales[sub] = (byte) Math.round(scales[sub] * inverse(most / 127));
      quantize(numbers, from, sub * subBlock, inverse(block.scale(sub)), zero);
    }
  }

  private void quantize(float[] numbers, int from, int first, float inverse, float zero) {
    for (int i = first; i < first + subBlock; i++) {
      float quant = numbers[from + i] * inverse + (zero + 0.5f);
      block.quants[i] = (byte) Math.clamp((int) quant, 0, levels);
    }
  }

  /** Returns the number of largest magnitude, with its sign. */
  private float extreme(float[] numbers, int from) {
    float extreme = 0;
    for (int i = from; i < from + subBlock; i++) {
      extreme = Math.abs(numbers[i]) > Math.abs(extreme) ? numbers[i] : extreme;
    }
    return extreme;
  }

  private float lowest(float[] numbers, int from) {
    float lowest = numbers[from];
    for (int i = from; i < from + subBlock; i++) {
      lowest = Math.min(lowest, numbers[i]);
    }
    return lowest;
  }

  private float highest(float[] numbers, int from) {
    float highest = numbers[from];
    for (int i = from; i < from + subBlock; i++) {
      highest = Math.max(highest, numbers[i]);
    }
    return highest;
  }

  private static float inverse(float scale) {
    return scale == 0 ? 0 : 1 / scale;
  }
}
