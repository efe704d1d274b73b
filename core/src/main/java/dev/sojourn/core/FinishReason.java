package dev.sojourn.core;

/** Why a generation ended. */
public enum FinishReason {
  /** An end-of-turn token or a stop string. */
  STOP,
  /** The token limit, the session's capacity or the context. */
  LENGTH,
  /** The client went away. */
  CANCELLED,
  /** A fault. */
  ERROR
}
