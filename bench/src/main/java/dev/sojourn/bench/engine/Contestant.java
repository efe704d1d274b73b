package dev.sojourn.bench.engine;

import dev.sojourn.bench.engine.EngineReport.Cold;
import dev.sojourn.bench.engine.EngineReport.Measured;
import dev.sojourn.bench.engine.EngineReport.Missing;
import dev.sojourn.bench.engine.EngineReport.Result;
import dev.sojourn.bench.engine.EngineReport.Start;
import dev.sojourn.core.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * A side in the course of a run: its process while it lives, what it has shown so far, and the
 * point that it is at. Not thread-safe.
 */
final class Contestant implements AutoCloseable {

  private static final int WARM_STEPS = 2;
  private static final int LEAST_STEPS = 4;
  private static final int MOST_STEPS = 64;
  private static final double STEPS_SECONDS = 1; // that the steps of a round take together

  private final Side side;
  private final EngineBench.Plan plan;
  private final Clock clock;

  private final List<Double> loadMillis = new ArrayList<>();
  private final List<Double> readyMillis = new ArrayList<>();
  private String setup = "";
  private OptionalLong loadedBytes = OptionalLong.empty();
  private OptionalLong peakBytes = OptionalLong.empty();
  private @Nullable SideProcess process;
  private String fault = "was not started";

  private double promptSpeed; // tokens per second of the last prompt; 0 before the first

  private Point point = new Point.Prefill(1);
  private final List<Double> rounds = new ArrayList<>();
  private Optional<String> missing = Optional.empty();
  private double warm; // tokens per second of the round that does not count
  private int steps;
  private double share; // seconds that its rounds may take
  private double spent; // seconds, on this point
  private double last; // seconds that the last round took

  Contestant(Side side, EngineBench.Plan plan, Clock clock) {
    this.side = side;
    this.plan = plan;
    this.clock = clock;
  }

  Side side() {
    return side;
  }

  /** Starts the process, anew if it runs. */
  void start() throws InterruptedException {
    close();
    long from = clock.nanos();
    try {
      SideProcess started = new SideProcess(side, plan.patience());
      process = started;
      started.await("loaded");
      double loaded = (clock.nanos() - from) / 1e6;
      setup = started.await("ready");
      loadMillis.add(loaded);
      readyMillis.add((clock.nanos() - from) / 1e6);
      loadedBytes = started.peakBytes();
    } catch (SideException e) {
      fault = String.valueOf(e.getMessage());
      close();
    }
  }

  /**
   * Begins a point, with a round that warms up.
   *
   * @param seconds that its rounds may take; none are left if this is not positive
   */
  void begin(Point next, double seconds) throws InterruptedException {
    point = next;
    share = seconds;
    rounds.clear();
    spent = 0;
    steps = WARM_STEPS;
    double limit = plan.pointLimit().toSeconds();
    if (process == null) {
      missing = Optional.of(fault);
    } else if (share <= 0) {
      missing =
          Optional.of(
              "skipped: the run's %d minutes were over".formatted(plan.total().toMinutes()));
    } else if (predictedSeconds() > limit) {
      missing =
          Optional.of(
              "skipped: would take about %.0f s, and the limit is %.0f s"
                  .formatted(predictedSeconds(), limit));
    } else {
      missing = Optional.empty();
      warm = measure();
      if (point instanceof Point.Decode(int batch, _)) {
        steps = (int) Math.clamp(STEPS_SECONDS * warm / batch, LEAST_STEPS, MOST_STEPS);
      } else {
        promptSpeed = warm;
      }
    }
  }

  private double predictedSeconds() {
    int tokens =
        switch (point) {
          case Point.Prefill(int prompt) -> prompt;
          case Point.Decode(_, int context) -> side.computesContexts() ? context : 0;
        };
    return promptSpeed == 0 ? 0 : tokens / promptSpeed;
  }

  /** Measures the point once more, if there is time and it can be measured. */
  void round() throws InterruptedException {
    if (missing.isEmpty() && spent + last <= share) {
      rounds.add(measure());
    }
  }

  /** Returns the tokens per second of one round. */
  private double measure() throws InterruptedException {
    long from = clock.nanos();
    try {
      if (process == null) {
        throw SideException.ended(fault);
      }
      double seconds = process.millis(question()) / 1e3;
      return switch (point) {
        case Point.Prefill(int tokens) -> tokens / seconds;
        case Point.Decode(int batch, _) -> batch * steps / seconds;
      };
    } catch (SideException e) {
      note(e);
      missing = Optional.of(String.valueOf(e.getMessage()));
      return 0;
    } finally {
      last = (clock.nanos() - from) / 1e9;
      spent += last;
    }
  }

  private String question() {
    return switch (point) {
      case Point.Prefill(int tokens) -> "prefill " + tokens;
      case Point.Decode(int batch, int context) -> "decode " + batch + " " + context + " " + steps;
    };
  }

  private void note(SideException e) {
    if (e.ended()) {
      fault = String.valueOf(e.getMessage());
      close();
    }
  }

  /** Returns what came of the point. */
  Result result() {
    return missing
        .<Result>map(Missing::new)
        .orElseGet(() -> rounds.isEmpty() ? new Cold(warm) : new Measured(rounds));
  }

  /** Returns what its starts took; after {@link #close}, all the memory that it held. */
  Start startup() {
    boolean started = !loadMillis.isEmpty();
    return new Start(
        side.name(),
        setup,
        started ? new Measured(loadMillis) : new Missing(fault),
        started ? new Measured(readyMillis) : new Missing(fault),
        loadedBytes,
        peakBytes);
  }

  @Override
  public void close() {
    if (process != null) {
      peakBytes = process.peakBytes();
      process.close();
      process = null;
    }
  }
}
