package dev.sojourn.server.sessions;

import dev.sojourn.backend.Worker;
import dev.sojourn.core.BlockHasher;
import dev.sojourn.core.Fault;
import dev.sojourn.core.FaultException;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionControl.WhileBusy;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.SessionKind;
import dev.sojourn.core.SessionView;
import dev.sojourn.core.Tenant;
import dev.sojourn.core.WorkerId;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.router.BindingView;
import dev.sojourn.router.CloseReport;
import dev.sojourn.router.ComingClose;
import dev.sojourn.router.Router;
import dev.sojourn.router.affinity.Terms;
import dev.sojourn.server.access.ApiKeys;
import dev.sojourn.server.http.Exchange;
import dev.sojourn.server.http.Reply;
import dev.sojourn.server.http.Routes;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;

/**
 * {@code /v1/sessions}: a tenant's own sessions; for another tenant they do not exist. Thread-safe.
 */
public final class SessionEndpoints {

  private static final System.Logger LOG = System.getLogger(SessionEndpoints.class.getName());

  /** How long a client may wait for an engine that is in a step. */
  private static final Duration MOST_PATIENCE = Duration.ofSeconds(30);

  private static final JsonMapper JSON = JsonMapper.shared();

  private final ApiKeys keys;
  private final Router router;
  private final Map<WorkerId, Worker> workers = new HashMap<>();
  private final RunningTurns running;
  private final Ledger ledger;

  /** Creates the endpoints. */
  public SessionEndpoints(
      ApiKeys keys,
      Router router,
      List<? extends Worker> workers,
      RunningTurns running,
      Ledger ledger) {
    this.keys = keys;
    this.router = router;
    workers.forEach(worker -> this.workers.put(worker.id(), worker));
    this.running = running;
    this.ledger = ledger;
  }

  /** Adds the routes. */
  public void addTo(Routes routes) {
    routes
        .on("GET", "/v1/sessions", this::list)
        .on("GET", "/v1/sessions/{name}", this::show)
        .on("DELETE", "/v1/sessions/{name}", this::delete);
  }

  private void list(Exchange exchange) {
    Tenant tenant = keys.tenant(exchange);
    Map<WorkerRank, Optional<Map<SessionId, SessionView>>> held = new HashMap<>();
    List<Object> data = new ArrayList<>();
    for (BindingView binding : router.bindings(tenant)) {
      data.add(json(binding, target -> held.computeIfAbsent(target, this::sessionsOf)));
    }
    exchange.reply(Reply.json(200, listOf(data)));
  }

  /** Returns OpenAI's form of a list. */
  public static byte[] listOf(List<?> data) {
    Map<String, Object> list = new LinkedHashMap<>();
    list.put("object", "list");
    list.put("data", data);
    return JSON.writeValueAsBytes(list);
  }

  private void show(Exchange exchange) {
    exchange.reply(Reply.json(200, JSON.writeValueAsBytes(describe(session(exchange)))));
  }

  /**
   * Returns what a session is now, as a JSON tree.
   *
   * @throws FaultException {@code session_not_found}
   */
  public Map<String, Object> describe(SessionId id) {
    BindingView binding = router.binding(id).orElseThrow(() -> unknown(id));
    return json(binding, this::sessionsOf);
  }

  /**
   * Closes a session behind the turns that came before, or, with {@code abort=true}, ends those.
   * With {@code wait=true} the answer comes when the engine has closed it, {@link #MOST_PATIENCE}
   * after those turns at the latest; without, at once if a turn runs.
   */
  private void delete(Exchange exchange) throws InterruptedException {
    SessionId id = session(exchange);
    boolean wait = flag(exchange, "wait");
    boolean abort = flag(exchange, "abort");
    OnClose how = onClose(exchange);
    var _ = router.binding(id).orElseThrow(() -> unknown(id));
    if (abort) {
      running.abort(id);
    }
    Optional<CloseReport> report;
    if (wait) {
      report = Optional.of(router.close(id, how, WhileBusy.QUEUE, MOST_PATIENCE));
    } else if (abort) {
      report = Optional.of(router.close(id, how, WhileBusy.QUEUE));
    } else {
      report = closeSoon(id, how);
    }
    exchange.reply(
        report.map(known -> Reply.json(200, closed(id, known))).orElseGet(() -> soon(id)));
  }

  /** Says that a session will be closed. */
  private static Reply soon(SessionId id) {
    Map<String, Object> answer = new LinkedHashMap<>();
    answer.put("id", id.name());
    answer.put("object", "session");
    answer.put("closing", true);
    return Reply.json(202, JSON.writeValueAsBytes(answer));
  }

  /**
   * Closes a session behind the turns that came before, for which nobody waits.
   *
   * @return what became of it; empty if a turn runs
   */
  public Optional<CloseReport> closeSoon(SessionId id, OnClose how) throws InterruptedException {
    Optional<ComingClose> close = router.promiseClose(id, how);
    if (close.filter(ComingClose::isNext).isPresent()) {
      return Optional.of(close.get().run());
    }
    close.ifPresent(
        later -> Thread.ofVirtual().name("close-session").start(() -> closeLater(later)));
    return Optional.empty();
  }

  private static void closeLater(ComingClose close) {
    try {
      var _ = close.run();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (FaultException e) {
      LOG.log(Level.WARNING, "a session could not be closed: " + e.getMessage());
    }
  }

  private static byte[] closed(SessionId id, CloseReport report) {
    Map<String, @Nullable Object> answer = new LinkedHashMap<>();
    answer.put("id", id.name());
    answer.put("object", "session");
    answer.put("closed", true);
    answer.put("existed", report.existed());
    answer.put(
        "tokens_freed",
        report.tokensFreed().isPresent() ? report.tokensFreed().getAsInt() : "pending");
    return JSON.writeValueAsBytes(answer);
  }

  /** Returns the sessions that a rank holds; empty if it does not answer. */
  private Optional<Map<SessionId, SessionView>> sessionsOf(WorkerRank target) {
    Worker worker = workers.get(target.worker());
    if (worker == null) {
      return Optional.empty();
    }
    try {
      Map<SessionId, SessionView> views = new HashMap<>();
      worker.sessions(target.rank()).forEach(view -> views.put(view.id(), view));
      return Optional.of(views);
    } catch (FaultException e) {
      return Optional.empty(); // the session stays bound there until its next turn or its timeout
    }
  }

  private Map<String, Object> json(
      BindingView binding, Function<WorkerRank, Optional<Map<SessionId, SessionView>>> sessionsOf) {
    Map<String, Object> session = new LinkedHashMap<>();
    session.put("id", binding.id().name());
    session.put("object", "session");
    session.put("incarnation", binding.incarnation().toString());
    boolean engine = binding.terms().kind() == Terms.Kind.ENGINE_BACKED;
    session.put("kind", engine ? "open" : "bind");
    if (binding.terms().shape() != SessionKind.CONVERSATION) {
      session.put("turns_are", lower(binding.terms().shape()));
    }
    boolean busy = !binding.running().isEmpty();
    session.put(
        "state",
        router.isClosing(binding.id())
            ? "closing"
            : binding.target().isEmpty() ? "opening" : busy ? "running" : "idle");
    binding
        .target()
        .ifPresent(target -> {
          session.put("worker", target.worker().name());
          session.put("rank", target.rank());
        });
    session.put("timeout", binding.terms().timeout().toSeconds());
    binding.remaining().ifPresent(left -> session.put("remaining_seconds", seconds(left)));
    binding.terms().capacity().ifPresent(capacity -> session.put("capacity", capacity));
    session.put("on_close", lower(binding.terms().onClose()));
    String relation = binding.terms().forks() ? "forked_from" : "parent";
    binding.terms().parent().ifPresent(parent -> session.put(relation, parent.name()));
    Optional<Map<SessionId, SessionView>> held = binding.target().flatMap(sessionsOf);
    if (binding.target().isPresent() && held.isEmpty()) {
      session.put("worker_answers", false);
    }
    held.map(views -> views.get(binding.id()))
        .filter(view -> view.incarnation().equals(binding.incarnation()))
        .ifPresent(view -> {
          session.put("tokens", view.committed());
          session.put("resident_tokens", view.resident());
          session.put("resident_pages", pages(view.resident()));
          session.put("turns", view.turns());
          session.put("children", view.children());
          session.put("idle_seconds", view.idle().toSeconds());
          if (binding.terms().shape() != SessionKind.REGULAR) { // which has as many as branches
            session.put("digest", HexFormat.of().toHexDigits(view.digest()));
          }
        });
    ledger.of(binding.id()).ifPresent(account -> tell(account, session));
    return session;
  }

  /** Adds what the session's turns came to. */
  private static void tell(Account account, Map<String, Object> session) {
    Map<String, Object> modes = new LinkedHashMap<>();
    account.turns().forEach((mode, turns) -> modes.put(lower(mode), turns));
    Map<String, Object> lost = new LinkedHashMap<>();
    account.lost().forEach((cause, tokens) -> lost.put(lower(cause), tokens));
    session.put("turns_by_mode", modes);
    session.put("reused_tokens", account.reused());
    session.put("computed_tokens", account.computed());
    session.put("lost", lost);
    session.put("moves", account.moves());
    account
        .last()
        .ifPresent(turn -> {
          Map<String, Object> last = new LinkedHashMap<>();
          last.put("mode", lower(turn.mode()));
          last.put("prompt_tokens", turn.prompt());
          last.put("reused_tokens", turn.reused());
          last.put("completion_tokens", turn.sampled());
          Map<String, Object> lostByIt = new LinkedHashMap<>();
          turn.lost().forEach((cause, tokens) -> lostByIt.put(lower(cause), tokens));
          last.put("lost", lostByIt);
          last.put("priority", turn.priority());
          session.put("last_turn", last);
        });
  }

  /** Returns how many seconds are left, one that has begun included. */
  public static long seconds(Duration left) {
    return left.plusSeconds(1).minusNanos(1).toSeconds();
  }

  private static int pages(int tokens) {
    return (tokens + BlockHasher.BLOCK - 1) / BlockHasher.BLOCK;
  }

  private static String lower(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT);
  }

  /** Returns the session that a path names, of the tenant that the key is of. */
  public SessionId session(Exchange exchange) {
    Tenant tenant = keys.tenant(exchange);
    try {
      return new SessionId(tenant, exchange.parameter("name"));
    } catch (IllegalArgumentException e) {
      throw Fault.invalid("name", String.valueOf(e.getMessage())).asException();
    }
  }

  /** Returns the fault of a session that is not there. */
  public static FaultException unknown(SessionId id) {
    return new Fault.NotFound("session_not_found", "there is no session " + id.name())
        .asException();
  }

  private static boolean flag(Exchange exchange, String name) {
    return switch (exchange.query(name).orElse("false").toLowerCase(Locale.ROOT)) {
      case "true", "1", "" -> true;
      case "false", "0" -> false;
      default -> throw Fault.invalid(name, name + " is true or false").asException();
    };
  }

  private static OnClose onClose(Exchange exchange) {
    return switch (exchange.query("on_close").orElse("free")) {
      case "free" -> OnClose.FREE;
      case "retain" -> OnClose.RETAIN;
      default -> throw Fault.invalid("on_close", "on_close is free or retain").asException();
    };
  }
}
