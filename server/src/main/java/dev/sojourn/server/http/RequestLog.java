package dev.sojourn.server.http;

/** Told of every request that was answered or lost, for metrics. Thread-safe; must not block. */
@FunctionalInterface
public interface RequestLog {

  /**
   * A request is over.
   *
   * @param route the pattern of its route, or {@code unmatched}
   * @param status what it was answered with; 499 if the client had gone
   * @param nanos from its last byte received to its last byte sent
   */
  void completed(String route, int status, long nanos);
}
