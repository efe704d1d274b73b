package dev.sojourn.core;

import dev.sojourn.core.SessionControl.OnClose;
import java.time.Duration;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * What an engine session is opened with. Opening an incarnation again with equal settings changes
 * nothing; with others it is a conflict.
 *
 * @param id which session
 * @param incarnation which life of it
 * @param timeout idle time, from the end of the last turn, after which the engine closes it
 * @param capacity the most tokens it may hold
 * @param onExpiry what becomes of its pages when it times out
 * @param parent the session that it is started from, if there is one
 * @param kind what its turns are to each other
 */
public record SessionSettings(
    SessionId id,
    Incarnation incarnation,
    Duration timeout,
    OptionalInt capacity,
    OnClose onExpiry,
    Optional<Parent> parent,
    SessionKind kind) {

  public SessionSettings {
    if (parent.isPresent() && !parent.get().id().tenant().equals(id.tenant())) {
      throw new IllegalArgumentException(id + " has a parent of another tenant");
    }
    if (kind == SessionKind.REGULAR && parent.filter(Parent::shares).isPresent()) {
      throw new IllegalArgumentException(id + " is a tree of turns, which begins without any");
    }
  }

  /** Returns the settings of a session that chooses nothing. */
  public static SessionSettings of(SessionId id, Incarnation incarnation) {
    return new SessionSettings(
        id,
        incarnation,
        SessionControl.DEFAULT_TIMEOUT,
        OptionalInt.empty(),
        OnClose.FREE,
        Optional.empty(),
        SessionKind.CONVERSATION);
  }

  /** Returns these settings with another idle time. */
  public SessionSettings withTimeout(Duration other) {
    return new SessionSettings(id, incarnation, other, capacity, onExpiry, parent, kind);
  }

  /** Returns these settings with room for at most so many tokens. */
  public SessionSettings withCapacity(int tokens) {
    return new SessionSettings(
        id, incarnation, timeout, OptionalInt.of(tokens), onExpiry, parent, kind);
  }

  /** Returns these settings with another end. */
  public SessionSettings withOnExpiry(OnClose other) {
    return new SessionSettings(id, incarnation, timeout, capacity, other, parent, kind);
  }

  /** Returns the settings of a session that is started from another. */
  public SessionSettings withParent(Parent other) {
    return new SessionSettings(
        id, incarnation, timeout, capacity, onExpiry, Optional.of(other), kind);
  }

  /** Returns these settings with turns of another kind. */
  public SessionSettings withKind(SessionKind other) {
    return new SessionSettings(id, incarnation, timeout, capacity, onExpiry, parent, other);
  }
}
