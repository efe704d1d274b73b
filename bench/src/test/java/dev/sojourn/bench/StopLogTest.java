package dev.sojourn.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class StopLogTest {

  @Test
  void read_afterACollection_hasItsStop() {
    try (StopLog log = new StopLog()) {
      System.gc();
      List<Stop> stops = log.read();
      assertThat(stops).anyMatch(Stop::ofCollector);
      assertThat(stops).allSatisfy(stop -> assertThat(stop.millis()).isPositive());
    }
  }
}
