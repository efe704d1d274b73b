package dev.sojourn.engine.kv;

import dev.sojourn.core.SessionId;

/**
 * One life of a session as the first publisher of pages: what a close may free at once. Its pages
 * are a doubly linked list through arrays of the {@link PagePool}, which alone changes it.
 */
public final class Publisher {

  private final SessionId session;

  /** The page published last, or {@link PagePool#NONE}. */
  int newest = PagePool.NONE;

  /** Creates a publisher without pages. */
  public Publisher(SessionId session) {
    this.session = session;
  }

  /** Returns the session. */
  public SessionId session() {
    return session;
  }
}
