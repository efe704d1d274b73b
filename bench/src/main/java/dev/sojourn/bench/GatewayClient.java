package dev.sojourn.bench;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.sojourn.core.Clock;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.UnknownHostException;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.MissingNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * A small client of a gateway, in plain HTTP/1.1 with connections kept alive.
 *
 * <p>It runs wholly on the caller's thread, so that a workload can tell the client's CPU time from
 * the server's: that is why it stands on {@link HttpURLConnection} and not on the JDK's newer
 * client, which has threads of its own. Safe for use by several threads.
 */
public final class GatewayClient {

  private static final JsonMapper JSON = JsonMapper.shared();
  private static final int CONNECT_MILLIS = 5_000;
  private static final int READ_MILLIS = 600_000; // the OpenAI clients' own

  private final URI base;
  private final Optional<String> apiKey;
  private final Clock clock;

  /**
   * Creates a client.
   *
   * @param base where the gateway listens, such as {@code http://127.0.0.1:8000}
   * @param apiKey the key to send, if any
   * @param clock what durations are measured by
   * @throws IllegalArgumentException if {@code base} is not the address of an HTTP server
   */
  public GatewayClient(URI base, Optional<String> apiKey, Clock clock) {
    if (base.getHost() == null
        || base.getPort() > 65_535
        || !("http".equals(base.getScheme()) || "https".equals(base.getScheme()))) {
      throw new IllegalArgumentException(
          "'" + base + "' is not the address of a gateway, such as http://127.0.0.1:8000");
    }
    this.base = base;
    this.apiKey = apiKey;
    this.clock = clock;
  }

  /** Returns the address. */
  public URI base() {
    return base;
  }

  /** Returns an empty JSON object to fill. */
  public static ObjectNode object() {
    return JSON.createObjectNode();
  }

  /** Returns the JSON document at a path such as {@code /v1/sessions}. */
  public JsonNode get(String path) {
    return json(path, text("GET", path));
  }

  /** Deletes what is at a path, and returns the answer. */
  public JsonNode delete(String path) {
    return json(path, text("DELETE", path));
  }

  /** Returns the gateway's metrics. */
  public Metrics metrics() {
    return Metrics.parse(text("GET", "/metrics"));
  }

  /** Returns the name of the first model that is served. */
  public String model() {
    JsonNode first = get("/v1/models").path("data").path(0).path("id");
    if (!first.isString()) {
      throw new GatewayException(0, base + " serves no model");
    }
    return first.stringValue();
  }

  /** Sends a request without a stream, and returns the answer. */
  public JsonNode post(String path, ObjectNode body) {
    return send("POST", path, body);
  }

  /** Puts something at a path, and returns the answer. */
  public JsonNode put(String path, ObjectNode body) {
    return send("PUT", path, body);
  }

  private JsonNode send(String method, String path, ObjectNode body) {
    try {
      HttpURLConnection connection = connect(method, path);
      send(connection, body);
      try (InputStream in = answer(connection)) {
        return json(path, new String(in.readAllBytes(), UTF_8));
      }
    } catch (IOException e) {
      throw unreachable(e);
    }
  }

  /**
   * Runs one streamed turn and reads it to its end.
   *
   * @param path {@code /v1/chat/completions} or {@code /v1/completions}
   * @param body the request; {@code stream} and {@code stream_options} are set here
   * @throws GatewayException if it was refused, or failed on the way
   */
  public Answer stream(String path, ObjectNode body) {
    return stream(path, body, Map.of());
  }

  /** As {@link #stream(String, ObjectNode)}, with more headers. */
  public Answer stream(String path, ObjectNode body, Map<String, String> headers) {
    body.put("stream", true).putObject("stream_options").put("include_usage", true);
    long start = clock.nanos();
    try {
      HttpURLConnection connection = connect("POST", path);
      headers.forEach(connection::setRequestProperty);
      send(connection, body);
      try (BufferedReader lines =
          new BufferedReader(new InputStreamReader(answer(connection), UTF_8))) {
        return read(lines, start);
      }
    } catch (IOException e) {
      throw unreachable(e);
    }
  }

  private Answer read(BufferedReader lines, long start) throws IOException {
    StringBuilder text = new StringBuilder();
    String finishReason = "";
    JsonNode usage = MissingNode.getInstance();
    JsonNode nvext = MissingNode.getInstance();
    long firstToken = -1;
    boolean done = false;
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      if (!line.startsWith("data: ")) {
        continue; // an empty line or a comment
      }
      String data = line.substring("data: ".length());
      if (data.equals("[DONE]")) {
        done = true;
        continue; // on to the end of the body, so that the connection can be used again
      }
      JsonNode chunk = JSON.readTree(data);
      if (chunk.has("error")) {
        throw new GatewayException(200, chunk.path("error").path("message").asString("failed"));
      }
      JsonNode choice = chunk.path("choices").path(0);
      String piece =
          choice.path("delta").path("content").asString(choice.path("text").asString(""));
      if (!piece.isEmpty() && firstToken < 0) {
        firstToken = clock.nanos() - start;
      }
      text.append(piece);
      finishReason = choice.path("finish_reason").asString(finishReason);
      usage = chunk.path("usage").isObject() ? chunk.path("usage") : usage;
      nvext = chunk.path("nvext").isObject() ? chunk.path("nvext") : nvext;
    }
    long nanos = clock.nanos() - start;
    if (!done) {
      throw new GatewayException(200, "the stream ended without [DONE]");
    }
    return new Answer(
        text.toString(), finishReason, usage, nvext, firstToken < 0 ? nanos : firstToken, nanos);
  }

  private String text(String method, String path) {
    try (InputStream in = answer(connect(method, path))) {
      return new String(in.readAllBytes(), UTF_8);
    } catch (IOException e) {
      throw unreachable(e);
    }
  }

  private HttpURLConnection connect(String method, String path) throws IOException {
    HttpURLConnection connection = (HttpURLConnection) base.resolve(path).toURL().openConnection();
    connection.setRequestMethod(method);
    connection.setConnectTimeout(CONNECT_MILLIS);
    connection.setReadTimeout(READ_MILLIS);
    connection.setInstanceFollowRedirects(false);
    apiKey.ifPresent(key -> connection.setRequestProperty("Authorization", "Bearer " + key));
    return connection;
  }

  private static void send(HttpURLConnection connection, ObjectNode body) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    JSON.writeValue(bytes, body);
    connection.setDoOutput(true);
    connection.setRequestProperty("Content-Type", "application/json");
    connection.setFixedLengthStreamingMode(bytes.size()); // also keeps the JDK from sending twice
    try (OutputStream out = connection.getOutputStream()) {
      bytes.writeTo(out);
    }
  }

  private static InputStream answer(HttpURLConnection connection) throws IOException {
    int status = connection.getResponseCode();
    if (status < 300) {
      return connection.getInputStream();
    }
    String body = "";
    try (@Nullable InputStream error = connection.getErrorStream()) {
      if (error != null) {
        body = new String(error.readAllBytes(), UTF_8);
      }
    }
    throw new GatewayException(status, message(status, body));
  }

  private static String message(int status, String body) {
    try {
      return JSON.readTree(body).path("error").path("message").asString("HTTP status " + status);
    } catch (JacksonException e) {
      return "HTTP status " + status;
    }
  }

  private JsonNode json(String path, String text) {
    try {
      return JSON.readTree(text);
    } catch (JacksonException e) {
      throw new GatewayException(0, base.resolve(path) + " does not answer in JSON");
    }
  }

  private GatewayException unreachable(IOException e) {
    String why =
        e instanceof UnknownHostException
            ? "there is no such host"
            : e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
    return new GatewayException(
        0, "no gateway answers at " + base + " (" + why + "); is 'sojourn serve' running there?");
  }
}
