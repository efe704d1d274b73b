package dev.sojourn.core;

/** What the turns of a session are to each other. */
public enum SessionKind {
  /** One conversation: each turn goes on from the last, or rewinds. */
  CONVERSATION,
  /** One conversation in SGLang's way: each turn says only what is new. */
  STREAMING,
  /** SGLang's regular session, a tree: each turn names the one that it goes on from. */
  REGULAR
}
