package dev.sojourn.server.http;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sojourn.core.Clock;
import dev.sojourn.core.Fault;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The room above Netty, over real sockets. */
@Timeout(60)
@NullUnmarked // fields are set by each test
final class HttpServerTest {

  private static final Dialect PLAIN =
      new Dialect() {
        @Override
        public Reply error(int status, Fault fault) {
          return Reply.text(status, fault.message());
        }

        @Override
        public byte[] errorEvent(Fault fault) {
          return ("error: " + fault.message()).getBytes(UTF_8);
        }
      };

  private static final HttpConfig LOOPBACK = HttpConfig.defaults().listeningOn("127.0.0.1", 0);

  private final BlockingQueue<String> log = new LinkedBlockingQueue<>();
  private final CountDownLatch entered = new CountDownLatch(1);
  private final CompletableFuture<Void> goOn = new CompletableFuture<>();
  private final CompletableFuture<String> ended = new CompletableFuture<>();
  private HttpServer server;

  @AfterEach
  void stop() {
    if (server != null) {
      server.close();
    }
  }

  @Test
  void request_ofJavaClientThatAsksForHttp2_isAnsweredWithItsBodyRead() throws Exception {
    start(LOOPBACK);
    try (HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_2).build()) {
      for (int i = 0; i < 3; i++) {
        HttpResponse<String> response = client.send(post("/echo", "body " + i), text());
        assertThat(response.statusCode()).isEqualTo(200);
        assertThat(response.version()).isEqualTo(HttpClient.Version.HTTP_1_1);
        assertThat(response.body()).isEqualTo("body " + i);
        assertThat(response.headers().firstValue("x-request-id")).isPresent();
      }
    }
  }

  @Test
  void request_pipelined_areAnsweredInOrder() throws Exception {
    start(LOOPBACK);
    try (RawClient client = new RawClient(server.address())) {
      client.post("/echo", "one").post("/echo", "two", "x-request-id: mine").post("/echo", "three");
      assertThat(client.answer()).startsWith("HTTP/1.1 200").endsWith("one");
      assertThat(client.answer()).contains("x-request-id: mine").endsWith("two");
      assertThat(client.answer()).endsWith("three");
    }
  }

  @Test
  void request_pipelinedWithoutEnd_closesTheConnectionAndInterruptsTheHandler() throws Exception {
    start(LOOPBACK);
    try (RawClient client = new RawClient(server.address())) {
      client.post("/wait", "");
      entered.await();
      String more = "x".repeat(LOOPBACK.maxPipelined() + 1);
      client.post("/echo", more);
      assertThat(ended.get()).isEqualTo("interrupted");
    } catch (IOException reset) {
      assertThat(ended.get()).isEqualTo("interrupted");
    }
  }

  @Test
  void body_withExpectation_isAskedFor() throws Exception {
    start(LOOPBACK);
    try (RawClient client = new RawClient(server.address())) {
      client.say(
          "POST /echo HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
      assertThat(client.answer()).startsWith("HTTP/1.1 100");
      client.say("hi");
      assertThat(client.answer()).startsWith("HTTP/1.1 200").endsWith("hi");
    }
  }

  @Test
  void body_overTheLimit_isRefusedBeforeItIsSent() throws Exception {
    start(LOOPBACK.withMaxBody(10));
    try (RawClient client = new RawClient(server.address())) {
      client.say("POST /echo HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n");
      assertThat(client.rest()).startsWith("HTTP/1.1 413").contains("more than 10 bytes");
    }
  }

  @Test
  void body_chunkedOverTheLimit_isRefusedAndTheAnswerCanBeRead() throws Exception {
    start(LOOPBACK.withMaxBody(10));
    try (RawClient client = new RawClient(server.address())) {
      client.say("POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
      client.say("b\r\n01234567890\r\n100000\r\n" + "y".repeat(0x100000) + "\r\n0\r\n\r\n");
      assertThat(client.rest()).startsWith("HTTP/1.1 413").contains("connection: close");
    }
  }

  @Test
  void body_thatIsEncoded_isRefusedByTheEncodingsName() throws Exception {
    start(LOOPBACK);
    String post = "POST /echo HTTP/1.1\r\nConnection: close\r\n";
    assertThat(raw(post + "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"))
        .startsWith("HTTP/1.1 415")
        .contains("accept-encoding: identity", "encoded as gzip");
    String twice = "Content-Encoding: identity\r\nContent-Encoding: gzip\r\n";
    assertThat(raw(post + twice + "Content-Length: 3\r\n\r\nabc")).contains("encoded as gzip");
    assertThat(raw(post + "Content-Encoding: br\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"))
        .startsWith("HTTP/1.1 415");
    assertThat(raw(post + "Content-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc"))
        .startsWith("HTTP/1.1 200");
    assertThat(raw(post + "Content-Encoding: gzip\r\nContent-Length: 0\r\n\r\n"))
        .startsWith("HTTP/1.1 200");
  }

  @Test
  void request_malformed_isRefused() throws Exception {
    start(LOOPBACK);
    assertThat(raw("NONSENSE\r\n\r\n")).startsWith("HTTP/1.1 400");
    assertThat(raw("GET /" + "a".repeat(9000) + " HTTP/1.1\r\n\r\n")).startsWith("HTTP/1.1 414");
    assertThat(raw("GET / HTTP/1.1\r\nA: " + "b".repeat(40_000) + "\r\n\r\n"))
        .startsWith("HTTP/1.1 431");
    assertThat(raw("GET /echo HTTP/1.1\r\nExpect: miracle\r\n\r\n")).startsWith("HTTP/1.1 417");
    assertThat(raw("GET /items/%zz HTTP/1.1\r\nConnection: close\r\n\r\n"))
        .startsWith("HTTP/1.1 400")
        .contains("percent escape");
    assertThat(raw("POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"))
        .startsWith("HTTP/1.1 400");
  }

  @Test
  void request_thatStopsHalfway_isRefusedAfterATime() throws Exception {
    start(
        LOOPBACK.withTimeouts(
            Duration.ofMillis(100), Duration.ofMillis(100), Duration.ofSeconds(5)));
    assertThat(raw("POST /echo HTTP/1.1\r\nContent-Length: 5\r\n\r\nhal"))
        .startsWith("HTTP/1.1 408");
    assertThat(raw("POST /ec")).isEmpty();
  }

  @Test
  void path_unknown_isNotFound() throws Exception {
    start(LOOPBACK);
    assertThat(raw("GET /nowhere HTTP/1.1\r\nConnection: close\r\n\r\n"))
        .startsWith("HTTP/1.1 404")
        .contains("/nowhere");
  }

  @Test
  void method_unknownForPath_namesTheAllowedOnes() throws Exception {
    start(LOOPBACK);
    assertThat(raw("DELETE /items/a HTTP/1.1\r\nConnection: close\r\n\r\n"))
        .startsWith("HTTP/1.1 405")
        .contains("allow: GET, HEAD, PUT");
  }

  @Test
  void head_isAnsweredAsGetWithoutBody() throws Exception {
    start(LOOPBACK);
    assertThat(raw("HEAD /items/a HTTP/1.1\r\nConnection: close\r\n\r\n"))
        .startsWith("HTTP/1.1 200")
        .contains("content-length: 1")
        .endsWith("\r\n\r\n");
  }

  @Test
  void parameter_isDecodedAndMayHoldSlashes() throws Exception {
    start(LOOPBACK);
    assertThat(raw("GET /items/a%2Fb+c HTTP/1.1\r\nConnection: close\r\n\r\n")).endsWith("a/b+c");
    assertThat(raw("GET /rest/a/b/c HTTP/1.1\r\nConnection: close\r\n\r\n")).endsWith("a/b/c");
  }

  @Test
  void target_withSchemeAndAuthority_isItsPath() throws Exception {
    start(LOOPBACK);
    assertThat(raw("GET http://host:80/items/a?b HTTP/1.1\r\nConnection: close\r\n\r\n"))
        .startsWith("HTTP/1.1 200")
        .endsWith("a");
    assertThat(raw("GET http://host HTTP/1.1\r\nConnection: close\r\n\r\n"))
        .startsWith("HTTP/1.1 404");
  }

  @Test
  void query_thatIsMalformed_isRefused() throws Exception {
    start(LOOPBACK);
    assertThat(raw("GET /query?wait=%zz HTTP/1.1\r\nConnection: close\r\n\r\n"))
        .startsWith("HTTP/1.1 400")
        .contains("malformed percent escape");
  }

  @Test
  void headers_ofPipelinedRequests_countAsSentAhead() throws Exception {
    start(LOOPBACK);
    try (RawClient client = new RawClient(server.address())) {
      client.post("/wait", "");
      entered.await();
      String ahead = "GET /items/a HTTP/1.1\r\nX-Long: " + "x".repeat(20_000) + "\r\n\r\n";
      client.say(ahead.repeat(1 + LOOPBACK.maxPipelined() / 20_000));
      assertThat(ended.get()).isEqualTo("interrupted");
    } catch (IOException reset) {
      assertThat(ended.get()).isEqualTo("interrupted");
    }
  }

  @Test
  void stream_toAClientThatWantsTheEnd_saysThatItCloses() throws Exception {
    start(LOOPBACK);
    assertThat(raw("POST /stream HTTP/1.1\r\nConnection: close\r\nContent-Length: 1\r\n\r\n1"))
        .containsIgnoringCase("connection: close\r\n");
  }

  @Test
  void http10_getsNoChunksAndTheEnd() throws Exception {
    start(LOOPBACK);
    assertThat(raw("POST /stream HTTP/1.0\r\nContent-Length: 1\r\n\r\n2"))
        .startsWith("HTTP/1.1 200")
        .endsWith("\r\n\r\ndata: 0\n\ndata: 1\n\n");
  }

  @Test
  void stream_sendsEventsAndKeepsTheConnection() throws Exception {
    start(LOOPBACK);
    try (HttpClient client = HttpClient.newHttpClient()) {
      HttpResponse<String> response = client.send(post("/stream", "3"), text());
      assertThat(response.body()).isEqualTo("data: 0\n\ndata: 1\n\ndata: 2\n\n");
      assertThat(response.headers().firstValue("content-type"))
          .contains("text/event-stream; charset=utf-8");
      assertThat(response.headers().firstValue("x-known")).contains("early");
      assertThat(client.send(post("/echo", "again"), text()).body()).isEqualTo("again");
    }
  }

  @Test
  void stream_faultBeforeTheFirstEvent_isAnOrdinaryError() throws Exception {
    start(LOOPBACK);
    try (RawClient client = new RawClient(server.address())) {
      client.post("/fail-early", "");
      assertThat(client.answer()).startsWith("HTTP/1.1 503").endsWith("nobody there");
    }
  }

  @Test
  void stream_faultAfterTheFirstEvent_isAnErrorEventAtTheEnd() throws Exception {
    start(LOOPBACK);
    try (RawClient client = new RawClient(server.address())) {
      client.post("/fail-late", "");
      assertThat(client.line()).startsWith("HTTP/1.1 200");
      assertThat(client.lineWith("data:")).isEqualTo("data: first");
      assertThat(client.lineWith("data:")).isEqualTo("data: error: broke");
      assertThat(client.lineWith("0")).isEqualTo("0"); // the last chunk
    }
  }

  @Test
  void stream_withNothingToSay_commitsAndPings() throws Exception {
    start(LOOPBACK.withPatience(Duration.ofMillis(20), Duration.ofMillis(20)));
    try (RawClient client = new RawClient(server.address())) {
      client.post("/wait", "");
      assertThat(client.line()).startsWith("HTTP/1.1 200");
      for (int i = 0; i < 3; i++) {
        assertThat(client.lineWith(":").isEmpty()).isFalse();
        client.lineWith(": ping");
      }
      goOn.complete(null);
      assertThat(client.lineWith("data:")).isEqualTo("data: went on");
    }
  }

  @Test
  void handler_whoseClientHangsUp_isInterrupted() throws Exception {
    start(LOOPBACK);
    RawClient client = new RawClient(server.address());
    client.post("/wait", "");
    entered.await();
    client.close();
    assertThat(ended.get()).isEqualTo("interrupted");
    assertThat(log.poll(10, TimeUnit.SECONDS)).isEqualTo("/wait 499");
  }

  @Test
  void handler_whoseClientResets_isInterrupted() throws Exception {
    start(LOOPBACK);
    RawClient client = new RawClient(server.address());
    client.post("/wait", "");
    entered.await();
    client.reset();
    assertThat(ended.get()).isEqualTo("interrupted");
  }

  @Test
  void stream_whoseReaderIsDead_isGivenUpAndHoldsLittle() throws Exception {
    start(
        LOOPBACK.withTimeouts(
            Duration.ofSeconds(5), Duration.ofSeconds(5), Duration.ofMillis(100)));
    try (RawClient client = new RawClient(server.address())) {
      client.post("/flood", "");
      assertThat(client.line()).startsWith("HTTP/1.1 200");
      assertThat(ended.get()).startsWith("gave up after ");
      assertThat(Long.parseLong(ended.get().substring(14)))
          .isLessThan(64L << 20); // socket buffers on both sides, and our 128 KiB
    }
  }

  @Test
  void handler_thatThrows_isAnInternalErrorThatNamesTheRequest() throws Exception {
    start(LOOPBACK);
    try (RawClient client = new RawClient(server.address())) {
      client.post("/throw", "", "x-request-id: r-7");
      assertThat(client.answer()).startsWith("HTTP/1.1 500").contains("r-7").doesNotContain("oops");
    }
  }

  @Test
  void drain_refusesNewButProbesAndWaitsForRunning() throws Exception {
    start(LOOPBACK);
    try (RawClient running = new RawClient(server.address());
        RawClient late = new RawClient(server.address())) {
      running.post("/wait", "");
      entered.await();
      CompletableFuture<Boolean> drained =
          CompletableFuture.supplyAsync(() -> {
            try {
              return server.drain(Duration.ofSeconds(30));
            } catch (InterruptedException e) {
              throw new IllegalStateException(e);
            }
          });
      String refusal = "";
      while (!refusal.startsWith("HTTP/1.1 503")) { // until the drain has begun
        try (RawClient other = new RawClient(server.address())) {
          refusal = other.post("/echo", "x").answer();
        }
      }
      try (RawClient probe = new RawClient(server.address())) {
        assertThat(probe.say("GET /alive HTTP/1.1\r\n\r\n").answer())
            .startsWith("HTTP/1.1 200")
            .contains("connection: close")
            .endsWith("yes");
      }
      try (RawClient broken = new RawClient(server.address())) {
        assertThat(broken.say("GET /items/%zz HTTP/1.1\r\n\r\n").answer())
            .startsWith("HTTP/1.1 503");
      }
      goOn.complete(null);
      assertThat(drained.get()).isTrue();
      assertThat(running.lineWith("data:")).isEqualTo("data: went on");
      assertThat(late.post("/echo", "x").answer()).startsWith("HTTP/1.1 503");
    }
  }

  @Test
  void drain_withoutPatience_interruptsAndSaysWhy() throws Exception {
    start(LOOPBACK);
    try (RawClient running = new RawClient(server.address())) {
      running.post("/wait", "");
      entered.await();
      assertThat(server.drain(Duration.ZERO)).isFalse();
      assertThat(running.answer()).startsWith("HTTP/1.1 503").contains("shutting down");
    }
  }

  @Test
  void start_onAPortInUse_saysSo() throws Exception {
    start(LOOPBACK);
    int taken = server.address().getPort();
    assertThatThrownBy(() ->
            new HttpServer(
                LOOPBACK.listeningOn("127.0.0.1", taken),
                new Routes(),
                PLAIN,
                (_, _, _) -> {},
                Clock.system()))
        .isInstanceOf(ListenException.class)
        .hasMessageContaining("127.0.0.1:" + taken)
        .hasMessageContaining("in use");
  }

  @Test
  void start_onAnUnknownHost_saysSo() {
    assertThatThrownBy(() ->
            new HttpServer(
                LOOPBACK.listeningOn("no such host", 1),
                new Routes(),
                PLAIN,
                (_, _, _) -> {},
                Clock.system()))
        .isInstanceOf(ListenException.class)
        .hasMessageContaining("no such host");
  }

  private void start(HttpConfig config) throws IOException {
    Routes routes =
        new Routes()
            .on(
                "POST",
                "/echo",
                x -> x.reply(new Reply(200, Map.of("content-type", "text/plain"), x.body())))
            .on("GET", "/items/{name}", x -> x.reply(Reply.text(200, x.parameter("name"))))
            .on("PUT", "/items/{name}", x -> x.reply(Reply.text(200, "put")))
            .on("GET", "/rest/{path+}", x -> x.reply(Reply.text(200, x.parameter("path"))))
            .onToTheEnd("GET", "/alive", x -> x.reply(Reply.text(200, "yes")))
            .on("GET", "/query", x -> x.reply(Reply.text(200, x.query("wait").orElse("none"))))
            .on("POST", "/stream", HttpServerTest::count)
            .on("POST", "/wait", this::await)
            .on("POST", "/flood", this::flood)
            .on(
                "POST",
                "/fail-early",
                x -> {
                  x.events();
                  throw new Fault.Unavailable("nobody there").asException();
                })
            .on(
                "POST",
                "/fail-late",
                x -> {
                  x.events().data("first".getBytes(UTF_8));
                  throw new Fault.Internal("broke").asException();
                })
            .on(
                "POST",
                "/throw",
                _ -> {
                  throw new IllegalStateException("oops");
                });
    server =
        new HttpServer(
            config,
            routes,
            PLAIN,
            (route, status, _) -> log.add(route + " " + status),
            Clock.system());
  }

  private static void count(Exchange exchange) throws InterruptedException {
    exchange.answerHeader("x-known", "early");
    EventStream events = exchange.events();
    int n = Integer.parseInt(new String(exchange.body(), UTF_8));
    for (int i = 0; i < n; i++) {
      events.data(Integer.toString(i).getBytes(UTF_8));
    }
  }

  private void await(Exchange exchange) throws Exception {
    EventStream events = exchange.events();
    entered.countDown();
    try {
      goOn.get();
      events.data("went on".getBytes(UTF_8));
      ended.complete("went on");
    } catch (InterruptedException e) {
      ended.complete("interrupted");
      throw e;
    }
  }

  private void flood(Exchange exchange) throws InterruptedException {
    EventStream events = exchange.events();
    byte[] piece = new byte[64 << 10];
    long sent = 0;
    try {
      while (true) {
        events.data(piece);
        sent += piece.length;
      }
    } finally {
      ended.complete("gave up after " + sent);
    }
  }

  private String raw(String request) throws IOException {
    try (RawClient client = new RawClient(server.address())) {
      return client.say(request).rest();
    }
  }

  private HttpRequest post(String path, String body) {
    return HttpRequest.newBuilder(
            URI.create("http://127.0.0.1:" + server.address().getPort() + path))
        .POST(HttpRequest.BodyPublishers.ofString(body))
        .build();
  }

  private static HttpResponse.BodyHandler<String> text() {
    return HttpResponse.BodyHandlers.ofString();
  }
}
