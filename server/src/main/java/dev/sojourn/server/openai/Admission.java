package dev.sojourn.server.openai;

import dev.sojourn.core.Fault;
import java.time.Duration;
import java.util.concurrent.Semaphore;

/** How many generations may be under way at one time, waiting ones included. Thread-safe. */
final class Admission {

  private final int most;
  private final Semaphore free;

  Admission(int most) {
    this.most = most;
    this.free = new Semaphore(most);
  }

  /** A place that was given to a request; closing it gives it back. */
  interface Place extends AutoCloseable {
    @Override
    void close();
  }

  /**
   * Admits a request with so many generations.
   *
   * @throws dev.sojourn.core.FaultException Overloaded, if there are too many already
   */
  Place admit(int generations) {
    if (generations > most) {
      throw Fault.invalid(
              "n",
              "the request asks for "
                  + generations
                  + " generations; this server runs at most "
                  + most)
          .asException();
    }
    if (!free.tryAcquire(generations)) {
      throw new Fault.Overloaded(
              "the server runs as many generations as it may (" + most + "); try again",
              Duration.ofSeconds(1))
          .asException();
    }
    return () -> free.release(generations);
  }
}
