package dev.sojourn.bench.engine;

import dev.sojourn.bench.GatewayClient;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * What {@link EngineBench} measured.
 *
 * @param model the file's name
 * @param threads of each side
 * @param machine what the machine can do at most
 * @param starts what each side's start took; our own side is first
 * @param rows what was measured of each point, in the order of the sides
 */
public record EngineReport(
    String model, int threads, Machine machine, List<Start> starts, List<Row> rows) {

  public EngineReport {
    starts = List.copyOf(starts);
    rows = List.copyOf(rows);
  }

  /**
   * What the machine can do with as many threads as a side has.
   *
   * @param readSpeed bytes of memory read per second
   * @param fmaSpeed floating-point operations per second
   */
  public record Machine(double readSpeed, double fmaSpeed) {}

  /**
   * How a side started.
   *
   * @param setup how it said it is set up
   * @param loadMillis from the start of its process until the model was in memory
   * @param readyMillis until everything had run once
   * @param loadedBytes the most memory until then, where the system tells
   * @param peakBytes the most memory in the whole run
   */
  public record Start(
      String side,
      String setup,
      Result loadMillis,
      Result readyMillis,
      OptionalLong loadedBytes,
      OptionalLong peakBytes) {}

  /**
   * A point.
   *
   * @param limit tokens per second that the machine would allow our engine
   * @param results tokens per second of each side
   */
  public record Row(Point point, double limit, List<Result> results) {

    public Row {
      results = List.copyOf(results);
    }

    /** Returns how many times as fast as another side ours is. */
    public OptionalDouble ratio(int side) {
      return results.getFirst() instanceof Measured ours && results.get(side) instanceof Measured it
          ? OptionalDouble.of(ours.median() / it.median())
          : OptionalDouble.empty();
    }

    /** Returns which share of its limit our engine reaches. */
    public OptionalDouble share() {
      return results.getFirst() instanceof Measured ours
          ? OptionalDouble.of(ours.median() / limit)
          : OptionalDouble.empty();
    }
  }

  /** What came of measuring. Shares and ratios are of what was {@link Measured}. */
  public sealed interface Result {}

  /** The values of the rounds, in their order; at least one. */
  public record Measured(List<Double> rounds) implements Result {

    public Measured {
      rounds = List.copyOf(rounds);
      if (rounds.isEmpty()) {
        throw new IllegalArgumentException("at least one round");
      }
    }

    /** Returns the median; of two in the middle, their mean. */
    public double median() {
      double[] sorted = sorted();
      int middle = sorted.length / 2;
      return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

    /** Returns the smallest. */
    public double least() {
      return sorted()[0];
    }

    /** Returns the largest. */
    public double most() {
      return sorted()[rounds.size() - 1];
    }

    private double[] sorted() {
      double[] sorted = rounds.stream().mapToDouble(round -> round).toArray();
      Arrays.sort(sorted);
      return sorted;
    }
  }

  /**
   * There was time for one round alone, which warms up and does not count.
   *
   * @param speed of that round, most likely too low
   */
  public record Cold(double speed) implements Result {}

  /** Nothing was measured, and this is why. */
  public record Missing(String why) implements Result {}

  /** Returns everything measured, as JSON. */
  public ObjectNode json() {
    ObjectNode json = GatewayClient.object();
    json.put("model", model).put("threads", threads);
    ObjectNode fastest = json.putObject("machine");
    fastest.put("read_bytes_per_second", machine.readSpeed());
    fastest.put("fma_flop_per_second", machine.fmaSpeed());
    ArrayNode sides = json.putArray("sides");
    for (Start start : starts) {
      ObjectNode side = sides.addObject();
      side.put("name", start.side()).put("setup", start.setup());
      put(side.putObject("load_ms"), start.loadMillis());
      put(side.putObject("ready_ms"), start.readyMillis());
      start.loadedBytes().ifPresent(bytes -> side.put("loaded_peak_bytes", bytes));
      start.peakBytes().ifPresent(bytes -> side.put("peak_bytes", bytes));
    }
    ArrayNode points = json.putArray("points");
    for (Row row : rows) {
      ObjectNode point = points.addObject();
      switch (row.point()) {
        case Point.Prefill(int tokens) -> point.put("kind", "prefill").put("tokens", tokens);
        case Point.Decode(int batch, int context) ->
            point.put("kind", "decode").put("batch", batch).put("context", context);
      }
      row.share().ifPresent(share -> point.put("share_of_limit", share));
      ObjectNode results = point.putObject("tokens_per_second");
      ObjectNode ratios = point.putObject("ratio");
      for (int i = 0; i < starts.size(); i++) {
        String side = starts.get(i).side();
        put(results.putObject(side), row.results().get(i));
        if (i > 0) {
          row.ratio(i).ifPresent(ratio -> ratios.put(side, ratio));
        }
      }
    }
    return json;
  }

  private static void put(ObjectNode into, Result result) {
    switch (result) {
      case Missing(String why) -> into.put("missing", why);
      case Cold(double speed) -> into.put("cold", speed).putArray("rounds");
      case Measured measured -> {
        into.put("median", measured.median());
        into.put("min", measured.least()).put("max", measured.most());
        measured.rounds().forEach(into.putArray("rounds")::add);
      }
    }
  }
}
