package dev.sojourn.core;

/** What a worker really promised for a session's KV, strongest first. */
public enum Promise {
  /** Kept by a soft lease; what is lost is recomputed. */
  LEASED,
  /** Pinned until closed. */
  HELD,
  /** Found by tag, evicted as anything else. */
  TAGGED,
  /** Sent to the same rank; the rest is luck. */
  BEST_EFFORT,
  /** Nothing. */
  NONE
}
