package dev.sojourn.router.affinity;

import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.SessionKind;
import java.time.Duration;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * What a binding was opened with. It does not change during one life of a session.
 *
 * @param kind affinity alone, or an engine session too
 * @param timeout idle time after which it ends
 * @param capacity the most tokens the session may hold
 * @param onClose what becomes of its pages at its end
 * @param parent the session that it belongs to, whose rank it prefers
 * @param forks whether it starts with the parent's committed context
 * @param shape what its turns are to each other
 */
public record Terms(
    Kind kind,
    Duration timeout,
    OptionalInt capacity,
    OnClose onClose,
    Optional<SessionId> parent,
    boolean forks,
    SessionKind shape) {

  /** What is bound. */
  public enum Kind {
    /** The name, to a rank. Nothing has to be closed when it ends. */
    ROUTER_ONLY,
    /** An engine session too, which is closed when the binding ends. */
    ENGINE_BACKED
  }

  /**
   * Returns whether a session may be opened with these terms where it is open with {@code other}:
   * all are equal, but a parent that is not forked, which only counts for the first placement.
   */
  public boolean agreesWith(Terms other) {
    return kind == other.kind
        && timeout.equals(other.timeout)
        && capacity.equals(other.capacity)
        && onClose == other.onClose
        && forks == other.forks
        && shape == other.shape
        && (!forks || parent.equals(other.parent));
  }
}
