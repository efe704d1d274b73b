package dev.sojourn.server;

import dev.sojourn.core.Clock;
import dev.sojourn.engine.model.ModelRunner;
import dev.sojourn.server.http.HttpServer;
import dev.sojourn.server.http.Reply;
import dev.sojourn.server.http.Routes;
import dev.sojourn.server.openai.OpenAiErrors;
import java.io.IOException;
import java.net.InetSocketAddress;

/**
 * A gateway with embedded ranks: it owns the engines, the router and the server, and ends them in
 * the reverse order. Thread-safe.
 */
public final class Gateway implements AutoCloseable {

  private final GatewayConfig config;
  private final ServedModel model;
  private final HttpServer server;

  private Gateway(GatewayConfig config, ServedModel model, HttpServer server) {
    this.config = config;
    this.model = model;
    this.server = server;
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
    try {
      Routes routes = new Routes().on("GET", "/live", x -> x.reply(Reply.text(200, "live\n")));
      HttpServer server =
          new HttpServer(config.http(), routes, new OpenAiErrors(), (_, _, _) -> {}, clock);
      return new Gateway(config, model, server);
    } catch (IOException | RuntimeException | Error e) {
      model.runners().forEach(ModelRunner::close);
      throw e;
    }
  }

  /** Returns the address it listens on, with the port that was taken. */
  public InetSocketAddress address() {
    return server.address();
  }

  /** Drains as configured, then ends everything. */
  @Override
  public void close() {
    try {
      server.drain(config.drain());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    server.close();
    model.runners().forEach(ModelRunner::close);
  }
}
