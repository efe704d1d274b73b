package dev.sojourn.acceptance;

import java.time.Duration;
import java.util.concurrent.locks.LockSupport;

/**
 * Waits for what another thread is about to do, where nothing tells that it is done: sessions that
 * expire by the machine's clock, a connection whose end the server has yet to see.
 */
final class Eventually {

  private static final Duration PATIENCE = Duration.ofSeconds(60);

  private Eventually() {}

  /** Runs a check until it passes; its last failure is thrown when patience ends. */
  static void passes(Runnable check) {
    long start = System.nanoTime();
    while (true) {
      try {
        check.run();
        return;
      } catch (AssertionError e) {
        if (System.nanoTime() - start > PATIENCE.toNanos()) {
          throw e;
        }
        LockSupport.parkNanos(50_000_000);
      }
    }
  }
}
