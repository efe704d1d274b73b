package dev.sojourn.server;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.sojourn.core.Clock;
import dev.sojourn.core.Tokens;
import dev.sojourn.engine.model.KvType;
import dev.sojourn.engine.model.LoadOptions;
import dev.sojourn.engine.model.LoadedModel;
import dev.sojourn.engine.weights.GgufFile;
import dev.sojourn.engine.weights.Progress;
import dev.sojourn.engine.weights.SyntheticModel;
import dev.sojourn.engine.weights.TensorType;
import dev.sojourn.server.http.HttpConfig;
import dev.sojourn.text.Tokenizer;
import dev.sojourn.text.Vocabulary;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.Random;
import java.util.function.UnaryOperator;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** A whole gateway over a tiny real model, and a client that speaks to it over a socket. */
public final class TestGateway implements AutoCloseable {

  public static final String MODEL = "org/tiny";
  public static final int CONTEXT = 512;
  private static final int PAGES = 96;

  private final LoadedModel loaded;
  private final Vocabulary vocabulary;
  private final Gateway gateway;
  private final HttpClient http =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  final List<GatedRunner> runners;

  /** Starts with this many ranks, and the configuration that {@code change} makes of ours. */
  public TestGateway(Path dir, int ranks, UnaryOperator<GatewayConfig> change) throws IOException {
    this(dir, ranks, new ArrayList<>(), change);
  }

  /** Starts, and puts the runners into a list, where they are also found if it does not start. */
  TestGateway(Path dir, int ranks, List<GatedRunner> runners, UnaryOperator<GatewayConfig> change)
      throws IOException {
    this(dir, ranks, runners, change, UnaryOperator.identity());
  }

  /** Starts with a vocabulary that puts its first token before every text. */
  static TestGateway beginningTexts(Path dir) throws IOException {
    return new TestGateway(
        dir,
        1,
        new ArrayList<>(),
        config -> config,
        v ->
            new Vocabulary(
                v.kind(),
                v.preTokenizer(),
                v.tokens(),
                v.types(),
                v.merges(),
                v.scores(),
                v.bos(),
                v.eos(),
                v.endOfTurn(),
                v.unknown(),
                true,
                v.addSpacePrefix(),
                v.tokenizerJson()));
  }

  private TestGateway(
      Path dir,
      int ranks,
      List<GatedRunner> runners,
      UnaryOperator<GatewayConfig> change,
      UnaryOperator<Vocabulary> read)
      throws IOException {
    this.runners = runners;
    Tiny tiny = tiny(dir, ranks);
    loaded = tiny.loaded;
    ServedModel served = tiny.served;
    vocabulary = read.apply(served.vocabulary());
    served.runners().forEach(runner -> runners.add(new GatedRunner(runner)));
    GatewayConfig ours = GatewayConfig.defaults();
    GatewayConfig config =
        new GatewayConfig(
            HttpConfig.defaults().listeningOn("127.0.0.1", 0),
            ours.engine(),
            ours.apiKeys(),
            ours.implicitSessions(),
            ours.identity(),
            ours.maxConcurrent(),
            ours.transcriptBytes(),
            ours.parsers(),
            Duration.ZERO);
    gateway =
        Gateway.start(
            change.apply(config),
            new ServedModel(
                MODEL, Instant.EPOCH, vocabulary, served.chatTemplate(), List.copyOf(runners)),
            Clock.system(),
            new Random(9));
  }

  /** A tiny real model, loaded. */
  record Tiny(LoadedModel loaded, ServedModel served) implements AutoCloseable {
    @Override
    public void close() {
      loaded.close();
    }
  }

  /** Loads the tiny model, which is made first where the directory has none. */
  static Tiny tiny(Path dir, int ranks) throws IOException {
    return tiny(dir, ranks, PAGES);
  }

  /** Loads the tiny model for ranks of this many pages. */
  static Tiny tiny(Path dir, int ranks, int pages) throws IOException {
    Path file = dir.resolve("tiny.gguf");
    if (!Files.exists(file)) {
      SyntheticModel.write(
          file,
          new SyntheticModel.Spec(
              SyntheticModel.Architecture.QWEN3, 1, 32, 64, 2, 1, 16, 320, TensorType.F32, CONTEXT),
          7,
          Progress.NONE);
    }
    try (GgufFile gguf = GgufFile.open(file)) {
      LoadedModel loaded =
          LoadedModel.load(
              gguf, new LoadOptions(1, OptionalInt.empty(), KvType.F32), Progress.NONE);
      return new Tiny(loaded, ServedModel.of(MODEL, Instant.EPOCH, gguf, loaded, ranks, pages));
    }
  }

  /** Returns the token that begins contexts. */
  int bos() {
    return vocabulary.bos().orElseThrow();
  }

  /** Makes the next answer of the first rank this one, and ends it. */
  void say(String answer) {
    try (Tokenizer tokenizer = Tokenizer.of(vocabulary)) {
      Tokens end = Tokens.of(vocabulary.tokens().indexOf("<|im_end|>"));
      runners.getFirst().say(tokenizer.encode(answer).concat(end));
    }
  }

  InetSocketAddress address() {
    return gateway.address();
  }

  /** Sends a request; headers are name, value, … */
  HttpResponse<String> send(String method, String path, String body, String... headers)
      throws Exception {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + gateway.address().getPort() + path))
            .method(method, HttpRequest.BodyPublishers.ofString(body, UTF_8));
    if (headers.length > 0) {
      request.headers(headers);
    }
    return http.send(request.build(), HttpResponse.BodyHandlers.ofString());
  }

  /** Posts, and returns the body; the answer has to be a 200. */
  JsonNode post(String path, String body, String... headers) throws Exception {
    HttpResponse<String> response = send("POST", path, body, headers);
    if (response.statusCode() != 200) {
      throw new AssertionError(response.statusCode() + ": " + response.body());
    }
    return json(response.body());
  }

  /** Posts for a stream, and returns its events' payloads without the last, {@code [DONE]}. */
  List<JsonNode> stream(String path, String body, String... headers) throws Exception {
    HttpResponse<String> response = send("POST", path, body, headers);
    if (response.statusCode() != 200) {
      throw new AssertionError(response.statusCode() + ": " + response.body());
    }
    List<JsonNode> events = new ArrayList<>();
    boolean done = false;
    for (String line : response.body().lines().toList()) {
      if (line.equals("data: [DONE]")) {
        done = true;
      } else if (line.startsWith("data: ")) {
        events.add(json(line.substring(6)));
      }
    }
    if (!done) {
      throw new AssertionError("no [DONE]: " + response.body());
    }
    return events;
  }

  JsonNode get(String path, String... headers) throws Exception {
    return json(send("GET", path, "", headers).body());
  }

  static JsonNode json(String text) {
    return JsonMapper.shared().readTree(text);
  }

  /** Returns the sum of a metric over all its labels. */
  double metric(String name) throws Exception {
    double sum = 0;
    for (String line : send("GET", "/metrics", "").body().lines().toList()) {
      if (line.startsWith(name + "{") || line.startsWith(name + " ")) {
        sum += Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1));
      }
    }
    return sum;
  }

  /** Waits until nothing is held any more, then checks that the books say so. */
  void expectNothingHeld() throws Exception {
    long giveUp = System.nanoTime() + Duration.ofSeconds(10).toNanos();
    while (held() > 0 && System.nanoTime() < giveUp) {
      Thread.onSpinWait();
    }
    double capacity = metric("sojourn_kv_pages");
    double free = metric("sojourn_kv_pages_free");
    double cached = metric("sojourn_kv_pages_cached");
    if (held() > 0 || free + cached != capacity) {
      throw new AssertionError("something is held:\n" + send("GET", "/metrics", "").body());
    }
    JsonNode check = get("/debug/check");
    if (!check.path("status").asString("").equals("ok")) {
      throw new AssertionError(check);
    }
  }

  private double held() throws Exception {
    return metric("sojourn_kv_pages_leased")
        + metric("sojourn_kv_pages_in_use")
        + metric("sojourn_engine_sessions")
        + metric("sojourn_engine_running_turns")
        + metric("sojourn_engine_waiting_turns")
        + metric("sojourn_router_sessions")
        + metric("sojourn_router_opening")
        + metric("sojourn_router_waiting_turns")
        + metric("sojourn_router_tombstones")
        + metric("sojourn_transcripts")
        + metric("sojourn_transcript_bytes")
        + metric("sojourn_router_leases")
        + metric("sojourn_router_bookings");
  }

  /** Ends the gateway alone. */
  void stop() {
    gateway.close();
  }

  @Override
  public void close() {
    runners.forEach(GatedRunner::release);
    gateway.close();
    loaded.close();
  }
}
