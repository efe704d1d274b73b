package dev.sojourn.bench;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.ToDoubleFunction;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * What {@link TurnsBench} measured.
 *
 * @param sessions conversations of each way
 * @param model which model answered
 * @param ways what each way took, turn by turn
 * @param stops of all threads of the gateway's process, where it is this one; otherwise none
 */
public record TurnsReport(int sessions, String model, Map<Way, List<Turn>> ways, List<Stop> stops) {

  /** How many turns at the beginning and at the end are reported by themselves. */
  public static final int WINDOW = 10;

  public TurnsReport {
    ways = new TreeMap<>(ways);
    stops = List.copyOf(stops);
  }

  /**
   * One turn: means over the conversations that took it, times in milliseconds.
   *
   * @param latency from a request's first byte to the end of its stream
   * @param firstToken from a request's first byte to its first text
   * @param cpuOutside CPU time outside the model
   * @param prompt tokens of the whole context
   * @param cached of them, tokens that were not computed again
   * @param completion tokens answered
   */
  public record Turn(
      double latency,
      double firstToken,
      double cpuOutside,
      double prompt,
      double cached,
      double completion) {

    static Turn of(List<Answer> answers, double cpuNanos) {
      return new Turn(
          average(answers, answer -> answer.nanos() / 1e6),
          average(answers, answer -> answer.firstTokenNanos() / 1e6),
          cpuNanos / 1e6,
          average(answers, Answer::promptTokens),
          average(answers, Answer::cachedTokens),
          average(answers, Answer::completionTokens));
    }
  }

  /** Returns the number of turns of each conversation. */
  public int turns() {
    return ways.values().stream().mapToInt(List::size).max().orElse(0);
  }

  /** Returns the mean of a value over these turns. */
  public static double mean(List<Turn> turns, ToDoubleFunction<Turn> value) {
    return average(turns, value);
  }

  /** Returns the mean of a value over the first {@link #WINDOW} of these turns. */
  public static double first(List<Turn> turns, ToDoubleFunction<Turn> value) {
    return average(turns.subList(0, Math.min(WINDOW, turns.size())), value);
  }

  /**
   * Returns the mean of a value over the {@link #WINDOW} turns around the tenth, from the sixth.
   */
  public static double aroundTenth(List<Turn> turns, ToDoubleFunction<Turn> value) {
    int from = Math.min(WINDOW / 2, Math.max(0, turns.size() - WINDOW));
    return average(turns.subList(from, Math.min(from + WINDOW, turns.size())), value);
  }

  /**
   * Returns how many times the value around the tenth turn the last turns take: 1 where a turn
   * costs the same however many came before it; 0 if nothing was measured.
   */
  public static double growth(List<Turn> turns, ToDoubleFunction<Turn> value) {
    double early = aroundTenth(turns, value);
    return early == 0 ? 0 : last(turns, value) / early;
  }

  /** Returns the mean of a value over the last {@link #WINDOW} of these turns. */
  public static double last(List<Turn> turns, ToDoubleFunction<Turn> value) {
    return average(turns.subList(Math.max(0, turns.size() - WINDOW), turns.size()), value);
  }

  /** Returns everything measured, as JSON. */
  public ObjectNode json() {
    ObjectNode json = GatewayClient.object();
    json.put("sessions", sessions).put("turns", turns()).put("model", model);
    json.put("tokens_in", TurnsBench.TOKENS_IN).put("tokens_out", TurnsBench.TOKENS_OUT);
    json.put("unit", "milliseconds and tokens of a turn, means over the sessions");
    ObjectNode object = json.putObject("ways");
    ways.forEach((way, turns) -> {
      ObjectNode one = object.putObject(way.name().toLowerCase(Locale.ROOT));
      put(one, "latency", turns, Turn::latency);
      put(one, "first_token", turns, Turn::firstToken);
      put(one, "cpu_outside_model", turns, Turn::cpuOutside);
      put(one, "prompt_tokens", turns, Turn::prompt);
      put(one, "cached_tokens", turns, Turn::cached);
      put(one, "completion_tokens", turns, Turn::completion);
    });
    if (!stops.isEmpty()) {
      ObjectNode all = json.putObject("stops_ms");
      put(all.putObject("collector"), collections());
      put(all.putObject("other"), otherStops());
    }
    return json;
  }

  /** Returns the milliseconds of the stops for the garbage collector, shortest first. */
  public double[] collections() {
    return millis(true);
  }

  /** Returns the milliseconds of all other stops, shortest first. */
  public double[] otherStops() {
    return millis(false);
  }

  private double[] millis(boolean ofCollector) {
    return stops.stream()
        .filter(stop -> stop.ofCollector() == ofCollector)
        .mapToDouble(Stop::millis)
        .sorted()
        .toArray();
  }

  /** Returns the value below which a share of these lies, which are sorted; 0 of none. */
  public static double quantile(double[] sorted, double share) {
    return sorted.length == 0 ? 0 : sorted[(int) Math.ceil(share * sorted.length) - 1];
  }

  private static void put(ObjectNode into, double[] sorted) {
    into.put("count", sorted.length).put("p50", quantile(sorted, 0.5));
    into.put("p99", quantile(sorted, 0.99)).put("max", quantile(sorted, 1));
  }

  private static void put(
      ObjectNode into, String name, List<Turn> turns, ToDoubleFunction<Turn> value) {
    ObjectNode object = into.putObject(name);
    object.put("mean", mean(turns, value));
    object.put("first_ten", first(turns, value)).put("last_ten", last(turns, value));
    object.put("around_tenth", aroundTenth(turns, value)).put("growth", growth(turns, value));
    ArrayNode all = object.putArray("turns");
    turns.forEach(turn -> all.add(value.applyAsDouble(turn)));
  }

  private static <T> double average(List<T> list, ToDoubleFunction<T> value) {
    return list.stream().mapToDouble(value).average().orElse(0);
  }
}
