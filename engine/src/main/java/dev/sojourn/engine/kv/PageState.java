package dev.sojourn.engine.kv;

/** What a page is; each has exactly one state, and a later one here beats an earlier. */
public enum PageState {
  /** Holds nothing. */
  FREE,
  /** Published, and nobody's: found by whoever has the same prefix. */
  CACHED,
  /** Held by an idle session, softly. */
  LEASED,
  /** Used by a running turn. */
  IN_USE
}
