package dev.sojourn.server.openai;

import dev.sojourn.core.Fault;
import java.time.Duration;
import java.util.concurrent.Semaphore;

/**
 * How many generations may be under way at one time: running, or waiting for an engine. Those that
 * wait for an earlier turn of their session are not under way; the router bounds them. Thread-safe.
 */
final class Admission {

  private final int most;
  private final Semaphore free;

  Admission(int most) {
    this.most = most;
    this.free = new Semaphore(most);
  }

  /** A place that was given to a request. Used by one thread. */
  static final class Place implements AutoCloseable {

    private final Semaphore from;
    private int generations;

    private Place(Semaphore from, int generations) {
      this.from = from;
      this.generations = generations;
    }

    /** Gives it back, if it was not given back before. */
    void free() {
      from.release(generations);
      generations = 0;
    }

    @Override
    public void close() {
      free();
    }
  }

  /** Returns a place for nothing. */
  Place nowhere() {
    return new Place(free, 0);
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
    return new Place(free, generations);
  }
}
