package dev.sojourn.router;

/** Why a turn runs without its session, or why its session is new. */
public enum NoSession {
  /** It has one, or names none. */
  NONE,
  /** Nobody opened the name, or it was closed. */
  UNKNOWN,
  /** The name's last life ended by idling. */
  EXPIRED,
  /** No more sessions fit in; only sessions that are opened implicitly get this, others fail. */
  FULL,
  /** The turn was pinned to another rank than its session's. */
  PINNED
}
