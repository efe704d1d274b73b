package dev.sojourn.router;

/** How a turn ended. */
public enum TurnOutcome {
  /** With an answer. */
  COMPLETED,
  /** With a fault. */
  FAILED,
  /** The client went away or cancelled. */
  ABORTED
}
