package dev.sojourn.engine.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.core.ManualClock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CompileQueueTest {

  private static final String BUSY = "C2 9 4 dev.sojourn.engine.kernel.OneToken::q8 (9 bytes)\n";

  private final ManualClock clock = new ManualClock();
  private final List<String> warnings = new ArrayList<>();
  private int busyFor; // times of asking
  private final CompileQueue queue =
      new CompileQueue(
          clock, () -> busyFor-- > 0 ? BUSY : "C2 compile queue: Empty", warnings::add);

  @ParameterizedTest
  @CsvSource({
    "OneToken::q8, C2 CompilerThread0 2363    4    dev.sojourn.engine.OneToken::q8 (9 bytes)",
    "Rope::angles, C2 CompilerThread0 2363  %  4    dev.sojourn.engine.Rope::angles @ 4 (9 bytes)",
    "'', C1 CompilerThread0 2363  %  3    dev.sojourn.engine.Rope::angles (9 bytes)",
    "'', C2 CompilerThread0 2363    4    java.lang.String::length (9 bytes)",
    "'', C2 compile queue: Empty"
  })
  void ours_returnsTheMethodsOfTheEngineThatC2Has(String method, String text) {
    List<String> expected = method.isEmpty() ? List.of() : List.of("dev.sojourn.engine." + method);
    assertThat(CompileQueue.ours(text)).isEqualTo(expected);
    assertThat(CompileQueue.ours("9 3 dev.sojourn.engine.X::y\n" + text)).isEqualTo(expected);
  }

  @Test
  void drain_whereC2Ends_waitsUntilThenAndSaysSo() {
    busyFor = 100;
    assertThat(queue.drain()).isTrue();
    assertThat(clock.nanos()).isEqualTo(Duration.ofMillis(500).toNanos());
    assertThat(queue.drain()).isFalse();
    assertThat(warnings).isEmpty();
  }

  @Test
  void drain_whereC2IsSlow_waitsNoLongerThanPatienceInAllAndWarnsOnce() {
    for (int round = 0; round < 300; round++) { // of some seconds each
      busyFor = 1_000;
      queue.drain();
    }
    assertThat(clock.nanos()).isEqualTo(CompileQueue.PATIENCE.toNanos());
    assertThat(queue.drain()).isFalse();
    assertThat(warnings).hasSize(1);
    assertThat(warnings.getFirst())
        .contains("waited 120 seconds", "(1): dev.sojourn.engine.kernel.OneToken::q8");
  }

  @Test
  void drain_afterStop_doesNotWait() {
    queue.stop();
    busyFor = 1_000;
    assertThat(queue.drain()).isFalse();
    assertThat(clock.nanos()).isZero();
  }
}
