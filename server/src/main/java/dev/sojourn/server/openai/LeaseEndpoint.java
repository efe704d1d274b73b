package dev.sojourn.server.openai;

import dev.sojourn.core.SessionControl;
import dev.sojourn.core.SessionId;
import dev.sojourn.router.BindingView;
import dev.sojourn.router.Router;
import dev.sojourn.server.http.Exchange;
import dev.sojourn.server.http.Reply;
import dev.sojourn.server.http.Routes;
import dev.sojourn.server.sessions.SessionEndpoints;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import tools.jackson.databind.json.JsonMapper;

/**
 * {@code PUT /v1/sessions/{name}/lease}: counts a session's idle time anew and lets it last as long
 * as asked for, until its next turn. It keeps the session, not its pages. Thread-safe.
 */
public final class LeaseEndpoint {

  private static final String IDLE = "idle_seconds";

  private final SessionEndpoints sessions;
  private final Router router;

  /** Creates the endpoint. */
  public LeaseEndpoint(SessionEndpoints sessions, Router router) {
    this.sessions = sessions;
    this.router = router;
  }

  /** Adds the route. */
  public void addTo(Routes routes) {
    routes.on("PUT", "/v1/sessions/{name}/lease", this::put);
  }

  private void put(Exchange exchange) {
    SessionId id = sessions.session(exchange);
    Duration idle = idle(Fields.parse(exchange.body()));
    BindingView binding = router.extend(id, idle).orElseThrow(() -> SessionEndpoints.unknown(id));
    Map<String, Object> answer = new LinkedHashMap<>();
    answer.put("id", id.name());
    answer.put("object", "session");
    answer.put("incarnation", binding.incarnation().toString());
    answer.put("state", binding.running().isEmpty() ? "idle" : "running");
    answer.put("remaining_seconds", SessionEndpoints.seconds(binding.remaining().orElse(idle)));
    exchange.reply(Reply.json(200, JsonMapper.shared().writeValueAsBytes(answer)));
  }

  private static Duration idle(Fields body) {
    long least = SessionControl.MIN_TIMEOUT.toSeconds();
    long most = SessionControl.MAX_TIMEOUT.toSeconds();
    return Duration.ofSeconds(
        body.whole(IDLE, least, most)
            .orElseThrow(() -> body.wrong(IDLE, "is missing; it is " + least + " to " + most)));
  }
}
