package dev.sojourn.core;

import static java.util.Objects.requireNonNull;

import java.time.Duration;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * What a client asks of a session with one turn: {@code nvext.session_control}, or what a header
 * stands for.
 *
 * @param session which session
 * @param action what happens to the session around the turn
 * @param timeout idle time after which the session ends; counts at {@link Action#OPEN} and {@link
 *     Action#BIND}
 * @param input whether the prompt is the whole conversation or only what is new
 * @param expectedTip the committed length that the client believes in
 * @param expectedDigest the digest of the committed tokens that the client believes in
 * @param parent at open: the name of the session whose committed context this one starts with
 * @param near at open: the name of a session near whose pages this one is best placed; a preference
 *     only, it shares nothing
 * @param onDivergence what to do when a full prompt does not extend what the session holds
 * @param onClose what happens to the session's pages at its end
 * @param whileBusy what to do when another turn of the session runs
 * @param capacity the most tokens the session may hold
 * @param history how the prompt has the answers that were sampled before
 * @param require which promise the client insists on
 * @param implicit whether identity came from a header alone: a missing session is then opened
 * @param kind what the session's turns are to each other: at open as chosen, later as believed
 */
public record SessionControl(
    SessionId session,
    Action action,
    Duration timeout,
    Input input,
    OptionalInt expectedTip,
    OptionalLong expectedDigest,
    Optional<String> parent,
    Optional<String> near,
    OnDivergence onDivergence,
    OnClose onClose,
    WhileBusy whileBusy,
    OptionalInt capacity,
    History history,
    Require require,
    boolean implicit,
    SessionKind kind) {

  /** The idle time of a session that does not choose one; Dynamo's. */
  public static final Duration DEFAULT_TIMEOUT = Duration.ofMinutes(5);

  /** The shortest idle time; Dynamo's. */
  public static final Duration MIN_TIMEOUT = Duration.ofSeconds(1);

  /** The longest idle time; Dynamo's. */
  public static final Duration MAX_TIMEOUT = Duration.ofDays(365);

  public SessionControl {
    requireNonNull(session, "session");
    if (timeout.compareTo(MIN_TIMEOUT) < 0 || timeout.compareTo(MAX_TIMEOUT) > 0) {
      throw new IllegalArgumentException(
          "a session timeout is 1 to "
              + MAX_TIMEOUT.toSeconds()
              + " seconds, not "
              + timeout.toSeconds());
    }
  }

  /** What happens to the session around a turn. */
  public enum Action {
    /** Affinity and an engine session begin with this turn. */
    OPEN,
    /** Affinity alone begins with this turn. */
    BIND,
    /** One more turn. */
    CONTINUE,
    /** This is the last turn. */
    CLOSE
  }

  /** What the messages of a turn hold. */
  public enum Input {
    /** The whole conversation, as OpenAI clients send it. */
    FULL,
    /** Only what is new. */
    DELTA
  }

  /** What to do when a full prompt does not extend the session. */
  public enum OnDivergence {
    REWIND,
    REJECT
  }

  /** What happens to a session's pages at its end. */
  public enum OnClose {
    /** Those that nobody else uses are freed at once. */
    FREE,
    /** All become unleased cache. */
    RETAIN
  }

  /** What to do when another turn of the session runs. */
  public enum WhileBusy {
    QUEUE,
    REJECT
  }

  /** Which promise a client insists on. */
  public enum Require {
    /** The worker must hold the session. */
    ENGINE,
    /** Served in any case; the promise that was made is named. */
    ANY
  }

  /**
   * Returns this for a turn that says only what is new, in a session that was opened for such
   * turns.
   */
  public SessionControl asDelta(WhileBusy busy, SessionKind opened) {
    return new SessionControl(
        session,
        action,
        timeout,
        Input.DELTA,
        expectedTip,
        expectedDigest,
        parent,
        near,
        onDivergence,
        onClose,
        busy,
        capacity,
        history,
        require,
        implicit,
        opened);
  }

  /** Returns a turn of a session with every other choice at its default. */
  public static SessionControl of(SessionId session, Action action) {
    return builder(session, action).build();
  }

  /** Begins a turn of a session whose other choices are at their defaults. */
  public static Builder builder(SessionId session, Action action) {
    return new Builder(session, action);
  }

  /** Chooses one thing after the other; what is not chosen keeps its default. */
  public static final class Builder {

    private final SessionId session;
    private final Action action;
    private Duration timeout = DEFAULT_TIMEOUT;
    private Input input = Input.FULL;
    private Optional<String> parent = Optional.empty();
    private Optional<String> near = Optional.empty();
    private OnClose onClose = OnClose.FREE;
    private WhileBusy whileBusy = WhileBusy.QUEUE;
    private boolean implicit;
    private SessionKind kind = SessionKind.CONVERSATION;

    private Builder(SessionId session, Action action) {
      this.session = session;
      this.action = action;
    }

    /** Chooses the idle time. */
    public Builder timeout(Duration chosen) {
      timeout = chosen;
      return this;
    }

    /** Chooses what the messages hold. */
    public Builder input(Input chosen) {
      input = chosen;
      return this;
    }

    /** Chooses whose context it starts with. */
    public Builder parent(String chosen) {
      parent = Optional.of(chosen);
      return this;
    }

    /** Chooses whose neighbourhood it prefers, if anybody's. */
    public Builder near(Optional<String> chosen) {
      near = chosen;
      return this;
    }

    /** Chooses what happens to its pages at its end. */
    public Builder onClose(OnClose chosen) {
      onClose = chosen;
      return this;
    }

    /** Chooses what happens while another turn runs. */
    public Builder whileBusy(WhileBusy chosen) {
      whileBusy = chosen;
      return this;
    }

    /** Chooses whether a missing session is opened. */
    public Builder implicit(boolean chosen) {
      implicit = chosen;
      return this;
    }

    /** Chooses what its turns are to each other. */
    public Builder kind(SessionKind chosen) {
      kind = chosen;
      return this;
    }

    /** Returns what was chosen. */
    public SessionControl build() {
      return new SessionControl(
          session,
          action,
          timeout,
          input,
          OptionalInt.empty(),
          OptionalLong.empty(),
          parent,
          near,
          OnDivergence.REWIND,
          onClose,
          whileBusy,
          OptionalInt.empty(),
          History.AS_RENDERED,
          Require.ANY,
          implicit,
          kind);
    }
  }
}
