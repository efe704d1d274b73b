package dev.sojourn.core;

/** What a turn did to its session. */
public enum TurnMode {
  /** First turn of an incarnation, or of a tree. */
  OPENED,
  /** Extended what was committed. */
  APPEND,
  /** Cut back to an earlier message and went on from there. */
  REWIND,
  /** Served beside the session, which is untouched. */
  ASIDE,
  /** First turn on what is shared with a session's parent, or an earlier turn of a tree. */
  FORK,
  /** No session. */
  NONE
}
