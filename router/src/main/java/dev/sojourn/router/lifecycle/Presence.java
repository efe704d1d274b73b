package dev.sojourn.router.lifecycle;

/** Whether a rank is there. */
public enum Presence {
  /** It can be called. */
  LIVE,
  /** It is not there, but neither is any other: perhaps only discovery is down. */
  ABSENT,
  /** It is not there, and others are. */
  GONE
}
