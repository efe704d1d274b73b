package dev.sojourn.bench.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MachineSpeedTest {

  @ParameterizedTest
  @ValueSource(ints = {1, 4})
  void sum_inAnyNumberOfStreams_readsEveryNumberOnce(int streams) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = arena.allocate(3 * MachineSpeed.PART, 64);
      int count = (int) (memory.byteSize() / Float.BYTES);
      for (int i = 0; i < count; i++) {
        memory.setAtIndex(ValueLayout.JAVA_FLOAT, i, 1);
      }
      assertThat(MachineSpeed.sum(memory, streams)).isEqualTo(count);
      memory.setAtIndex(ValueLayout.JAVA_FLOAT, 5, 3);
      memory.setAtIndex(ValueLayout.JAVA_FLOAT, count - 7, 3);
      assertThat(MachineSpeed.sum(memory, streams)).isEqualTo(count + 4);
    }
  }
}
