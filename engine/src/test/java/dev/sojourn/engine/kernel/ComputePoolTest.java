package dev.sojourn.engine.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ComputePoolTest {

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4})
  void run_manyJobs_doesEachUnitOnce(int threads) {
    try (ComputePool pool = new ComputePool(threads)) {
      for (int units = 0; units < 300; units++) {
        AtomicIntegerArray done = new AtomicIntegerArray(units);
        AtomicInteger strangers = new AtomicInteger();
        pool.run(
            units,
            (worker, unit) -> {
              done.incrementAndGet(unit);
              if (worker < 0 || worker >= threads) {
                strangers.incrementAndGet();
              }
            });
        assertThat(IntStream.range(0, units).map(done::get).allMatch(times -> times == 1)).isTrue();
        assertThat(strangers).hasValue(0);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3})
  void run_aUnitThatFails_throwsItAndStaysUsable(int threads) {
    try (ComputePool pool = new ComputePool(threads)) {
      ComputePool.Job failing =
          (_, unit) -> {
            if (unit == 5) {
              throw new IllegalStateException("unit 5");
            }
          };
      for (int round = 0; round < 20; round++) {
        assertThatThrownBy(() -> pool.run(100, failing))
            .isInstanceOf(IllegalStateException.class)
            .hasMessage("unit 5");
        AtomicInteger done = new AtomicInteger();
        pool.run(100, (_, _) -> done.incrementAndGet());
        assertThat(done).hasValue(100);
      }
    }
  }

  @Test
  void run_fromTwoThreads_keepsTheirJobsApart() throws InterruptedException {
    try (ComputePool pool = new ComputePool(3)) {
      AtomicInteger wrong = new AtomicInteger();
      Runnable caller =
          () -> {
            for (int round = 0; round < 300; round++) {
              AtomicInteger done = new AtomicInteger();
              pool.run(7, (_, _) -> done.incrementAndGet());
              if (done.get() != 7) {
                wrong.incrementAndGet();
              }
            }
          };
      Thread one = new Thread(caller);
      Thread two = new Thread(caller);
      one.start();
      two.start();
      one.join();
      two.join();
      assertThat(wrong).hasValue(0);
    }
  }

  @Test
  void new_whereAThreadCannotStart_endsThoseThatDid() throws InterruptedException {
    List<Thread> started = new ArrayList<>();
    assertThatThrownBy(() ->
            new ComputePool(
                5,
                thread -> {
                  if (started.size() == 2) {
                    throw new OutOfMemoryError("unable to create native thread");
                  }
                  thread.start();
                  started.add(thread);
                }))
        .isInstanceOf(OutOfMemoryError.class);
    assertThat(started).hasSize(2);
    for (Thread thread : started) {
      assertThat(thread.join(Duration.ofMinutes(1))).isTrue();
    }
  }

  @Test
  void run_afterClose_isRefused() {
    ComputePool pool = new ComputePool(2);
    pool.close();
    assertThatThrownBy(() -> pool.run(1, (_, _) -> {})).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> new ComputePool(0)).hasMessageContaining("at least 1");
  }
}
