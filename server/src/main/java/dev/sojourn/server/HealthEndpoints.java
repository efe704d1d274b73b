package dev.sojourn.server;

import dev.sojourn.backend.Worker;
import dev.sojourn.engine.EngineStats;
import dev.sojourn.server.http.Exchange;
import dev.sojourn.server.http.Reply;
import dev.sojourn.server.http.Routes;
import dev.sojourn.server.metrics.GatewayMetrics;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.json.JsonMapper;

/**
 * {@code /live}: the process answers; {@code /ready}: it takes requests (a server that drains
 * refuses this one too); {@code /health}: what it consists of; {@code /metrics}; and {@code
 * /debug/check}, which checks the engines' books and is an internal error if they are wrong. They
 * need no key and tell nothing of any tenant.
 */
final class HealthEndpoints {

  private static final JsonMapper JSON = JsonMapper.shared();

  private final ServedModel model;
  private final List<Worker> workers;
  private final GatewayMetrics metrics;

  HealthEndpoints(ServedModel model, List<Worker> workers, GatewayMetrics metrics) {
    this.model = model;
    this.workers = List.copyOf(workers);
    this.metrics = metrics;
  }

  void addTo(Routes routes) {
    routes
        .on("GET", "/live", x -> x.reply(Reply.text(200, "live\n")))
        .on("GET", "/ready", x -> x.reply(Reply.text(200, "ready\n")))
        .on("GET", "/health", this::health)
        .on("GET", "/metrics", x -> x.reply(metrics.scrape()))
        .on("GET", "/debug/check", this::check);
  }

  private void health(Exchange exchange) {
    List<Object> ranks = new ArrayList<>();
    for (Worker worker : workers) {
      for (int rank = 0; rank < worker.ranks(); rank++) {
        EngineStats stats = worker.stats(rank);
        Map<String, Object> one = new LinkedHashMap<>();
        one.put("worker", worker.id().name());
        one.put("rank", rank);
        one.put("sessions", stats.sessions());
        one.put("running", stats.running());
        one.put("waiting", stats.waiting());
        one.put("pages", stats.capacity());
        one.put("pages_free", stats.free());
        ranks.add(one);
      }
    }
    exchange.reply(
        Reply.json(
            200,
            JSON.writeValueAsBytes(Map.of("status", "ok", "model", model.id(), "ranks", ranks))));
  }

  private void check(Exchange exchange) {
    for (Worker worker : workers) {
      for (int rank = 0; rank < worker.ranks(); rank++) {
        worker.check(rank);
      }
    }
    exchange.reply(Reply.json(200, JSON.writeValueAsBytes(Map.of("status", "ok"))));
  }
}
