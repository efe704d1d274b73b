package dev.sojourn.router;

import dev.sojourn.core.SessionId;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.Set;

/**
 * The names that ended by idling last and were not opened since, so that a client can be told why
 * its session is gone. Bounded: the oldest are forgotten first. Thread-safe.
 */
final class ExpiredNames {

  private static final int MOST = 4096;

  private final Set<SessionId> names = new LinkedHashSet<>();

  synchronized void add(SessionId id) {
    names.remove(id);
    names.add(id);
    if (names.size() > MOST) {
      Iterator<SessionId> oldest = names.iterator();
      oldest.next();
      oldest.remove();
    }
  }

  synchronized void remove(SessionId id) {
    names.remove(id);
  }

  synchronized boolean contains(SessionId id) {
    return names.contains(id);
  }
}
