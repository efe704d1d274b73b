package dev.sojourn.engine.kernel;

import dev.sojourn.core.Clock;
import java.util.function.BooleanSupplier;

/**
 * Waiting for what another thread is about to do, without giving the processor away. By time, as a
 * pause ({@link Thread#onSpinWait}) takes 1 to 50 nanoseconds, depending on who made the processor.
 *
 * <p>Thread-safe; allocates nothing. A short wait does not read the clock.
 */
final class Spin {

  /** Longer than mostly is between two jobs of a pass, and not much longer than parking takes. */
  static final long NANOS = 50_000;

  /** Pauses from one look at the clock to the next, which takes as long as one or some of them. */
  static final int PAUSES = 32;

  private final Clock clock;

  Spin(Clock clock) {
    this.clock = clock;
  }

  /** Waits until it is so, some {@link #NANOS} at most, and returns whether it is. */
  boolean until(BooleanSupplier so) {
    long start = 0;
    for (int pauses = 1; !so.getAsBoolean(); pauses++) {
      Thread.onSpinWait();
      if (pauses % PAUSES == 0) {
        long now = clock.nanos();
        if (pauses == PAUSES) {
          start = now;
        } else if (now - start >= NANOS) {
          return false;
        }
      }
    }
    return true;
  }
}
