package dev.sojourn.server.metrics;

/** Told how long turns keep their clients waiting. Thread-safe; must not block. */
public interface TurnMetrics {

  /** A turn's first token was there, so long after the turn was asked for. */
  void firstToken(long nanos);

  /** Another token was there, so long after the one before. */
  void nextToken(long nanos);
}
