package dev.sojourn.core;

import java.time.Duration;
import java.util.Collections;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * What can go wrong with a request, in the words of the domain. A room throws it in a {@link
 * FaultException}; each protocol maps it to its own status and body once, at its edge.
 */
public sealed interface Fault {

  /** Returns what was wrong, where, and what would be right. */
  String message();

  /**
   * The request can never succeed as it stands (400).
   *
   * @param param the field that is wrong, as a path, if it is one field
   */
  record InvalidRequest(String message, Optional<String> param) implements Fault {}

  /**
   * The prompt leaves no room for an answer (400); what can be done is to shorten it.
   *
   * @param param the field that holds the prompt
   */
  record PromptTooLong(String message, String param) implements Fault {}

  /** No key, or one that is not known (401). */
  record Unauthenticated(String message) implements Fault {}

  /** The key is known, but may not do this (403). */
  record Forbidden(String message) implements Fault {}

  /**
   * The thing named does not exist (404).
   *
   * @param code {@code model_not_found}, {@code session_not_found}, {@code parent_not_found} or
   *     {@code not_found}
   */
  record NotFound(String code, String message) implements Fault {}

  /**
   * The session is not in the state that the request assumes (409).
   *
   * @param code {@code session_busy}, {@code session_settings}, {@code tip_mismatch}, {@code
   *     diverged}, {@code context_lost} or {@code stale_incarnation}
   * @param observed what was found instead, for the client to act on; told in the names' order
   * @param param the field that assumes it, as a path, if it is one field
   */
  record Conflict(String code, String message, Map<String, Object> observed, Optional<String> param)
      implements Fault {

    public Conflict {
      observed = Collections.unmodifiableMap(new TreeMap<>(observed));
    }

    /** A conflict that no single field stands for. */
    public Conflict(String code, String message, Map<String, Object> observed) {
      this(code, message, observed, Optional.empty());
    }
  }

  /** More bytes than allowed (413). */
  record TooLarge(String message) implements Fault {}

  /** The client went away or cancelled (499). */
  record Cancelled(String message) implements Fault {}

  /** Nobody can serve this now (503). */
  record Unavailable(String message) implements Fault {}

  /** Too much is going on (529). */
  record Overloaded(String message, Duration retryAfter) implements Fault {}

  /** Our own mistake (500). */
  record Internal(String message) implements Fault {}

  /** Returns an {@link InvalidRequest} that names its field. */
  static Fault invalid(String param, String message) {
    return new InvalidRequest(message, Optional.of(param));
  }

  /** Returns an {@link InvalidRequest} about the request as a whole. */
  static Fault invalid(String message) {
    return new InvalidRequest(message, Optional.empty());
  }

  /** Returns this fault as something to throw. */
  default FaultException asException() {
    return new FaultException(this);
  }
}
