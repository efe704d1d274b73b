package dev.sojourn.server.metrics;

import dev.sojourn.backend.Worker;
import dev.sojourn.core.LossCause;
import dev.sojourn.core.TurnMode;
import dev.sojourn.engine.EngineStats;
import dev.sojourn.router.Router;
import dev.sojourn.router.RouterStats;
import dev.sojourn.server.http.Reply;
import dev.sojourn.server.http.RequestLog;
import dev.sojourn.server.prompt.Transcripts;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.CounterWithCallback;
import io.prometheus.metrics.core.metrics.GaugeWithCallback;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.expositionformats.PrometheusTextFormatWriter;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.function.DoubleSupplier;
import java.util.function.ToDoubleFunction;

/**
 * All metrics of one gateway. What engines and router hold is read from them when it is asked for:
 * no count exists twice. Thread-safe.
 */
public final class GatewayMetrics implements RequestLog {

  private static final double NANOS = 1e-9;

  private final PrometheusRegistry registry = new PrometheusRegistry();
  private final List<Worker> workers;
  private final Router router;
  private final Counter requests;
  private final Counter renderedCharacters;
  private final Counter tokenisedCharacters;
  private final Histogram requestSeconds;
  private final Histogram firstTokenSeconds;
  private final Histogram nextTokenSeconds;
  private final Counter turns;
  private final Counter lostTokens;
  private final Counter repeatedTurns;

  /** Creates the metrics of these workers, their router and the transcripts of their sessions. */
  public GatewayMetrics(List<? extends Worker> workers, Router router, Transcripts transcripts) {
    this.workers = List.copyOf(workers);
    this.router = router;
    requests =
        Counter.builder()
            .name("sojourn_http_requests_total")
            .help("Requests answered, by route and status.")
            .labelNames("route", "status")
            .register(registry);
    renderedCharacters =
        Counter.builder()
            .name("sojourn_rendered_characters_total")
            .help("Characters that the chat template wrote for prompts.")
            .register(registry);
    tokenisedCharacters =
        Counter.builder()
            .name("sojourn_tokenised_characters_total")
            .help("Characters of prompts that were tokenised.")
            .register(registry);
    requestSeconds =
        histogram("sojourn_http_request_seconds", "From the last byte in to the last byte out.");
    firstTokenSeconds =
        histogram(
            "sojourn_time_to_first_token_seconds", "From a turn's beginning, queue included.");
    nextTokenSeconds =
        histogram("sojourn_inter_token_seconds", "Between two tokens of a turn, as they are read.");
    turns =
        Counter.builder()
            .name("sojourn_turns_total")
            .help("Turns answered, by what they did to their session.")
            .labelNames("mode")
            .register(registry);
    lostTokens =
        Counter.builder()
            .name("sojourn_lost_tokens_total")
            .help("Tokens that sessions had held, computed again or (diverged) given up, by cause.")
            .labelNames("cause")
            .register(registry);
    repeatedTurns =
        Counter.builder()
            .name("sojourn_repeated_turns_total")
            .help("Turns that were sent again and answered from memory.")
            .register(registry);
    registerRanks();
    registerRouter();
    gauge("sojourn_transcripts", "Transcripts held.", transcripts::size);
    gauge("sojourn_transcript_bytes", "About what transcripts take.", transcripts::bytes);
    counter(
        "process_cpu_seconds_total",
        "CPU time of the whole process.",
        call -> call.call(processCpuNanos() * NANOS));
  }

  @Override
  public void completed(String route, int status, long nanos) {
    requests.labelValues(route, Integer.toString(status)).inc();
    requestSeconds.observe(nanos * NANOS);
  }

  /** Tells what a prompt took: characters that its template wrote, and that were tokenised. */
  public void prompt(int rendered, int tokenised) {
    renderedCharacters.inc(rendered);
    tokenisedCharacters.inc(tokenised);
  }

  /** Tells that a turn's first token was there, so long after the turn was asked for. */
  public void firstToken(long nanos) {
    firstTokenSeconds.observe(nanos * NANOS);
  }

  /** Tells that another token was there, so long after the one before. */
  public void nextToken(long nanos) {
    nextTokenSeconds.observe(nanos * NANOS);
  }

  /** Tells that a turn was answered, and what of its session had to be computed again, and why. */
  public void turn(TurnMode mode, Map<LossCause, Integer> lost) {
    turns.labelValues(lower(mode)).inc();
    lost.forEach((cause, tokens) -> lostTokens.labelValues(lower(cause)).inc(tokens));
  }

  /** Tells that a turn was sent again and answered from memory. */
  public void repeatedTurn() {
    repeatedTurns.inc();
  }

  private static String lower(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT);
  }

  /**
   * Returns all metrics as a reply. They are written by a platform thread: the JDK's buffered
   * writers begin small on a virtual one, and grow to what each next piece needs, which here copied
   * some 9 MB a scrape.
   */
  public Reply scrape() {
    MetricSnapshots now = registry.scrape();
    return CompletableFuture.supplyAsync(() -> written(now)).join();
  }

  private static Reply written(MetricSnapshots metrics) {
    ByteArrayOutputStream text = new ByteArrayOutputStream();
    PrometheusTextFormatWriter writer = PrometheusTextFormatWriter.create();
    try {
      writer.write(text, metrics);
    } catch (IOException e) {
      throw new UncheckedIOException("writing to memory", e);
    }
    return new Reply(200, Map.of("content-type", writer.getContentType()), text.toByteArray());
  }

  private void registerRanks() {
    rankGauge("sojourn_kv_pages", "Pages of a rank's pool.", EngineStats::capacity);
    rankGauge("sojourn_kv_pages_free", "Pages that hold nothing.", EngineStats::free);
    rankGauge("sojourn_kv_pages_cached", "Pages that no session leases.", EngineStats::cached);
    rankGauge("sojourn_kv_pages_leased", "Pages that idle sessions lease.", EngineStats::leased);
    rankGauge("sojourn_kv_pages_in_use", "Pages that running turns use.", EngineStats::inUse);
    rankGauge("sojourn_engine_sessions", "Open sessions.", EngineStats::sessions);
    rankGauge("sojourn_engine_running_turns", "Turns in the batch.", EngineStats::running);
    rankGauge("sojourn_engine_waiting_turns", "Turns in the queue.", EngineStats::waiting);
    rankCounter("sojourn_engine_steps_total", "Steps run.", EngineStats::steps);
    rankCounter(
        "sojourn_engine_prompt_tokens_total",
        "Prompt tokens of started turns.",
        EngineStats::promptTokens);
    rankCounter(
        "sojourn_engine_reused_tokens_total",
        "Prompt tokens whose KV was there.",
        EngineStats::reusedTokens);
    rankCounter(
        "sojourn_engine_computed_tokens_total",
        "Tokens run through the model.",
        EngineStats::computedTokens);
    rankCounter(
        "sojourn_engine_sampled_tokens_total", "Tokens sampled.", EngineStats::sampledTokens);
    rankCounter("sojourn_kv_evicted_pages_total", "Pages evicted.", EngineStats::evictedPages);
    rankCounter(
        "sojourn_engine_retractions_total",
        "Turns that gave their pages back and were resumed.",
        EngineStats::retractions);
    rankCounter(
        "sojourn_recomputed_tokens_total",
        "Tokens computed again by turns that gave their pages back and were resumed.",
        EngineStats::recomputedTokens);
    rankCounter(
        "sojourn_engine_model_seconds_total",
        "Time inside the model runner.",
        stats -> stats.modelNanos() * NANOS);
    rankCounter(
        "sojourn_engine_model_cpu_seconds_total",
        "CPU time of the engine thread inside the model runner.",
        stats -> stats.modelCpuNanos() * NANOS);
    rankCounter(
        "sojourn_engine_cpu_seconds_total",
        "CPU time of the engine thread outside the model runner.",
        stats -> stats.engineCpuNanos() * NANOS);
  }

  private void registerRouter() {
    routerGauge(
        "sojourn_router_sessions",
        "Bindings with an engine session.",
        stats -> stats.engineBacked());
    routerGauge(
        "sojourn_router_affinities", "Bindings by affinity alone.", stats -> stats.routerOnly());
    routerGauge("sojourn_router_opening", "Bindings being opened.", stats -> stats.opening());
    routerGauge(
        "sojourn_router_waiting_turns",
        "Turns that wait for their session.",
        stats -> stats.waiting());
    routerGauge(
        "sojourn_router_leases",
        "Leases held.",
        stats -> stats.leasesTaken() - stats.leasesReturned());
    routerGauge(
        "sojourn_router_bookings",
        "Turns whose load is booked on a rank.",
        stats -> stats.bookings() - stats.bookingsReleased());
    routerGauge(
        "sojourn_router_tombstones",
        "Closes that no engine has answered yet.",
        stats -> stats.lifecycle().tombstones());
    routerCounter(
        "sojourn_router_completed_turns_total", "Turns answered.", RouterStats::completed);
    routerCounter(
        "sojourn_router_refused_turns_total",
        "Turns refused for what they asked.",
        RouterStats::refused);
    routerCounter("sojourn_router_failed_turns_total", "Turns that failed.", RouterStats::failed);
    routerCounter("sojourn_router_aborted_turns_total", "Turns given up.", RouterStats::aborted);
    routerCounter("sojourn_router_hits_total", "Turns at their session's rank.", RouterStats::hits);
    routerCounter("sojourn_router_moved_total", "Sessions that moved.", RouterStats::moved);
    routerCounter(
        "sojourn_router_broken_total", "Sessions whose rank was lost.", RouterStats::broken);
    routerCounter(
        "sojourn_router_expired_total", "Sessions ended by idling.", RouterStats::expired);
    routerCounter(
        "sojourn_router_home_overloaded_total",
        "Turns at their session's rank though that was overloaded.",
        RouterStats::homeOverloaded);
    routerCounter(
        "sojourn_router_learnt_total",
        "Engine sessions that were open before the router, and were bound by it.",
        stats -> stats.lifecycle().learnt());
    routerCounter(
        "sojourn_router_reaped_total",
        "Engine sessions that nobody bound, and that were closed.",
        stats -> stats.lifecycle().reaped());
  }

  private void rankGauge(String name, String help, ToDoubleFunction<EngineStats> value) {
    GaugeWithCallback.builder()
        .name(name)
        .help(help)
        .labelNames("worker", "rank")
        .callback(call -> eachRank(value, call::call))
        .register(registry);
  }

  private void rankCounter(String name, String help, ToDoubleFunction<EngineStats> value) {
    CounterWithCallback.builder()
        .name(name)
        .help(help)
        .labelNames("worker", "rank")
        .callback(call -> eachRank(value, call::call))
        .register(registry);
  }

  /** Takes a value with its labels. */
  private interface Sink {
    void take(double value, String... labels);
  }

  private void eachRank(ToDoubleFunction<EngineStats> value, Sink sink) {
    for (Worker worker : workers) {
      for (int rank = 0; rank < worker.ranks(); rank++) {
        double now = value.applyAsDouble(worker.stats(rank));
        sink.take(now, worker.id().name(), Integer.toString(rank));
      }
    }
  }

  private void routerGauge(String name, String help, ToDoubleFunction<RouterStats> value) {
    gauge(name, help, () -> value.applyAsDouble(router.stats()));
  }

  private void gauge(String name, String help, DoubleSupplier value) {
    GaugeWithCallback.builder()
        .name(name)
        .help(help)
        .callback(call -> call.call(value.getAsDouble()))
        .register(registry);
  }

  private void routerCounter(String name, String help, ToDoubleFunction<RouterStats> value) {
    counter(name, help, call -> call.call(value.applyAsDouble(router.stats())));
  }

  private void counter(String name, String help, Consumer<CounterWithCallback.Callback> callback) {
    CounterWithCallback.builder().name(name).help(help).callback(callback).register(registry);
  }

  private Histogram histogram(String name, String help) {
    return Histogram.builder()
        .name(name)
        .help(help)
        .classicUpperBounds(
            0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300)
        .classicOnly()
        .register(registry);
  }

  private static long processCpuNanos() {
    return ManagementFactory.getOperatingSystemMXBean()
            instanceof com.sun.management.OperatingSystemMXBean system
        ? system.getProcessCpuTime()
        : 0;
  }
}
