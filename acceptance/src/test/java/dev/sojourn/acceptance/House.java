package dev.sojourn.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.bench.GatewayClient;
import dev.sojourn.bench.Metrics;
import dev.sojourn.core.Clock;
import dev.sojourn.engine.model.KvType;
import dev.sojourn.engine.model.LoadOptions;
import dev.sojourn.engine.model.LoadedModel;
import dev.sojourn.engine.model.ModelRunner;
import dev.sojourn.engine.weights.ModelFile;
import dev.sojourn.engine.weights.Progress;
import dev.sojourn.engine.weights.SyntheticModel;
import dev.sojourn.server.Gateway;
import dev.sojourn.server.GatewayConfig;
import dev.sojourn.server.ServedModel;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import java.util.function.UnaryOperator;

/**
 * The whole house on a free port: a gateway over real sockets, with the synthetic model on ranks of
 * its own.
 */
final class House implements AutoCloseable {

  static final String MODEL = "sojourn-tiny";

  private final LoadedModel loaded;
  private final Gateway gateway;
  private final GatewayClient client;

  private House(LoadedModel loaded, Gateway gateway) {
    this.loaded = loaded;
    this.gateway = gateway;
    this.client =
        new GatewayClient(
            URI.create("http://127.0.0.1:" + gateway.address().getPort()),
            Optional.empty(),
            Clock.system());
  }

  /** Starts it with a number of ranks of a number of pages each. */
  static House open(Path directory, int ranks, int pages) throws IOException {
    return open(directory, ranks, pages, 0);
  }

  /** Starts it on a port of its own choosing (0) or ours. */
  static House open(Path directory, int ranks, int pages, int port) throws IOException {
    return open(directory, ranks, pages, port, UnaryOperator.identity());
  }

  /** Starts one rank, whose runner is wrapped in one that fails when the test wants it. */
  static House open(Path directory, int pages, UnaryOperator<ModelRunner> faults)
      throws IOException {
    return open(directory, 1, pages, 0, faults);
  }

  private static House open(
      Path directory, int ranks, int pages, int port, UnaryOperator<ModelRunner> faults)
      throws IOException {
    Path path = directory.resolve(MODEL + ".gguf");
    SyntheticModel.write(path, SyntheticModel.Spec.small(), 1, Progress.NONE);
    return serve(path, MODEL, ranks, pages, port, faults);
  }

  /** Starts one rank of a model that is there. */
  static House serving(Path model, String name, int pages) throws IOException {
    return serve(model, name, 1, pages, 0, UnaryOperator.identity());
  }

  private static House serve(
      Path model, String name, int ranks, int pages, int port, UnaryOperator<ModelRunner> faults)
      throws IOException {
    try (ModelFile file = ModelFile.open(model)) {
      LoadedModel loaded =
          LoadedModel.load(
              file, new LoadOptions(2, OptionalInt.empty(), KvType.F32), Progress.NONE);
      List<ModelRunner> runners = new ArrayList<>();
      for (int rank = 0; rank < ranks; rank++) {
        runners.add(faults.apply(loaded.newRunner(pages)));
      }
      ServedModel served =
          new ServedModel(
              name, Instant.EPOCH, file.vocabulary(), file.chatTemplate().orElseThrow(), runners);
      GatewayConfig defaults = GatewayConfig.defaults();
      GatewayConfig config = defaults.withHttp(defaults.http().listeningOn("127.0.0.1", port));
      return new House(loaded, Gateway.start(config, served, Clock.system(), new Random(9)));
    }
  }

  /** Returns where it listens. */
  String url() {
    return client.base().toString();
  }

  int port() {
    return client.base().getPort();
  }

  GatewayClient client() {
    return client;
  }

  /** Checks that nobody holds anything: what {@code SESSIONS} calls invariant 7. */
  void assertNothingHeld() {
    Metrics metrics = client.metrics();
    assertThat(metrics.sum("sojourn_kv_pages_free") + metrics.sum("sojourn_kv_pages_cached"))
        .as("free and cached pages")
        .isEqualTo(metrics.sum("sojourn_kv_pages"));
    for (String gauge :
        List.of(
            "sojourn_kv_pages_leased",
            "sojourn_kv_pages_in_use",
            "sojourn_engine_sessions",
            "sojourn_engine_running_turns",
            "sojourn_engine_waiting_turns",
            "sojourn_router_sessions",
            "sojourn_router_opening",
            "sojourn_router_waiting_turns",
            "sojourn_router_leases",
            "sojourn_router_bookings")) {
      assertThat(metrics.has(gauge)).as(gauge).isTrue();
      assertThat(metrics.sum(gauge)).as(gauge).isZero();
    }
    client.get("/debug/check");
  }

  @Override
  public void close() {
    gateway.close();
    loaded.close();
  }
}
