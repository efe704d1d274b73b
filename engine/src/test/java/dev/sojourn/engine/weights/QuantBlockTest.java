package dev.sojourn.engine.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What the numbers mean is compared with llama.cpp in {@link LlamaCppGoldensTest}. */
class QuantBlockTest {

  @ParameterizedTest
  @EnumSource(
      value = TensorType.class,
      names = {"Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K"})
  void write_ofWhatWasRead_isEveryBitOfIt(TensorType type) {
    Random random = new Random(20261121);
    QuantBlock block = new QuantBlock(type);
    for (int run = 0; run < 100; run++) {
      byte[] bytes = new byte[type.blockBytes()];
      random.nextBytes(bytes);
      byte[] shifted = new byte[bytes.length + 3];
      System.arraycopy(bytes, 0, shifted, 3, bytes.length);
      block.read(shifted, 3);
      byte[] again = new byte[bytes.length];
      block.write(again, 0);
      assertThat(again).isEqualTo(bytes);
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = TensorType.class,
      names = {"Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K"})
  void encode_ofZeros_isZeros(TensorType type) {
    byte[] bytes = new byte[type.blockBytes()];
    new Quantizer(type).encode(new float[256], 0, bytes);
    QuantBlock block = new QuantBlock(type);
    block.read(bytes, 0);
    for (int i = 0; i < type.blockElements(); i++) {
      assertThat(block.number(i)).isZero();
    }
  }

  /** From the format: 6-bit scales 1 to 8 and minimums 21 to 28, then quants i % 16 or i % 32. */
  @Test
  void number_ofKBlocks_isItsSubBlocksScaleTimesQuantMinusMinimum() {
    for (TensorType type : new TensorType[] {TensorType.Q4_K, TensorType.Q5_K}) {
      QuantBlock written = new QuantBlock(type);
      int levels = 1 << QuantBlock.bits(type);
      written.scale = Float.floatToFloat16(0.5f);
      written.minimum = Float.floatToFloat16(0.25f);
      for (int i = 0; i < 8; i++) {
        written.scales[i] = (byte) (i + 1);
        written.minimums[i] = (byte) (i + 21);
      }
      for (int i = 0; i < 256; i++) {
        written.quants[i] = (byte) (i % levels);
      }
      byte[] bytes = new byte[type.blockBytes()];
      written.write(bytes, 0);
      QuantBlock block = new QuantBlock(type);
      block.read(bytes, 0);
      for (int i = 0; i < 256; i++) {
        assertThat(block.number(i))
            .isEqualTo(0.5f * (i / 32 + 1) * (i % levels) - 0.25f * (i / 32 + 21));
      }
    }
  }

  @Test
  void new_ofATypeThatHasNoBlocks_isRefused() {
    assertThatThrownBy(() -> new QuantBlock(TensorType.F16))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("F16 is not a supported type of blocks");
  }
}
