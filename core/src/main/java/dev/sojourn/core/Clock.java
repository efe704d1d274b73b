package dev.sojourn.core;

import java.time.Duration;
import java.time.Instant;

/** Where all time comes from. Thread-safe. */
public interface Clock {

  /** Returns monotonic nanoseconds since an arbitrary origin; only differences mean anything. */
  long nanos();

  /** Returns the time of day, for timestamps that people and protocols read. */
  Instant now();

  /** Waits for so long; shorter if the thread is or gets interrupted, which it stays. */
  void pause(Duration time);

  /** Returns the machine's clock. */
  static Clock system() {
    return SystemClock.INSTANCE;
  }
}
