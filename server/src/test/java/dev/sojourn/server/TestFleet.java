package dev.sojourn.server;

import static dev.sojourn.server.TestGateway.MODEL;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.backend.EmbeddedWorker;
import dev.sojourn.backend.WorkerSessions;
import dev.sojourn.core.Clock;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.Tenant;
import dev.sojourn.core.Tokens;
import dev.sojourn.core.WorkerId;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.engine.Engine;
import dev.sojourn.engine.EngineConfig;
import dev.sojourn.router.BindingView;
import dev.sojourn.router.RankCapacity;
import dev.sojourn.router.Router;
import dev.sojourn.router.RouterConfig;
import dev.sojourn.router.RouterStats;
import dev.sojourn.router.affinity.AffinityStore.Change;
import dev.sojourn.router.affinity.MemoryAffinityStore;
import dev.sojourn.server.access.ApiKeys;
import dev.sojourn.server.access.IdentityRule;
import dev.sojourn.server.http.HttpConfig;
import dev.sojourn.server.http.HttpServer;
import dev.sojourn.server.http.Routes;
import dev.sojourn.server.metrics.GatewayMetrics;
import dev.sojourn.server.openai.ForkEndpoint;
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
import dev.sojourn.text.answer.ParserChoice;
import dev.sojourn.text.template.ChatTemplate;
import java.io.ByteArrayOutputStream;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import tools.jackson.databind.JsonNode;

/**
 * Two workers with real engines, and gateways over them that share one store of bindings and each
 * have transcripts of their own.
 */
public final class TestFleet implements AutoCloseable {

  /** The session that {@link #turn} speaks of. */
  static final SessionId SESSION = new SessionId(Tenant.DEFAULT, "s");

  private static final String IDS = "'extra_fields': ['prompt_token_ids', 'completion_token_ids']";
  private static final String FIELDS =
      "'model': '" + MODEL + "', 'max_tokens': 6, 'temperature': 0.8, 'seed': 9, ";

  private final Deque<AutoCloseable> owned = new ArrayDeque<>(); // last begun first
  private final Clock clock;
  private final ServedModel model;
  private final ChatTemplate chatTemplate;
  private final Tokenizer tokenizer;
  private final MemoryAffinityStore store;
  private final HttpClient http = own(HttpClient.newHttpClient());
  private final List<HttpServer> servers = new ArrayList<>();
  final List<EmbeddedWorker> workers = new ArrayList<>();
  public final List<GatedRunner> runners = new ArrayList<>();
  public final List<Engine> engines = new ArrayList<>();
  public final List<Router> routers = new ArrayList<>();
  public final List<Transcripts> transcripts = new ArrayList<>();

  /**
   * Starts.
   *
   * @param delivery what stands between the store and those who end what is kept of a session
   */
  TestFleet(Path dir, int gateways, UnaryOperator<Consumer<Change>> delivery) throws Exception {
    this(dir, gateways, delivery, Clock.system());
  }

  /** Starts with a clock that sessions idle by. */
  TestFleet(Path dir, int gateways, UnaryOperator<Consumer<Change>> delivery, Clock clock)
      throws Exception {
    this(dir, gateways, delivery, clock, 96, Optional.empty());
  }

  /**
   * Starts.
   *
   * @param pages of each rank
   * @param template of chats, instead of the model's own
   */
  public TestFleet(
      Path dir,
      int gateways,
      UnaryOperator<Consumer<Change>> delivery,
      Clock clock,
      int pages,
      Optional<String> template)
      throws Exception {
    this.clock = clock;
    model = own(TestGateway.tiny(dir, 2, pages)).served();
    chatTemplate = ChatTemplate.compile(template.orElse(model.chatTemplate()));
    model.runners().forEach(runner -> runners.add(new GatedRunner(runner)));
    tokenizer = own(Tokenizer.of(model.vocabulary()));
    for (String name : List.of("left", "right")) {
      Engine engine =
          new Engine(
              name,
              runners.get(engines.size()),
              tokenizer.spelling(),
              EngineConfig.defaults(),
              clock);
      engines.add(engine);
      workers.add(
          own(new EmbeddedWorker(new WorkerId(name), List.of(engine), tokenizer.spelling())));
    }
    store = own(new MemoryAffinityStore(clock, 100));
    for (int i = 0; i < gateways; i++) {
      addGateway(delivery);
    }
  }

  private void addGateway(UnaryOperator<Consumer<Change>> delivery) throws Exception {
    Ledger ledger = new Ledger();
    Transcripts held = new Transcripts(tokenizer, 1 << 20, clock);
    Router router =
        own(
            new Router(
                RouterConfig.defaults(),
                clock,
                new Random(routers.size()),
                store,
                new WorkerSessions(workers)));
    own(store.watch(delivery.apply(new SessionKeeper(held, ledger))));
    routers.add(router);
    for (int i = 0; i < workers.size(); i++) {
      join(router, i);
    }
    GatewayMetrics metrics = new GatewayMetrics(workers, router, held);
    TurnRunner turns =
        new TurnRunner(
            router,
            workers,
            held,
            ledger,
            model.contextLength(),
            Set.copyOf(model.vocabulary().endOfTurn()),
            metrics,
            clock);
    Routes routes = new Routes();
    RunningTurns running = new RunningTurns();
    SessionEndpoints sessions =
        new SessionEndpoints(ApiKeys.none(), router, workers, running, ledger);
    sessions.addTo(routes);
    new ForkEndpoint(sessions, turns).addTo(routes);
    new SglangSessions(ApiKeys.none(), sessions, router, turns).addTo(routes);
    new OpenAiEndpoints(
            model.card(),
            ApiKeys.none(),
            IdentityRule.LADDER,
            true,
            8,
            PromptBuilder.of(tokenizer, Optional.of(chatTemplate), ParserChoice.AUTO, clock),
            tokenizer.spelling(),
            turns,
            running,
            clock,
            new Random(routers.size()))
        .addTo(routes);
    transcripts.add(held);
    servers.add(
        own(
            new HttpServer(
                HttpConfig.defaults().listeningOn("127.0.0.1", 0),
                routes,
                new OpenAiErrors(),
                metrics,
                Clock.system())));
  }

  /** Returns the rank of an engine. */
  public WorkerRank rank(int engine) {
    return new WorkerRank(workers.get(engine).id(), 0);
  }

  /** An engine that had left comes back, with what it holds. */
  public void join(int engine) {
    routers.forEach(router -> join(router, engine));
  }

  private void join(Router router, int engine) {
    router.addRank(rank(engine), new RankCapacity(workers.get(engine).stats(0).capacity(), 8));
  }

  /** Makes the next answer of each rank this one, and ends it; what is empty they sample. */
  public void say(String answer) {
    Tokens end = Tokens.of(model.vocabulary().tokens().indexOf("<|im_end|>"));
    Tokens ids = answer.isEmpty() ? Tokens.EMPTY : tokenizer.encode(answer).concat(end);
    runners.forEach(runner -> runner.say(ids));
  }

  /** Returns what ids spell. */
  public String spelled(JsonNode ids) {
    return spelled(ids(ids));
  }

  /** Returns what ids spell. */
  public String spelled(List<Integer> ids) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    ids.forEach(id -> bytes.writeBytes(tokenizer.spelling().raw(id)));
    return bytes.toString(UTF_8);
  }

  /** Returns ids that are told, as numbers. */
  public static List<Integer> ids(JsonNode... told) {
    List<Integer> ids = new ArrayList<>();
    for (JsonNode some : told) {
      some.forEach(id -> ids.add(id.asInt()));
    }
    return ids;
  }

  /** Returns where a gateway listens. */
  public InetSocketAddress address(int gateway) {
    return servers.get(gateway).address();
  }

  /** Takes a turn of {@link #SESSION} at the first gateway; it has to be answered. */
  JsonNode turn(String control, String said) throws Exception {
    return turn(0, control, said);
  }

  /** Takes a turn of {@link #SESSION}; it has to be answered. */
  JsonNode turn(int gateway, String control, String said) throws Exception {
    return answered(send(gateway, control, user(said)));
  }

  /** Sends a turn of {@link #SESSION} with these messages. */
  HttpResponse<String> send(int gateway, String control, String messages) throws Exception {
    return send(gateway, "s", control, messages);
  }

  /** Sends a turn of any session with these messages. */
  HttpResponse<String> send(int gateway, String session, String control, String messages)
      throws Exception {
    return post(
        gateway,
        "/v1/chat/completions",
        "'messages': ["
            + messages
            + "], 'nvext': {"
            + IDS
            + ", 'session_control': {"
            + control
            + "'session_id': '"
            + session
            + "'}}");
  }

  static String user(String content) {
    return "{'role': 'user', 'content': '" + content + "'}";
  }

  /** Compares an answer, id by id, with one over the same ids that shares no KV with it. */
  void assertSameAsStateless(JsonNode answer) throws Exception {
    JsonNode stateless =
        answered(
            post(
                0,
                "/v1/completions",
                "'prompt': "
                    + answer.path("nvext").path("prompt_token_ids")
                    + ", 'nvext': {'cache_salt': 'apart', "
                    + IDS
                    + "}"));
    assertThat(stateless.path("nvext").path("completion_token_ids"))
        .isEqualTo(answer.path("nvext").path("completion_token_ids"));
  }

  /** Posts fields beside those that say what is sampled. */
  HttpResponse<String> post(int gateway, String path, String fields) throws Exception {
    String body = ("{" + FIELDS + fields + "}").replace('\'', '"');
    int port = servers.get(gateway).address().getPort();
    HttpRequest request =
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path))
            .POST(HttpRequest.BodyPublishers.ofString(body))
            .build();
    return http.send(request, HttpResponse.BodyHandlers.ofString());
  }

  /** Returns what the first gateway tells of a session. */
  JsonNode shown(String session) throws Exception {
    return get("/v1/sessions/" + session);
  }

  /** Returns what the first gateway tells of all sessions. */
  JsonNode listed() throws Exception {
    return get("/v1/sessions").path("data");
  }

  private JsonNode get(String path) throws Exception {
    URI uri = URI.create("http://127.0.0.1:" + servers.getFirst().address().getPort() + path);
    return answered(
        http.send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofString()));
  }

  static JsonNode answered(HttpResponse<String> response) {
    assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
    return TestGateway.json(response.body());
  }

  /** Returns the ids that the session holds after an answer. */
  static List<Integer> context(JsonNode answer) {
    JsonNode nvext = answer.path("nvext");
    return ids(nvext.path("prompt_token_ids"), nvext.path("completion_token_ids"));
  }

  static JsonNode session(JsonNode answer) {
    return answer.path("nvext").path("session");
  }

  BindingView binding() {
    return routers.getFirst().binding(SESSION).orElseThrow();
  }

  /** Returns the engine of the rank that the session is bound to. */
  Engine home() {
    return engines.get(homeIndex());
  }

  /** Returns the runner of that engine. */
  GatedRunner homeRunner() {
    return runners.get(homeIndex());
  }

  private int homeIndex() {
    return binding().target().orElseThrow().worker().name().equals("left") ? 0 : 1;
  }

  /** Checks that gateways hold no session and no turn, and that engines' books are right. */
  public void expectNothingHeld() {
    int leases = 0;
    for (Router router : routers) {
      assertThat(router.bindings(Tenant.DEFAULT)).isEmpty();
      RouterStats stats = router.stats();
      leases += (int) (stats.leasesTaken() - stats.leasesReturned());
      assertThat(stats.bookings()).isEqualTo(stats.bookingsReleased());
      while (router.stats().lifecycle().tombstones() > 0) {
        Thread.onSpinWait(); // closes are sent by threads of their own
      }
    }
    assertThat(leases).isZero();
    for (Transcripts held : transcripts) {
      assertThat(held.size()).isZero();
      assertThat(held.bytes()).isZero();
    }
    for (Engine engine : engines) {
      if (isThere(engine)) {
        engine.check().join();
      }
    }
  }

  private boolean isThere(Engine engine) {
    WorkerId worker = workers.get(engines.indexOf(engine)).id();
    return routers.stream()
        .flatMap(router -> router.stats().ranks().stream())
        .anyMatch(rank -> rank.rank().worker().equals(worker));
  }

  @Override
  public void close() {
    while (!owned.isEmpty()) {
      try {
        owned.pop().close();
      } catch (Exception e) {
        throw new AssertionError("could not end a part of the fleet", e);
      }
    }
  }

  private <T extends AutoCloseable> T own(T resource) {
    owned.push(resource);
    return resource;
  }
}
