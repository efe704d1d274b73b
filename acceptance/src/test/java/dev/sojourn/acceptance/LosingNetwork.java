package dev.sojourn.acceptance;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicBoolean;

/** Stands between a client and a house, and can lose an answer on its way back. */
final class LosingNetwork implements AutoCloseable {

  private final String behind;
  private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
  private final HttpClient http = HttpClient.newHttpClient();
  private final HttpServer server;
  private final AtomicBoolean loses = new AtomicBoolean();

  LosingNetwork(String behind) throws IOException {
    this.behind = behind;
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext("/", this::forward);
    server.setExecutor(threads);
    server.start();
  }

  String url() {
    return "http://127.0.0.1:" + server.getAddress().getPort();
  }

  /** Makes the next answer get lost; its request arrives, and is answered. */
  void loseNextAnswer() {
    loses.set(true);
  }

  /** Returns whether an answer is still to get lost. */
  boolean loses() {
    return loses.get();
  }

  private void forward(HttpExchange exchange) throws IOException {
    try (exchange) {
      HttpRequest request =
          HttpRequest.newBuilder(URI.create(behind + exchange.getRequestURI()))
              .header("Content-Type", "application/json")
              .method(
                  exchange.getRequestMethod(),
                  HttpRequest.BodyPublishers.ofByteArray(exchange.getRequestBody().readAllBytes()))
              .build();
      HttpResponse<byte[]> answer = http.send(request, HttpResponse.BodyHandlers.ofByteArray());
      if (loses.compareAndSet(true, false)) {
        return; // closes the connection
      }
      answer
          .headers()
          .firstValue("content-type")
          .ifPresent(type -> exchange.getResponseHeaders().add("Content-Type", type));
      exchange.sendResponseHeaders(answer.statusCode(), answer.body().length);
      exchange.getResponseBody().write(answer.body());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() {
    server.stop(0);
    threads.close();
    http.close();
  }
}
