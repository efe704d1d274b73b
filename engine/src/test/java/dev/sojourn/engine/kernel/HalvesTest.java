package dev.sojourn.engine.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;

class HalvesTest {

  private static Halves of(int... halves) {
    short[] shorts = new short[halves.length];
    for (int i = 0; i < halves.length; i++) {
      shorts[i] = (short) halves[i];
    }
    MemorySegment source = MemorySegment.ofArray(shorts);
    try (ComputePool pool = new ComputePool(1)) {
      return Halves.of(source, pool);
    }
  }

  private static void assertKept(Halves halves, int half) {
    short stored = halves.encode((short) half);
    assertThat(Float.floatToRawIntBits(halves.decode(stored)))
        .as("%04x", half & 0xffff)
        .isEqualTo(Float.floatToRawIntBits(Float.float16ToFloat((short) half)));
  }

  @Test
  void encode_ofEveryFiniteHalf_keepsIt() {
    for (int half = 0; half < 0x7c00; half++) {
      assertKept(Halves.PLAIN, half);
      assertKept(Halves.PLAIN, half | 0x8000);
    }
  }

  @Test
  void encode_ofHalvesBelow128_keepsThemAndLeavesNoneDenormal() {
    int greatest = Float.floatToFloat16(127.9f);
    Halves halves = of(0, 1, greatest);
    assertThat(halves).isNotEqualTo(Halves.PLAIN);
    for (int half = 0; half <= greatest; half++) {
      assertKept(halves, half);
      assertKept(halves, half | 0x8000);
      int stored = halves.encode((short) half);
      assertThat(half == 0 || (stored & 0x7c00) != 0)
          .as("%04x is stored %04x", half, stored)
          .isTrue();
    }
  }

  @Test
  void of_whenOneIs128_leavesThemAsTheyAre() {
    assertThat(of(1, 0x8000 | Float.floatToFloat16(128))).isEqualTo(Halves.PLAIN);
  }

  @Test
  void of_whenOneIsNotFinite_refuses() {
    assertThatThrownBy(() -> of(1, 0xfc00)).isInstanceOf(ArithmeticException.class);
    assertThatThrownBy(() -> of(1, 0x7c01)).isInstanceOf(ArithmeticException.class);
  }
}
