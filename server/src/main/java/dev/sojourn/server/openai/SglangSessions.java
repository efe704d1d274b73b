package dev.sojourn.server.openai;

import dev.sojourn.core.Fault;
import dev.sojourn.core.FaultException;
import dev.sojourn.core.SessionControl;
import dev.sojourn.core.SessionControl.Action;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.SessionKind;
import dev.sojourn.core.Tenant;
import dev.sojourn.router.Router;
import dev.sojourn.server.access.ApiKeys;
import dev.sojourn.server.http.Exchange;
import dev.sojourn.server.http.Reply;
import dev.sojourn.server.http.Routes;
import dev.sojourn.server.sessions.SessionEndpoints;
import java.time.Duration;
import java.util.UUID;
import tools.jackson.databind.json.JsonMapper;

/**
 * SGLang's {@code /open_session} and {@code /close_session}: sessions are opened without a turn, as
 * a tree of turns or, {@code streaming}, as one conversation whose turns say only what is new.
 * Thread-safe.
 */
public final class SglangSessions {

  /** Asks for more than the name that SGLang answers with. */
  private static final String OURS = "application/vnd.sojourn+json";

  private static final String NOT_OPENED =
      "Failed to open the session. Check if a session with the same id is still open.";

  private static final JsonMapper JSON = JsonMapper.shared();

  private final ApiKeys keys;
  private final SessionEndpoints sessions;
  private final Router router;
  private final TurnRunner runner;

  /** Creates the endpoints. */
  public SglangSessions(ApiKeys keys, SessionEndpoints sessions, Router router, TurnRunner runner) {
    this.keys = keys;
    this.sessions = sessions;
    this.router = router;
    this.runner = runner;
  }

  /** Adds the routes. */
  public void addTo(Routes routes) {
    for (String method : new String[] {"GET", "POST"}) {
      routes.on(method, "/open_session", this::open).on(method, "/close_session", this::close);
    }
  }

  private void open(Exchange exchange) throws Exception {
    Tenant tenant = keys.tenant(exchange);
    Fields body = Fields.parse(exchange.body());
    // Of characters, and of no effect in SGLang either; its clients have to send it.
    var _ = body.whole("capacity_of_str_len", 0, Long.MAX_VALUE);
    SessionId id = id(tenant, body, UUID.randomUUID().toString().replace("-", ""));
    SessionControl control =
        SessionControl.builder(id, Action.OPEN)
            .kind(body.flag("streaming") ? SessionKind.STREAMING : SessionKind.REGULAR)
            .timeout(timeout(body))
            .build();
    // One that is open need not wait for its turns to be refused.
    if (router.binding(id).isPresent() || !opens(control)) {
      throw Fault.invalid("session_id", NOT_OPENED).asException();
    }
    boolean ours = exchange.header("accept").filter(types -> types.contains(OURS)).isPresent();
    Object answer = ours ? sessions.describe(id) : id.name();
    exchange.reply(Reply.json(200, JSON.writeValueAsBytes(answer)));
  }

  /** Returns whether this opened the session, and not another request at the same moment. */
  private boolean opens(SessionControl control) throws InterruptedException {
    try {
      return runner.open(control);
    } catch (FaultException e) {
      if (e.fault() instanceof Fault.Conflict other && other.code().equals("session_settings")) {
        return false;
      }
      throw e;
    }
  }

  /** Closes a session, behind its turns; says nothing of whether there was one, as SGLang does. */
  private void close(Exchange exchange) throws Exception {
    Tenant tenant = keys.tenant(exchange);
    SessionId id = id(tenant, Fields.parse(exchange.body()), "");
    try {
      var _ = sessions.closeSoon(id, OnClose.FREE);
    } catch (FaultException e) {
      if (!(e.fault() instanceof Fault.NotFound)) {
        throw e;
      }
    }
    exchange.reply(Reply.text(200, ""));
  }

  private static SessionId id(Tenant tenant, Fields body, String otherwise) {
    String name = body.text("session_id").orElse(otherwise);
    Identity.checkName(name, "session_id");
    return new SessionId(tenant, name);
  }

  private static Duration timeout(Fields body) {
    double least = SessionControl.MIN_TIMEOUT.toSeconds();
    double most = SessionControl.MAX_TIMEOUT.toSeconds();
    return body.number("timeout", least, most, "1 to 31536000 seconds")
        .map(seconds -> Duration.ofMillis(Math.round(seconds * 1000)))
        .orElse(SessionControl.DEFAULT_TIMEOUT);
  }
}
