package dev.sojourn.server;

import static dev.sojourn.server.TestGateway.MODEL;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.backend.EmbeddedWorker;
import dev.sojourn.backend.WorkerSessions;
import dev.sojourn.core.Clock;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.Tenant;
import dev.sojourn.core.WorkerId;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.engine.Engine;
import dev.sojourn.engine.EngineConfig;
import dev.sojourn.router.BindingView;
import dev.sojourn.router.RankCapacity;
import dev.sojourn.router.Router;
import dev.sojourn.router.RouterConfig;
import dev.sojourn.router.affinity.MemoryAffinityStore;
import dev.sojourn.server.access.ApiKeys;
import dev.sojourn.server.access.IdentityRule;
import dev.sojourn.server.http.HttpConfig;
import dev.sojourn.server.http.HttpServer;
import dev.sojourn.server.http.Routes;
import dev.sojourn.server.metrics.GatewayMetrics;
import dev.sojourn.server.openai.OpenAiEndpoints;
import dev.sojourn.server.openai.OpenAiErrors;
import dev.sojourn.server.openai.TurnRunner;
import dev.sojourn.server.prompt.PromptBuilder;
import dev.sojourn.server.prompt.Transcripts;
import dev.sojourn.server.sessions.RunningTurns;
import dev.sojourn.text.Tokenizer;
import dev.sojourn.text.template.ChatTemplate;
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
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/**
 * Sessions whose engine session is gone behind the router's back, over two workers with real
 * engines: what was said is computed again, and the client sees one slower turn.
 */
@Timeout(60)
@NullUnmarked // the house is started before each test
final class LostSessionTest {

  private static final SessionId SESSION = new SessionId(Tenant.DEFAULT, "s");
  private static final String FIELDS =
      "'model': '" + MODEL + "', 'max_tokens': 6, 'temperature': 0.8, 'seed': 9, ";
  private static final String IDS = "'extra_fields': ['prompt_token_ids', 'completion_token_ids']";

  @TempDir static Path dir;
  private final Deque<AutoCloseable> owned = new ArrayDeque<>();
  private final List<Engine> engines = new ArrayList<>();
  private final List<EmbeddedWorker> workers = new ArrayList<>();
  private Router router;
  private HttpServer server;

  @BeforeEach
  void start() throws Exception {
    Clock clock = Clock.system();
    TestGateway.Tiny tiny = own(TestGateway.tiny(dir, 2));
    ServedModel model = tiny.served();
    Tokenizer tokenizer = own(Tokenizer.of(model.vocabulary()));
    for (String name : List.of("left", "right")) {
      Engine engine =
          new Engine(
              name,
              model.runners().get(engines.size()),
              tokenizer.spelling(),
              EngineConfig.defaults(),
              clock);
      engines.add(engine);
      workers.add(
          own(new EmbeddedWorker(new WorkerId(name), List.of(engine), tokenizer.spelling())));
    }
    MemoryAffinityStore store = own(new MemoryAffinityStore(clock, 100));
    Transcripts transcripts = new Transcripts(tokenizer, 1 << 20, clock);
    router =
        own(
            new Router(
                RouterConfig.defaults(), clock, new Random(1), store, new WorkerSessions(workers)));
    own(store.watch(new TranscriptKeeper(transcripts)));
    for (EmbeddedWorker worker : workers) {
      router.addRank(
          new WorkerRank(worker.id(), 0), new RankCapacity(worker.stats(0).capacity(), 8));
    }
    GatewayMetrics metrics = new GatewayMetrics(workers, router, transcripts);
    TurnRunner turns =
        new TurnRunner(
            router,
            workers,
            transcripts,
            model.contextLength(),
            Set.copyOf(model.vocabulary().endOfTurn()),
            metrics,
            clock);
    Routes routes = new Routes();
    new OpenAiEndpoints(
            model.card(),
            ApiKeys.none(),
            IdentityRule.LADDER,
            true,
            8,
            PromptBuilder.of(
                tokenizer, Optional.of(ChatTemplate.compile(model.chatTemplate())), clock),
            tokenizer.spelling(),
            turns,
            new RunningTurns(),
            clock)
        .addTo(routes);
    server =
        own(
            new HttpServer(
                HttpConfig.defaults().listeningOn("127.0.0.1", 0),
                routes,
                new OpenAiErrors(),
                metrics,
                clock));
  }

  @AfterEach
  void stop() throws Exception {
    while (!owned.isEmpty()) {
      owned.pop().close();
    }
  }

  @Test
  void session_thatItsEngineClosed_isOpenedAnewAndReplayed() throws Exception {
    turn("'action': 'open', ", "Remember the sea.");
    turn("'input': 'delta', ", "And the sand.");
    BindingView binding = router.binding(SESSION).orElseThrow();
    engines.get(indexOf(binding)).close(SESSION, binding.incarnation(), OnClose.FREE).get();
    JsonNode session = expectReplay();
    assertThat(session.path("worker").asString()).isEqualTo(name(binding));
    assertThat(session.path("incarnation").asString())
        .isNotEqualTo(binding.incarnation().toString());
    close(session.path("incarnation").asString());
  }

  @Test
  void session_whoseWorkerIsGone_isOpenedAndReplayedAtAnother() throws Exception {
    turn("'action': 'open', ", "Remember the sea.");
    turn("'input': 'delta', ", "And the sand.");
    BindingView binding = router.binding(SESSION).orElseThrow();
    router.removeRank(binding.target().orElseThrow());
    JsonNode session = expectReplay();
    assertThat(session.path("worker").asString()).isNotEqualTo(name(binding));
    close(session.path("incarnation").asString());
  }

  @Test
  void session_whoseWorkerDrains_moves() throws Exception {
    turn("'action': 'open', ", "Remember the sea.");
    BindingView binding = router.binding(SESSION).orElseThrow();
    router.drainWorker(workers.get(indexOf(binding)).id());
    JsonNode session = turn("'input': 'delta', ", "And the sand.").path("nvext").path("session");
    assertThat(session.path("affinity").asString()).isEqualTo("moved");
    assertThat(session.path("lost_cause").asString()).isEqualTo("moved");
    close(session.path("incarnation").asString());
    // The old worker was told to release, and then has nothing left.
    while (engines.get(indexOf(binding)).stats().sessions() > 0) {
      Thread.onSpinWait();
    }
  }

  @Test
  void sideRequest_afterTheEngineClosedTheSession_isNotTakenForIt() throws Exception {
    turn("'action': 'open', ", "Remember the sea.");
    JsonNode last = turn("'input': 'delta', ", "And the sand.");
    BindingView binding = router.binding(SESSION).orElseThrow();
    engines.get(indexOf(binding)).close(SESSION, binding.incarnation(), OnClose.FREE).get();
    expectAside(last);
  }

  @Test
  void sideRequest_afterTheWorkerWent_isNotTakenForTheSession() throws Exception {
    turn("'action': 'open', ", "Remember the sea.");
    JsonNode last = turn("'input': 'delta', ", "And the sand.");
    router.removeRank(router.binding(SESSION).orElseThrow().target().orElseThrow());
    expectAside(last);
  }

  @Test
  void sideRequest_whenTheWorkerDrains_isNotTakenForTheSession() throws Exception {
    turn("'action': 'open', ", "Remember the sea.");
    JsonNode last = turn("'input': 'delta', ", "And the sand.");
    BindingView binding = router.binding(SESSION).orElseThrow();
    router.drainWorker(workers.get(indexOf(binding)).id());
    expectAside(last);
  }

  /** Asks for a title, which is no turn of the session, and goes on with what was said before. */
  private void expectAside(JsonNode last) throws Exception {
    JsonNode title = turn("", "Name this conversation.");
    assertThat(title.path("nvext").path("session").path("mode").asString()).isEqualTo("aside");
    assertSameAsStateless(title);
    JsonNode next = turn("'input': 'delta', ", "What was it?");
    List<Integer> said = ids(last, "prompt_token_ids");
    said.addAll(ids(last, "completion_token_ids"));
    assertThat(ids(next, "prompt_token_ids")).startsWith(said.toArray(Integer[]::new));
    assertSameAsStateless(next);
    close(next.path("nvext").path("session").path("incarnation").asString());
  }

  private static List<Integer> ids(JsonNode answer, String field) {
    List<Integer> ids = new ArrayList<>();
    answer.path("nvext").path(field).forEach(id -> ids.add(id.asInt()));
    return ids;
  }

  @Test
  void session_thatItsEngineClosed_isClosedByItsLastTurnAllTheSame() throws Exception {
    turn("'action': 'open', ", "Remember the sea.");
    BindingView binding = router.binding(SESSION).orElseThrow();
    engines.get(indexOf(binding)).close(SESSION, binding.incarnation(), OnClose.FREE).get();
    JsonNode last = turn("'action': 'close', 'input': 'delta', ", "Bye.");
    assertThat(last.path("nvext").path("session").path("closed").asBoolean()).isTrue();
    assertSameAsStateless(last);
    expectNothingHeld();
  }

  /** Takes a turn that finds its session gone, and one more that finds it whole again. */
  private JsonNode expectReplay() throws Exception {
    JsonNode answer = turn("'input': 'delta', ", "What was it?");
    JsonNode session = answer.path("nvext").path("session");
    assertThat(session.path("mode").asString()).isEqualTo("opened");
    assertThat(session.path("affinity").asString()).isEqualTo("broken");
    assertThat(session.path("lost_cause").asString()).isEqualTo("worker_lost");
    assertThat(session.path("lost_tokens").asInt()).isPositive();
    assertSameAsStateless(answer);
    JsonNode next = turn("'input': 'delta', ", "Thank you.");
    assertThat(next.path("nvext").path("session").path("mode").asString()).isEqualTo("append");
    assertThat(next.path("usage").path("prompt_tokens_details").path("cached_tokens").asInt())
        .isEqualTo(answer.path("usage").path("total_tokens").asInt() - 1);
    assertThat(next.path("nvext").path("session").has("lost_cause")).isFalse();
    assertSameAsStateless(next);
    return session;
  }

  /** Compares an answer, id by id, with one over the same ids that shares no KV with it. */
  private void assertSameAsStateless(JsonNode answer) throws Exception {
    JsonNode stateless =
        post(
            "/v1/completions",
            "'prompt': "
                + answer.path("nvext").path("prompt_token_ids")
                + ", 'nvext': {'cache_salt': 'apart', "
                + IDS
                + "}");
    assertThat(stateless.path("nvext").path("completion_token_ids"))
        .isEqualTo(answer.path("nvext").path("completion_token_ids"));
  }

  private void close(String incarnation) throws Exception {
    BindingView binding = router.binding(SESSION).orElseThrow();
    assertThat(binding.incarnation().toString()).isEqualTo(incarnation);
    turn("'action': 'close', 'input': 'delta', ", "Bye.");
    expectNothingHeld();
  }

  private void expectNothingHeld() {
    assertThat(router.binding(SESSION)).isEmpty();
    assertThat(router.stats().leasesTaken()).isEqualTo(router.stats().leasesReturned());
    assertThat(router.stats().bookings()).isEqualTo(router.stats().bookingsReleased());
    assertThat(router.stats().lifecycle().tombstones()).isZero();
    engines.forEach(engine -> engine.check().join());
  }

  private JsonNode turn(String control, String said) throws Exception {
    return post(
        "/v1/chat/completions",
        "'messages': [{'role': 'user', 'content': '"
            + said
            + "'}], 'nvext': {"
            + IDS
            + ", 'session_control': {"
            + control
            + "'session_id': 's'}}");
  }

  private JsonNode post(String path, String fields) throws Exception {
    String body = ("{" + FIELDS + fields + "}").replace('\'', '"');
    HttpRequest request =
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + server.address().getPort() + path))
            .POST(HttpRequest.BodyPublishers.ofString(body))
            .build();
    try (HttpClient client = HttpClient.newHttpClient()) {
      HttpResponse<String> response = client.send(request, HttpResponse.BodyHandlers.ofString());
      assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
      return TestGateway.json(response.body());
    }
  }

  private static String name(BindingView binding) {
    return binding.target().orElseThrow().worker().name();
  }

  private static int indexOf(BindingView binding) {
    return name(binding).equals("left") ? 0 : 1;
  }

  private <T extends AutoCloseable> T own(T resource) {
    owned.push(resource);
    return resource;
  }
}
