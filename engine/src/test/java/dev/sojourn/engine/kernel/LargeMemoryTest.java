package dev.sojourn.engine.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

class LargeMemoryTest {

  private static final long MEGABYTE = 1 << 20;

  @Test
  void allocate_ofManySizes_isZeroedAlignedAndApart() {
    try (Arena arena = Arena.ofConfined()) {
      LargeMemory memory = new LargeMemory(arena);
      List<MemorySegment> all = new ArrayList<>();
      for (long bytes : new long[] {1, 3 * MEGABYTE, 64, 70 * MEGABYTE + 1, 63 * MEGABYTE, 7}) {
        MemorySegment segment = memory.allocate(bytes, 64);
        assertThat(segment.byteSize()).isEqualTo(bytes);
        assertThat(segment.address() % 64).isZero();
        assertThat(segment.get(ValueLayout.JAVA_BYTE, 0)).isZero();
        assertThat(segment.get(ValueLayout.JAVA_BYTE, bytes - 1)).isZero();
        segment.fill((byte) (all.size() + 1));
        all.add(segment);
      }
      for (int i = 0; i < all.size(); i++) {
        MemorySegment segment = all.get(i);
        assertThat(segment.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) (i + 1));
        assertThat(segment.get(ValueLayout.JAVA_BYTE, segment.byteSize() - 1))
            .isEqualTo((byte) (i + 1));
      }
    }
  }

  @Test
  void arena_thatIsClosed_endsTheMemory() {
    MemorySegment segment;
    try (Arena arena = Arena.ofConfined()) {
      segment = new LargeMemory(arena).allocate(4 * MEGABYTE, 64);
    }
    assertThatThrownBy(() -> segment.get(ValueLayout.JAVA_BYTE, 0))
        .isInstanceOf(IllegalStateException.class);
  }

  /** The kernel notes the advice for each mapping, as {@code hg} among its flags. */
  @Test
  @EnabledOnOs(OS.LINUX)
  void allocate_onLinux_asksForHugePages() throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      long address = new LargeMemory(arena).allocate(8 * MEGABYTE, 64).address();
      assertThat(flagsOfMappingAt(address)).contains(" hg");
    }
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void allocate_moreThanThereAreAddresses_saysWhatToDo() {
    try (Arena arena = Arena.ofConfined()) {
      assertThatThrownBy(() -> new LargeMemory(arena).allocate(1L << 60, 64))
          .isInstanceOf(OutOfMemoryError.class)
          .hasMessageContainingAll("no 1152921504606847039 bytes", "--kv-tokens", "ulimit -v");
    }
  }

  private static String flagsOfMappingAt(long address) throws IOException {
    boolean here = false;
    for (String line : Files.readAllLines(Path.of("/proc/self/smaps"))) {
      if (line.matches("[0-9a-f]+-[0-9a-f]+ .*")) {
        String[] ends = line.split(" ", 2)[0].split("-", 2);
        here =
            Long.compareUnsigned(Long.parseUnsignedLong(ends[0], 16), address) <= 0
                && Long.compareUnsigned(address, Long.parseUnsignedLong(ends[1], 16)) < 0;
      } else if (here && line.startsWith("VmFlags:")) {
        return line;
      }
    }
    throw new AssertionError("nothing is mapped at " + Long.toHexString(address));
  }
}
