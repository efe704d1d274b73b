package dev.sojourn.router;

/** How a turn ended. */
public enum TurnOutcome {
  /** With an answer. */
  COMPLETED,
  /** With a fault that lies in what was asked, or in how much was: it is no fault of ours. */
  REFUSED,
  /** With a fault of ours. */
  FAILED,
  /** The client went away or cancelled. */
  ABORTED
}
