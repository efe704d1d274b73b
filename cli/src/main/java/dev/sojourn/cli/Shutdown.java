package dev.sojourn.cli;

import java.util.concurrent.CountDownLatch;

/**
 * The end of a process that serves. Ctrl-C and SIGTERM wake the thread that waits here, which
 * closes what it has opened; the JVM ends only after that, with 130 or 143. A signal that comes
 * before anybody waits ends the process at once: there is nothing to drain yet.
 *
 * <p>Open it before all else, so that it is closed last.
 */
final class Shutdown implements AutoCloseable {

  private final CountDownLatch signalled = new CountDownLatch(1);
  private final CountDownLatch closed = new CountDownLatch(1);
  private volatile boolean waiting;

  private Shutdown() {}

  /** Begins to listen for signals. */
  static Shutdown onSignal() {
    Shutdown shutdown = new Shutdown();
    Runtime.getRuntime().addShutdownHook(new Thread(shutdown::signal, "sojourn-shutdown"));
    return shutdown;
  }

  /** Waits for a signal. */
  void await() throws InterruptedException {
    waiting = true;
    signalled.await();
  }

  /** Tells that everything is closed and the process may end. */
  @Override
  public void close() {
    closed.countDown();
  }

  private void signal() {
    signalled.countDown();
    if (waiting) {
      try {
        closed.await();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
