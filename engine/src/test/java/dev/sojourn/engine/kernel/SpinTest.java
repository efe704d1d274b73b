package dev.sojourn.engine.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.core.ManualClock;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SpinTest {

  private final ManualClock clock = new ManualClock();
  private final Spin spin = new Spin(clock);
  private int looks;

  /** A nanosecond a pause, as on ARM, some on AMD, 45, as on Intel, and more than there is. */
  @ParameterizedTest
  @ValueSource(ints = {1, 15, 45, 1_000})
  void until_howeverLongAPauseTakes_waitsForTheSameTime(int nanosOfAPause) {
    boolean became = spin.until(() -> look(nanosOfAPause) < 0);
    assertThat(became).isFalse();
    long unseen = 2L * Spin.PAUSES * nanosOfAPause;
    assertThat(clock.nanos()).isBetween(Spin.NANOS, Spin.NANOS + unseen);
  }

  @Test
  void until_whatBecomesSo_returnsAtOnce() {
    assertThat(spin.until(() -> look(45) == 700)).isTrue();
    assertThat(looks).isEqualTo(700);
    assertThat(spin.until(() -> look(45) > 0)).isTrue();
    assertThat(looks).isEqualTo(701);
  }

  private int look(int nanos) {
    clock.advance(Duration.ofNanos(nanos));
    return ++looks;
  }
}
