package dev.sojourn.core;

/** What a turn did to its session. */
public enum TurnMode {
  /** First turn of an incarnation. */
  OPENED,
  /** Extended what was committed. */
  APPEND,
  /** Cut back to an earlier message and went on from there. */
  REWIND,
  /** Served beside the session, which is untouched. */
  ASIDE,
  /** First turn of a session that shares its parent's context. */
  FORK,
  /** No session. */
  NONE
}
