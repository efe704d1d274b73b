package dev.sojourn.server;

import dev.sojourn.backend.EmbeddedWorker;
import dev.sojourn.backend.Worker;
import dev.sojourn.backend.WorkerSessions;
import dev.sojourn.core.Clock;
import dev.sojourn.core.WorkerId;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.engine.Engine;
import dev.sojourn.engine.model.ModelRunner;
import dev.sojourn.router.RankCapacity;
import dev.sojourn.router.Router;
import dev.sojourn.router.RouterConfig;
import dev.sojourn.router.affinity.AffinityStore;
import dev.sojourn.router.affinity.MemoryAffinityStore;
import dev.sojourn.server.access.ApiKeys;
import dev.sojourn.server.http.HttpServer;
import dev.sojourn.server.http.Routes;
import dev.sojourn.server.metrics.GatewayMetrics;
import dev.sojourn.server.openai.ForkEndpoint;
import dev.sojourn.server.openai.LeaseEndpoint;
import dev.sojourn.server.openai.OpenAiEndpoints;
import dev.sojourn.server.openai.OpenAiErrors;
import dev.sojourn.server.openai.SglangSessions;
import dev.sojourn.server.openai.TurnRunner;
import dev.sojourn.server.prompt.PromptBuilder;
import dev.sojourn.server.prompt.Transcripts;
import dev.sojourn.server.sessions.Ledger;
import dev.sojourn.server.sessions.RunningTurns;
import dev.sojourn.server.sessions.SessionEndpoints;
import dev.sojourn.text.Tokenizer;
import dev.sojourn.text.answer.AnswerStyle;
import dev.sojourn.text.template.ChatTemplate;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.net.InetSocketAddress;
import java.security.SecureRandom;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.random.RandomGenerator;

/**
 * A gateway with embedded ranks: it owns the engines, the router and the server, and ends them in
 * the reverse order of their beginning. Thread-safe.
 */
public final class Gateway implements AutoCloseable {

  private static final System.Logger LOG = System.getLogger(Gateway.class.getName());

  /** How often what is due in the router is looked for; sessions expire that much late at most. */
  private static final long TICK_MILLIS = 50;

  private static final WorkerId EMBEDDED = new WorkerId("embedded");

  private final GatewayConfig config;
  private final Deque<AutoCloseable> owned = new ArrayDeque<>(); // last begun first
  private final PromptBuilder prompts;
  private final HttpServer server;

  /** Puts it together; what has been begun is in {@link #owned} from the moment on it has. */
  private Gateway(GatewayConfig config, ServedModel model, Clock clock, RandomGenerator random)
      throws IOException {
    this.config = config;
    boolean whole = false;
    try {
      model.runners().forEach(owned::push); // until the engines own them
      ApiKeys keys =
          config.apiKeys().isEmpty() ? ApiKeys.none() : ApiKeys.read(config.apiKeys().get());
      Tokenizer tokenizer = own(Tokenizer.of(model.vocabulary()));
      prompts = PromptBuilder.of(tokenizer, template(model), config.parsers(), clock);
      Worker worker = own(worker(model, tokenizer, clock));
      AffinityStore store =
          own(new MemoryAffinityStore(clock, MemoryAffinityStore.DEFAULT_ENTRIES));
      Transcripts transcripts = new Transcripts(tokenizer, config.transcriptBytes(), clock);
      Router router =
          own(
              new Router(
                  RouterConfig.defaults(),
                  clock,
                  random,
                  store,
                  new WorkerSessions(List.of(worker))));
      Ledger ledger = new Ledger();
      own(store.watch(new SessionKeeper(transcripts, ledger)));
      addRanks(router, worker);
      own(ticking(router));
      GatewayMetrics metrics = new GatewayMetrics(List.of(worker), router, transcripts);
      RunningTurns running = new RunningTurns();
      TurnRunner turns =
          new TurnRunner(
              router,
              List.of(worker),
              transcripts,
              ledger,
              model.contextLength(),
              Set.copyOf(model.vocabulary().endOfTurn()),
              metrics,
              clock);
      Routes routes = new Routes();
      new OpenAiEndpoints(
              model.card(),
              keys,
              config.identity(),
              config.implicitSessions(),
              config.maxConcurrent(),
              prompts,
              tokenizer.spelling(),
              turns,
              running,
              clock,
              random)
          .addTo(routes);
      SessionEndpoints sessions =
          new SessionEndpoints(keys, router, List.of(worker), running, ledger);
      sessions.addTo(routes);
      new ForkEndpoint(sessions, turns).addTo(routes);
      new LeaseEndpoint(sessions, router).addTo(routes);
      new SglangSessions(keys, sessions, router, turns).addTo(routes);
      new HealthEndpoints(model, List.of(worker), router, metrics).addTo(routes);
      server = own(new HttpServer(config.http(), routes, new OpenAiErrors(), metrics, clock));
      whole = true;
    } finally {
      if (!whole) {
        closeOwned();
      }
    }
  }

  /**
   * Starts serving a model. The gateway owns the model's runners from here on, also when this
   * fails.
   *
   * @throws IOException if it cannot listen ({@link dev.sojourn.server.http.ListenException}) or
   *     read the file of API keys
   */
  public static Gateway start(GatewayConfig config, ServedModel model, Clock clock)
      throws IOException {
    return start(config, model, clock, new SecureRandom());
  }

  /**
   * Starts serving a model, as {@link #start(GatewayConfig, ServedModel, Clock)} does.
   *
   * @param random where incarnations come from, and the seeds of requests that name none; used by
   *     many threads at once
   */
  public static Gateway start(
      GatewayConfig config, ServedModel model, Clock clock, RandomGenerator random)
      throws IOException {
    return new Gateway(config, model, clock, random);
  }

  /** Returns the address it listens on, with the port that was taken. */
  public InetSocketAddress address() {
    return server.address();
  }

  /** Returns how answers to chats are read. */
  public AnswerStyle answers() {
    return prompts.answers();
  }

  /** Returns whether a chat's turn renders only what is new, where the template gets no options. */
  public boolean suffixLocal() {
    return prompts.suffixLocal();
  }

  /** Drains as configured, then ends everything. */
  @Override
  public void close() {
    try {
      server.drain(config.drain());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    closeOwned();
  }

  private Worker worker(ServedModel model, Tokenizer tokenizer, Clock clock) {
    List<Engine> engines = new ArrayList<>();
    for (ModelRunner runner : model.runners()) {
      String name = "engine-" + engines.size();
      engines.add(new Engine(name, runner, tokenizer.spelling(), config.engine(), clock));
      owned.remove(runner);
    }
    return new EmbeddedWorker(EMBEDDED, engines, tokenizer.spelling());
  }

  private void addRanks(Router router, Worker worker) {
    for (int rank = 0; rank < worker.ranks(); rank++) {
      router.addRank(
          new WorkerRank(worker.id(), rank),
          new RankCapacity(worker.stats(rank).capacity(), config.engine().maxRunning()));
    }
    worker.onFailure(rank -> router.removeRank(new WorkerRank(worker.id(), rank)));
    worker.subscribe((event, rank) -> router.onKvEvent(new WorkerRank(worker.id(), rank), event));
  }

  private static Optional<ChatTemplate> template(ServedModel model) {
    return model.chatTemplate().isEmpty()
        ? Optional.empty()
        : Optional.of(ChatTemplate.compile(model.chatTemplate()));
  }

  private static AutoCloseable ticking(Router router) {
    ScheduledExecutorService timer =
        Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().name("router-clock").daemon().factory());
    var _ =
        timer.scheduleWithFixedDelay(
            () -> {
              try {
                router.tick();
              } catch (RuntimeException e) { // the next tick tries again
                LOG.log(Level.ERROR, "expiring sessions failed", e);
              }
            },
            TICK_MILLIS,
            TICK_MILLIS,
            TimeUnit.MILLISECONDS);
    return timer::shutdownNow;
  }

  private <T extends AutoCloseable> T own(T resource) {
    owned.push(resource);
    return resource;
  }

  private void closeOwned() {
    while (!owned.isEmpty()) {
      try {
        owned.pop().close();
      } catch (Exception e) {
        LOG.log(Level.ERROR, "could not end a part of the gateway", e);
      }
    }
  }
}
