package dev.sojourn.server.openai;

import dev.sojourn.core.Fault;
import dev.sojourn.core.History;
import dev.sojourn.core.SessionControl;
import dev.sojourn.core.SessionControl.Action;
import dev.sojourn.core.SessionControl.Input;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionControl.OnDivergence;
import dev.sojourn.core.SessionControl.Require;
import dev.sojourn.core.SessionControl.WhileBusy;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.SessionKind;
import dev.sojourn.core.Tenant;
import java.time.Duration;
import java.util.EnumSet;
import java.util.HexFormat;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;

/**
 * Reads what a request asks of a session: {@code nvext.session_control}, or where it only names
 * one, SGLang's fields and headers. Immutable.
 */
final class SessionFields {

  private static final Set<Action> CLIENT_ACTIONS =
      EnumSet.of(Action.OPEN, Action.BIND, Action.CLOSE);

  private final boolean implicitSessions;

  /**
   * Creates a reader.
   *
   * @param implicitSessions whether a session that is named but not open is opened
   */
  SessionFields(boolean implicitSessions) {
    this.implicitSessions = implicitSessions;
  }

  /** A body that controls a session; a header may only agree with it, or add that it ends. */
  SessionControl control(Fields asked, Identity identity, Tenant tenant) {
    String name = name(asked);
    refuseOther(identity, name, asked.at("session_id"));
    Action action = action(asked, identity);
    return new SessionControl(
        new SessionId(tenant, name),
        action,
        timeout(asked),
        asked.choice("input", Input.class, EnumSet.allOf(Input.class)).orElse(Input.FULL),
        asked.integer("expected_tip", 0, Integer.MAX_VALUE),
        digest(asked),
        parent(asked, action, name),
        identity.near(name),
        asked
            .choice("on_divergence", OnDivergence.class, EnumSet.allOf(OnDivergence.class))
            .orElse(OnDivergence.REWIND),
        onClose(asked),
        asked
            .choice("while_busy", WhileBusy.class, EnumSet.allOf(WhileBusy.class))
            .orElse(WhileBusy.QUEUE),
        capacity(asked, action),
        asked
            .choice("history", History.class, EnumSet.allOf(History.class))
            .orElse(History.AS_RENDERED),
        asked.choice("require", Require.class, EnumSet.allOf(Require.class)).orElse(Require.ANY),
        implicitSessions,
        SessionKind.CONVERSATION);
  }

  /**
   * Reads a request that starts a session from another one, without a turn.
   *
   * @param body {@code session_id}, and optionally {@code timeout}, {@code capacity}, {@code
   *     on_close}, and {@code expected_tip} and {@code expected_digest} of the parent
   */
  static SessionControl fork(Fields body, SessionId parent) {
    String name = name(body);
    if (name.equals(parent.name())) {
      throw body.wrong("session_id", "must not be the session that it is started from");
    }
    SessionControl plain = SessionControl.of(new SessionId(parent.tenant(), name), Action.OPEN);
    return new SessionControl(
        plain.session(),
        plain.action(),
        timeout(body),
        plain.input(),
        body.integer("expected_tip", 0, Integer.MAX_VALUE),
        digest(body),
        Optional.of(parent.name()),
        plain.near(),
        plain.onDivergence(),
        onClose(body),
        plain.whileBusy(),
        body.integer("capacity", 1, Integer.MAX_VALUE),
        plain.history(),
        plain.require(),
        plain.implicit(),
        plain.kind());
  }

  /** Reads what happens to a session; a header that says whether it ends may only agree. */
  private static Action action(Fields asked, Identity identity) {
    Optional<Action> action = asked.choice("action", Action.class, CLIENT_ACTIONS);
    identity
        .last()
        .filter(last -> action.filter(a -> last.value() != (a == Action.CLOSE)).isPresent())
        .ifPresent(last -> {
          String said = action.orElseThrow().name().toLowerCase(Locale.ROOT);
          throw Fault.invalid(
                  asked.at("action"),
                  "header %s is %s, but %s is %s"
                      .formatted(last.field(), last.value(), asked.at("action"), said))
              .asException();
        });
    return action.orElse(named(identity));
  }

  /** Returns what happens to a session that is only named. */
  private static Action named(Identity identity) {
    return identity.last().filter(Asserted::value).isPresent() ? Action.CLOSE : Action.CONTINUE;
  }

  private static String name(Fields fields) {
    String name =
        fields.text("session_id").orElseThrow(() -> fields.wrong("session_id", "is required"));
    Identity.checkName(name, fields.at("session_id"));
    return name;
  }

  private static Duration timeout(Fields fields) {
    return fields.whole("timeout", 1, SessionControl.MAX_TIMEOUT.toSeconds()).stream()
        .mapToObj(Duration::ofSeconds)
        .findFirst()
        .orElse(SessionControl.DEFAULT_TIMEOUT);
  }

  private static OnClose onClose(Fields fields) {
    return fields
        .choice("on_close", OnClose.class, EnumSet.allOf(OnClose.class))
        .orElse(OnClose.FREE);
  }

  /** Reads whose context a session starts with, which is told where it is opened. */
  private static Optional<String> parent(Fields asked, Action action, String name) {
    Optional<String> parent = named(asked, "parent");
    if (parent.isPresent() && action != Action.OPEN) {
      throw asked.wrong("parent", "is told where the session is opened: with action open");
    }
    if (parent.filter(name::equals).isPresent()) {
      throw asked.wrong("parent", "must be another session than session_id");
    }
    return parent;
  }

  /** Reads how much an engine session may hold; one that is only bound has none. */
  private static OptionalInt capacity(Fields asked, Action action) {
    OptionalInt capacity = asked.integer("capacity", 1, Integer.MAX_VALUE);
    if (capacity.isPresent() && action == Action.BIND) {
      throw asked.wrong(
          "capacity", "is what an engine session may hold, and action bind opens none");
    }
    return capacity;
  }

  /** A session that is only named. */
  Optional<SessionControl> byName(
      Fields body, Optional<Fields> nvext, Identity identity, Tenant tenant) {
    Optional<String> inBody =
        nvext
            .flatMap(fields -> fields.object("session_params"))
            .flatMap(params -> named(params, "id"))
            .or(() -> named(body, "session_id"))
            .or(() -> body.object("session_params").flatMap(params -> named(params, "id")));
    inBody.ifPresent(name -> refuseOther(identity, name, "the body"));
    Optional<String> name = inBody.or(() -> identity.session().map(Asserted::value));
    if (name.isEmpty()) {
      identity
          .last()
          .filter(Asserted::value)
          .ifPresent(last -> {
            throw Fault.invalid(
                    last.field(), last.field() + " is true, but the request names no session")
                .asException();
          });
    }
    return name.map(said ->
        SessionControl.builder(new SessionId(tenant, said), named(identity))
            .near(identity.near(said))
            .implicit(implicitSessions)
            .build());
  }

  private static Optional<String> named(Fields fields, String name) {
    Optional<String> text = fields.text(name);
    text.ifPresent(value -> Identity.checkName(value, fields.at(name)));
    return text;
  }

  private static void refuseOther(Identity identity, String name, String where) {
    identity
        .session()
        .filter(header -> !header.value().equals(name))
        .ifPresent(header -> {
          throw Fault.invalid(
                  where,
                  "header "
                      + header.field()
                      + " names session "
                      + Fields.shown(header.value())
                      + ", but "
                      + where
                      + " names "
                      + Fields.shown(name))
              .asException();
        });
  }

  private static OptionalLong digest(Fields asked) {
    Optional<String> digest = asked.text("expected_digest");
    if (digest.isEmpty()) {
      return OptionalLong.empty();
    }
    try {
      if (digest.get().length() == 16) {
        return OptionalLong.of(HexFormat.fromHexDigitsToLong(digest.get()));
      }
    } catch (IllegalArgumentException notHex) {
      // Said below.
    }
    throw asked.wrong(
        "expected_digest", "must be 16 hexadecimal digits, as nvext.session.digest was");
  }
}
