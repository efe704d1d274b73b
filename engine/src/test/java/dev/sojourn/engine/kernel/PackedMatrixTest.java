package dev.sojourn.engine.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class PackedMatrixTest {

  private static final int ROWS = 40; // a panel and a part of one
  private static final int COLUMNS = 512;

  /** Returns weights of any bits, but with halves that are finite and below 128. */
  private static MemorySegment source(WeightType type) {
    byte[] bytes = new byte[ROWS * COLUMNS / type.block() * type.fileBytes()];
    new Random(20261121).nextBytes(bytes);
    for (int i = 1; i < bytes.length; i += 2) {
      bytes[i] &= (byte) 0xbf;
    }
    return MemorySegment.ofArray(bytes);
  }

  private static byte[] bytes(PackedMatrix matrix) {
    return matrix.data().toArray(ValueLayout.JAVA_BYTE);
  }

  @Test
  void pack_ofEachType_givesTheBytesOfThisLayout() throws Exception {
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    try (Arena arena = Arena.ofShared();
        ComputePool pool = new ComputePool(2)) {
      for (WeightType type : WeightType.values()) {
        digest.update(bytes(PackedMatrix.pack(type, source(type), ROWS, COLUMNS, arena, pool)));
      }
    }
    assertThat(HexFormat.of().formatHex(digest.digest()))
        .as("the bytes of layout %d: other bytes are another layout", PackedMatrix.LAYOUT)
        .isEqualTo("59fad0b0ad8262768b6b2af806e66ea6e980f2f8e87d14ac7edaaa6d2f13ac6e");
  }

  @ParameterizedTest
  @EnumSource
  void packed_ofTheMemoryThatPackLeft_isTheSameMatrix(WeightType type) {
    try (Arena arena = Arena.ofShared();
        ComputePool pool = new ComputePool(1)) {
      MemorySegment memory = arena.allocate(1 << 20, PackedMatrix.ALIGNMENT);
      PackedMatrix packed =
          PackedMatrix.pack(
              type, source(type), ROWS, COLUMNS, SegmentAllocator.slicingAllocator(memory), pool);
      PackedMatrix again =
          PackedMatrix.packed(
              type, ROWS, COLUMNS, packed.normalised(), SegmentAllocator.slicingAllocator(memory));
      assertThat(packed.normalised()).isEqualTo(type == WeightType.F16);
      assertThat(bytes(again)).isEqualTo(bytes(packed));
      for (int column = 0; column < COLUMNS; column++) {
        assertThat(Float.floatToRawIntBits(again.weight(39, column)))
            .isEqualTo(Float.floatToRawIntBits(packed.weight(39, column)));
      }
    }
  }
}
