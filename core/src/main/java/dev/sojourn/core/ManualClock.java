package dev.sojourn.core;

import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.atomic.AtomicLong;

/** A clock that stands still until it is turned: for tests and for the simulator. Thread-safe. */
public final class ManualClock implements Clock {

  private final AtomicLong nanos = new AtomicLong();

  @Override
  public long nanos() {
    return nanos.get();
  }

  @Override
  public Instant now() {
    return Instant.EPOCH.plusNanos(nanos.get());
  }

  /** Moves time on instead of waiting. */
  @Override
  public void pause(Duration time) {
    advance(time);
  }

  /** Moves time on. */
  public void advance(Duration by) {
    if (by.isNegative()) {
      throw new IllegalArgumentException("time does not go back by " + by);
    }
    nanos.addAndGet(by.toNanos());
  }
}
