package dev.sojourn.server.openai;

import dev.sojourn.core.SessionControl;
import dev.sojourn.core.SessionId;
import dev.sojourn.server.http.Exchange;
import dev.sojourn.server.http.Reply;
import dev.sojourn.server.http.Routes;
import dev.sojourn.server.sessions.SessionEndpoints;
import java.util.Map;
import tools.jackson.databind.json.JsonMapper;

/**
 * {@code POST /v1/sessions/{name}/fork}: opens another session that starts with this one's
 * committed context. Thread-safe.
 */
public final class ForkEndpoint {

  private final SessionEndpoints sessions;
  private final TurnRunner runner;

  /** Creates the endpoint. */
  public ForkEndpoint(SessionEndpoints sessions, TurnRunner runner) {
    this.sessions = sessions;
    this.runner = runner;
  }

  /** Adds the route. */
  public void addTo(Routes routes) {
    routes.on("POST", "/v1/sessions/{name}/fork", this::fork);
  }

  private void fork(Exchange exchange) throws Exception {
    SessionId parent = sessions.session(exchange);
    SessionControl control = SessionFields.fork(Fields.parse(exchange.body()), parent);
    boolean opened = runner.open(control);
    Map<String, Object> child = sessions.describe(control.session());
    exchange.reply(Reply.json(opened ? 201 : 200, JsonMapper.shared().writeValueAsBytes(child)));
  }
}
