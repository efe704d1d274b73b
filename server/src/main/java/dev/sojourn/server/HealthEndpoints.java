package dev.sojourn.server;

import dev.sojourn.backend.Worker;
import dev.sojourn.core.Fault;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.engine.EngineStats;
import dev.sojourn.router.Router;
import dev.sojourn.server.http.Exchange;
import dev.sojourn.server.http.Reply;
import dev.sojourn.server.http.Routes;
import dev.sojourn.server.metrics.GatewayMetrics;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import tools.jackson.databind.json.JsonMapper;

/**
 * {@code /live}: the process answers; {@code /ready}: it takes requests, with at least one rank
 * alive, and which are not and why (a server that drains refuses this one, and answers the others
 * to its end); {@code /health}: what it consists of; {@code /metrics}; and {@code /debug/check},
 * which checks the books of the engines and of the router, and is an internal error if they are
 * wrong. They need no key and tell nothing of any tenant.
 */
final class HealthEndpoints {

  private static final JsonMapper JSON = JsonMapper.shared();

  private final ServedModel model;
  private final List<Worker> workers;
  private final Router router;
  private final GatewayMetrics metrics;

  HealthEndpoints(ServedModel model, List<Worker> workers, Router router, GatewayMetrics metrics) {
    this.model = model;
    this.workers = List.copyOf(workers);
    this.router = router;
    this.metrics = metrics;
  }

  void addTo(Routes routes) {
    routes
        .onToTheEnd("GET", "/live", x -> x.reply(Reply.text(200, "live\n")))
        .on("GET", "/ready", this::ready)
        .onToTheEnd("GET", "/health", this::health)
        .onToTheEnd("GET", "/metrics", x -> x.reply(metrics.scrape()))
        .on("GET", "/debug/check", this::check);
  }

  private void ready(Exchange exchange) {
    StringBuilder dead = new StringBuilder();
    boolean anyAlive = false;
    for (Worker worker : workers) {
      for (int rank = 0; rank < worker.ranks(); rank++) {
        Optional<String> failure = worker.failure(rank);
        anyAlive |= failure.isEmpty();
        WorkerRank id = new WorkerRank(worker.id(), rank);
        failure.ifPresent(cause -> dead.append("rank %s has died: %s\n".formatted(id, cause)));
      }
    }
    exchange.reply(
        anyAlive
            ? Reply.text(200, "ready\n" + dead)
            : Reply.text(503, "not ready: no rank is left\n" + dead));
  }

  private void health(Exchange exchange) {
    boolean anyDead = false;
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
        Optional<String> failure = worker.failure(rank);
        failure.ifPresent(cause -> one.put("failure", cause));
        anyDead |= failure.isPresent();
        ranks.add(one);
      }
    }
    Map<String, Object> health = new LinkedHashMap<>();
    health.put("status", anyDead ? "degraded" : "ok");
    health.put("model", model.id());
    health.put("ranks", ranks);
    exchange.reply(Reply.json(200, JSON.writeValueAsBytes(health)));
  }

  private void check(Exchange exchange) {
    for (Worker worker : workers) {
      for (int rank = 0; rank < worker.ranks(); rank++) {
        worker.check(rank);
      }
    }
    List<String> wrong = router.check();
    if (!wrong.isEmpty()) {
      throw new Fault.Internal("the router: " + String.join("; ", wrong)).asException();
    }
    exchange.reply(Reply.json(200, JSON.writeValueAsBytes(Map.of("status", "ok"))));
  }
}
