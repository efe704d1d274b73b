package dev.sojourn.acceptance;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Everything that a client can do wrong, again and again: each gets its own clear error, and at the
 * end nobody holds anything.
 */
class BadInputTest {

  private static final int ROUNDS = 1_000;
  private static final int CLIENTS = 4;
  private static final String CHAT = "/v1/chat/completions";

  @TempDir Path directory;

  /** A request, the status it gets, and what the message says. */
  private record Bad(
      String path, Map<String, String> headers, String body, int status, String says) {

    static Bad chat(String body, int status, String says) {
      return new Bad(CHAT, Map.of(), body, status, says);
    }
  }

  private static final String HELLO = "\"messages\": [{\"role\": \"user\", \"content\": \"hi\"}]";

  private static final List<Bad> BAD =
      List.of(
          Bad.chat("{\"model\": ", 400, "JSON"),
          Bad.chat("[]", 400, "object"),
          Bad.chat("{\"model\": \"other\", " + HELLO + "}", 404, "other"),
          chat("\"messages\": []", 400, "messages"),
          chat("\"messages\": [{\"role\": \"king\", \"content\": \"hi\"}]", 400, "king"),
          chat(HELLO + ", \"max_tokens\": 0", 400, "max_tokens"),
          chat(HELLO + ", \"temperature\": \"hot\"", 400, "temperature"),
          chat(HELLO + ", \"tools\": [{\"type\": \"function\"}]", 400, "tools"),
          chat(
              HELLO + ", \"response_format\": {\"type\": \"json_object\"}", 400, "response_format"),
          session("\"session_id\": \"s\", \"action\": \"leap\"", 400, "leap"),
          session("\"session_id\": \"" + "x".repeat(257) + "\", \"action\": \"open\"", 400, "256"),
          session("\"session_id\": \"\", \"action\": \"open\"", 400, "session"),
          session("\"session_id\": \"s\", \"action\": \"open\", \"timeout\": 0", 400, "timeout"),
          session("\"session_id\": \"never\", \"input\": \"delta\"", 404, "never"),
          session("\"session_id\": \"s\", \"action\": \"open\"", ", \"n\": 2", 400, "n"),
          new Bad(
              CHAT,
              Map.of("x-dynamo-session-id", "other"),
              body(HELLO + ", \"nvext\": {\"session_control\": {\"session_id\": \"s\"}}"),
              400,
              "session"),
          Bad.chat(
              "{\"model\": \"%s\", \"messages\": [{\"role\": \"user\", \"content\": \"%s\"}]}"
                  .formatted(House.MODEL, "7 ".repeat(40_000)),
              400,
              "32768"),
          new Bad("/v1/completions", Map.of(), body("\"prompt\": [999999]"), 400, "999999"),
          new Bad("/v1/nothing", Map.of(), "{}", 404, "/v1/nothing"));

  private static Bad chat(String fields, int status, String says) {
    return Bad.chat(body(fields), status, says);
  }

  private static Bad session(String control, int status, String says) {
    return session(control, "", status, says);
  }

  private static Bad session(String control, String more, int status, String says) {
    return chat(
        HELLO + ", \"nvext\": {\"session_control\": {" + control + "}}" + more, status, says);
  }

  private static String body(String fields) {
    return "{\"model\": \"" + House.MODEL + "\", \"max_tokens\": 4, " + fields + "}";
  }

  @Test
  void badRequestsAndHangUps_aThousandTimes_leaveNothingBehind() throws Exception {
    try (House house = House.open(directory, 2, 4096);
        HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
        ExecutorService threads = Executors.newFixedThreadPool(CLIENTS)) {
      List<Callable<Integer>> clients = new ArrayList<>();
      for (int i = 0; i < CLIENTS; i++) {
        clients.add(() -> misbehave(house, http, ROUNDS / CLIENTS));
      }
      int done = 0;
      for (Future<Integer> client : threads.invokeAll(clients)) {
        done += client.get();
      }
      assertThat(done).isEqualTo(ROUNDS);
      Eventually.passes(house::assertNothingHeld);
    }
  }

  private static int misbehave(House house, HttpClient http, int rounds) throws Exception {
    for (int round = 0; round < rounds; round++) {
      // The long prompt is two orders of magnitude more work than the others: now and then.
      for (Bad bad : BAD) {
        if (bad.body().length() < 10_000 || round % 50 == 0) {
          assertRefused(house, http, bad);
        }
      }
      hangUp(house, round);
    }
    return rounds;
  }

  private static void assertRefused(House house, HttpClient http, Bad bad) throws Exception {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(URI.create(house.url() + bad.path()))
            .POST(HttpRequest.BodyPublishers.ofString(bad.body()));
    bad.headers().forEach(request::header);
    HttpResponse<String> response =
        http.send(request.build(), HttpResponse.BodyHandlers.ofString(UTF_8));
    String about = bad.body().substring(0, Math.min(200, bad.body().length()));
    assertThat(response.statusCode()).as(about + " → " + response.body()).isEqualTo(bad.status());
    JsonNode error = JsonMapper.shared().readTree(response.body()).path("error");
    assertThat(error.path("message").asString(""))
        .as(about)
        .containsIgnoringCase(bad.says())
        .doesNotContain("Exception");
  }

  /** Opens a session with a streamed turn, and leaves at another moment each round. */
  private static void hangUp(House house, int round) throws IOException {
    String body =
        body(
            HELLO
                + ", \"stream\": true, \"nvext\": {\"session_control\": {\"action\": \"open\","
                + " \"timeout\": 1, \"session_id\": \"gone-"
                + Thread.currentThread().threadId()
                + "-"
                + round
                + "\"}}");
    String request =
        "POST "
            + CHAT
            + " HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
            + "Content-Length: "
            + body.getBytes(UTF_8).length
            + "\r\n\r\n"
            + body;
    byte[] bytes = request.getBytes(UTF_8);
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), house.port())) {
      int sent = round % 4 == 0 ? bytes.length / 2 : bytes.length;
      socket.getOutputStream().write(bytes, 0, sent);
      socket.getOutputStream().flush();
      InputStream in = socket.getInputStream();
      for (int read = 0; read < round % 4 * 100 && sent == bytes.length; read++) {
        if (in.read() < 0) {
          break;
        }
      }
    }
  }
}
