package dev.sojourn.server.openai;

import dev.sojourn.core.Fault;
import dev.sojourn.core.FaultException;
import dev.sojourn.core.SessionControl;
import dev.sojourn.core.SessionControl.WhileBusy;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.SessionKind;
import dev.sojourn.engine.TreePlace;
import dev.sojourn.router.BindingView;
import dev.sojourn.router.Router;
import java.util.Optional;

/**
 * A turn of a session in SGLang's way: {@code session_params}. What it means depends on how the
 * session was opened; where that is not the way it is asked for, the refusal has SGLang's words.
 *
 * @param place where it goes on in a regular session
 * @param path the field's path
 */
record SessionParams(TreePlace place, String path) {

  private static final TreePlace ANEW = new TreePlace(Optional.empty(), false, false, 0);

  /**
   * Reads {@code session_params} from a request's body or its {@code nvext}, if it is there.
   *
   * @param count whether a session is named, and {@code session_control} does not say what is asked
   *     of it
   */
  static Optional<SessionParams> of(Fields body, Optional<Fields> nvext, boolean count) {
    Optional<SessionParams> params = read(body, nvext);
    params
        .filter(said -> !count && said.isPlace())
        .ifPresent(said -> {
          throw said.wrong(
              "id", said.path + "id is required beside a place, and no nvext.session_control");
        });
    return params.filter(_ -> count);
  }

  private static Optional<SessionParams> read(Fields body, Optional<Fields> nvext) {
    return nvext
        .flatMap(fields -> fields.object("session_params"))
        .or(() -> body.object("session_params"))
        .map(params ->
            new SessionParams(
                new TreePlace(
                    params.text("rid"),
                    params.flag("replace"),
                    params.flag("drop_previous_output"),
                    params.integer("offset", Integer.MIN_VALUE, Integer.MAX_VALUE).orElse(0)),
                params.at("")));
  }

  /** Returns a turn as what it is in its session, as that was opened. */
  static TurnSpec asOpened(TurnSpec spec, Router router) {
    return spec.ext()
        .params()
        .map(params -> {
          SessionControl control = spec.ext().control().orElseThrow();
          return spec.with(params.control(control, router.binding(control.session())));
        })
        .orElse(spec);
  }

  /**
   * Refuses a turn whose name stands for another kind of session by the time it runs: its words
   * were meant for the one before.
   */
  static void requireAsOpened(TurnSpec spec, SessionKind now) {
    SessionParams params = spec.ext().params().orElse(null);
    if (params != null) {
      SessionControl control = spec.ext().control().orElseThrow();
      if (control.kind() != now) {
        throw params.closing(control.session());
      }
    }
  }

  /** Returns, in SGLang's words, why a turn that {@link #asOpened} let pass was not begun. */
  FaultException told(FaultException refusal, SessionId session) {
    return switch (refusal.fault()) {
      case Fault.NotFound missing when missing.code().equals("session_not_found") ->
          closing(session);
      case Fault.Conflict busy when busy.code().equals("session_busy") -> active();
      default -> refusal;
    };
  }

  private FaultException closing(SessionId session) {
    return wrong("id", "Invalid request: close was requested for session " + session.name());
  }

  private FaultException active() {
    return wrong("id", "Streaming session already has an active request.");
  }

  /**
   * Returns what the turn asks of its session, as that was opened.
   *
   * @param asked as it would be if the session had been opened by a turn
   * @param bound the session, if there is one
   * @throws FaultException if the session takes no such turn, or is not open: what follows it would
   *     be answered as if nothing came before
   */
  SessionControl control(SessionControl asked, Optional<BindingView> bound) {
    Optional<SessionKind> kind = bound.map(session -> session.terms().shape());
    if (kind.isEmpty()) {
      throw wrong(
          "id", "Invalid request: session id " + asked.session().name() + " does not exist");
    }
    return switch (kind.get()) {
      case CONVERSATION -> {
        refuseToGoBack();
        if (place.base().isPresent()) {
          throw wrong(
              "rid",
              "session "
                  + asked.session().name()
                  + " is one conversation; rid names a turn of one that /open_session opened");
        }
        yield asked;
      }
      case STREAMING -> {
        if (!bound.get().running().isEmpty()) {
          throw active();
        }
        refuseToGoBack();
        yield asked.asDelta(WhileBusy.REJECT, SessionKind.STREAMING);
      }
      case REGULAR -> asked.asDelta(WhileBusy.QUEUE, SessionKind.REGULAR);
    };
  }

  private boolean isPlace() {
    return !place.equals(ANEW);
  }

  private void refuseToGoBack() {
    if (place.replace()) {
      throw wrong("replace", "Streaming sessions do not support replace.");
    }
    if (place.dropPreviousOutput()) {
      throw wrong(
          "drop_previous_output", "Streaming sessions do not support drop_previous_output.");
    }
    if (place.offset() != 0) {
      throw wrong("offset", "Streaming sessions do not support offset.");
    }
  }

  private FaultException wrong(String field, String message) {
    return Fault.invalid(path + field, message).asException();
  }
}
