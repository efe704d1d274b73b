package dev.sojourn.core;

/** Why tokens that a session held had to be computed again. */
public enum LossCause {
  EVICTED,
  EXPIRED,
  MOVED,
  WORKER_LOST,
  DIVERGED
}
