package dev.sojourn.core;

/** How a session's next prompt has the answers that were sampled in it before. */
public enum History {
  /** As the model's template writes them now; where it changed its mind, the session rewinds. */
  AS_RENDERED,
  /** As they were sampled, whatever the template would make of them. */
  AS_SAMPLED
}
