package dev.sojourn.core;

/** Why tokens that a session held had to be computed again. */
public enum LossCause {
  NOTHING_LOST,
  EVICTED,
  EXPIRED,
  MOVED,
  WORKER_LOST,
  DIVERGED
}
