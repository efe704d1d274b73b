package dev.sojourn.bench.engine;

import dev.sojourn.bench.engine.EngineReport.Cold;
import dev.sojourn.bench.engine.EngineReport.Machine;
import dev.sojourn.bench.engine.EngineReport.Measured;
import dev.sojourn.bench.engine.EngineReport.Missing;
import dev.sojourn.bench.engine.EngineReport.Result;
import dev.sojourn.bench.engine.EngineReport.Row;
import dev.sojourn.core.Clock;
import dev.sojourn.engine.model.LoadOptions;
import dev.sojourn.engine.weights.ModelFile;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * Measures {@linkplain Side sides} point by point. In each round of a point every side has its
 * turn, in an order that rotates, so that whatever else the machine does meets all of them alike; a
 * round before, which is not counted, warms the point up and tells how long it takes.
 *
 * <p>A side that crashes or hangs is named in the report, and the others go on without it. A point
 * that would take a side longer than the plan allows gets fewer rounds, or is left out; so that a
 * run ends in time, the points to come share what is left of it.
 *
 * @param model that all sides load, a file or a directory
 * @param options how our side loads it, and the threads that each side was told to compute with
 * @param sides whom to measure, ours first
 */
public record EngineBench(
    Path model, LoadOptions options, List<Side> sides, Plan plan, Clock clock) {

  public EngineBench {
    sides = List.copyOf(sides);
    if (sides.isEmpty()) {
      throw new IllegalArgumentException("at least one side");
    }
  }

  /**
   * What is measured.
   *
   * @param rounds of each point, at most
   * @param starts of each side's process
   * @param pointLimit the longest that a point may take a side, in all rounds
   * @param total what the run may take; the first round of a point that was begun may exceed it
   * @param patience the longest that one answer may take
   */
  public record Plan(
      List<Point> points,
      int rounds,
      int starts,
      Duration pointLimit,
      Duration total,
      Duration patience) {

    public Plan {
      points = List.copyOf(points);
      if (rounds < 1 || starts < 1) {
        throw new IllegalArgumentException(
            "at least one round and one start, not " + rounds + " and " + starts);
      }
    }

    /** Returns the points of these prompts, and of these contexts with each of these batches. */
    public static List<Point> points(
        List<Integer> prompts, List<Integer> contexts, List<Integer> batches) {
      Stream<Point> prefills = prompts.stream().map(Point.Prefill::new);
      Stream<Point> decodes =
          contexts.stream()
              .flatMap(context -> batches.stream().map(batch -> new Point.Decode(batch, context)));
      return Stream.concat(prefills, decodes).toList();
    }
  }

  /**
   * Runs it.
   *
   * @param machine what the machine can do at most
   * @param progress hears a line for a person after each start and point
   * @throws dev.sojourn.engine.weights.ModelFileException if the file is not a model
   */
  public EngineReport run(Machine machine, Consumer<String> progress) throws InterruptedException {
    long from = clock.nanos();
    ModelWork work;
    try (ModelFile file = ModelFile.open(model)) {
      work = ModelWork.of(file, options);
      readOnce(file.files());
    }
    List<Contestant> contestants =
        sides.stream().map(side -> new Contestant(side, plan, clock)).toList();
    try {
      start(contestants, progress);
      List<Row> rows = new ArrayList<>();
      for (Point point : plan.points()) {
        double seconds = (clock.nanos() - from) / 1e9;
        int turns = (plan.points().size() - rows.size()) * sides.size();
        double most = plan.pointLimit().toSeconds();
        double share = Math.min(most, (plan.total().toSeconds() - seconds) / turns);
        double limit = work.limit(point, machine.readSpeed(), machine.fmaSpeed());
        rows.add(new Row(point, limit, measure(contestants, point, share)));
        progress.accept(
            "%d of %d, after %.0f s, %s: %s"
                .formatted(
                    rows.size(),
                    plan.points().size(),
                    seconds,
                    point.label(),
                    words(rows.getLast().results())));
      }
      contestants.forEach(Contestant::close);
      return new EngineReport(
          String.valueOf(model.getFileName()),
          options.threads(),
          machine,
          contestants.stream().map(Contestant::startup).toList(),
          rows);
    } finally {
      contestants.forEach(Contestant::close);
    }
  }

  /** Brings the model into the system's cache, or the first side would pay for the disk. */
  private static void readOnce(List<Path> files) {
    for (Path file : files) {
      try {
        Files.copy(file, OutputStream.nullOutputStream());
      } catch (IOException e) {
        throw new UncheckedIOException(file + " cannot be read", e);
      }
    }
  }

  private void start(List<Contestant> contestants, Consumer<String> progress)
      throws InterruptedException {
    for (int i = 0; i < plan.starts(); i++) {
      for (Contestant contestant : contestants) {
        contestant.start();
        if (i == plan.starts() - 1) {
          Result ready = contestant.startup().readyMillis();
          progress.accept(
              "start: " + contestant.side().name() + " " + words(ready, "ready after %.0f ms"));
        }
      }
    }
  }

  private List<Result> measure(List<Contestant> contestants, Point point, double share)
      throws InterruptedException {
    for (Contestant contestant : contestants) {
      contestant.begin(point, share);
    }
    for (int round = 0; round < plan.rounds(); round++) {
      for (int i = 0; i < contestants.size(); i++) {
        contestants.get((round + i) % contestants.size()).round();
      }
    }
    return contestants.stream().map(Contestant::result).toList();
  }

  private String words(List<Result> results) {
    List<String> words = new ArrayList<>();
    for (int i = 0; i < results.size(); i++) {
      words.add(sides.get(i).name() + " " + words(results.get(i), "%.1f tokens/s"));
    }
    return String.join(", ", words);
  }

  private static String words(Result result, String format) {
    return switch (result) {
      case Measured it -> String.format(Locale.ROOT, format, it.median());
      case Cold(double speed) -> String.format(Locale.ROOT, format, speed) + " cold";
      case Missing(String why) -> "(" + why + ")";
    };
  }
}
