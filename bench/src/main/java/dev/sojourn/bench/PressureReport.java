package dev.sojourn.bench;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * What {@link PressureBench} measured.
 *
 * @param model which model answered
 * @param scale how long the prompts were
 * @param pages of the pool
 * @param ways what happened in each way
 */
public record PressureReport(String model, double scale, int pages, Map<PressureWay, Run> ways) {

  public PressureReport {
    ways = new TreeMap<>(ways);
  }

  /**
   * A turn of the main agent.
   *
   * @param prompt tokens of the whole context
   * @param cached of them, tokens that were not computed again
   * @param recomputed tokens that it had computed in an earlier turn and had to compute again
   * @param firstToken milliseconds from the request's first byte to its first text
   * @param latency milliseconds to the end of its stream
   */
  public record MainTurn(
      int prompt, int cached, int recomputed, double firstToken, double latency) {}

  /**
   * A subagent at its end.
   *
   * @param turns that it took
   * @param peakPages the most pages that its context took
   * @param returnedPages how many more pages were free after its close than before
   */
  public record Subagent(int turns, int peakPages, int returnedPages) {}

  /**
   * What one way came to.
   *
   * @param main the main agent's turns
   * @param subagents in the order in which they ended
   * @param use share of the pool's pages that hold something, after each turn of anybody
   * @param seconds from the first turn to the end of the last
   * @param mainPages the most pages that the main agent's context took
   * @param evictedPages pages evicted to make room
   * @param retractions turns that had to begin anew
   * @param answers all answers, in order
   */
  public record Run(
      List<MainTurn> main,
      List<Subagent> subagents,
      List<Double> use,
      double seconds,
      int mainPages,
      long evictedPages,
      long retractions,
      List<String> answers) {

    public Run {
      main = List.copyOf(main);
      subagents = List.copyOf(subagents);
      use = List.copyOf(use);
      answers = List.copyOf(answers);
    }

    /** Returns the tokens that the main agent computed more than once. */
    public int recomputed() {
      return main.stream().mapToInt(MainTurn::recomputed).sum();
    }

    /** Returns the share of the subagents' peak pages that their closes gave back. */
    public double returnedShare() {
      int peak = subagents.stream().mapToInt(Subagent::peakPages).sum();
      int returned = subagents.stream().mapToInt(Subagent::returnedPages).sum();
      return peak == 0 ? 0 : (double) returned / peak;
    }

    /**
     * Returns the size of a pool that holds the main agent and half of what the subagents need: too
     * small for all, in pages.
     */
    public int pagesUnderPressure() {
      return mainPages + subagents.stream().mapToInt(Subagent::peakPages).sum() / 2;
    }
  }

  /**
   * Returns whether the ways with sessions answered the same, and those without; anything else is a
   * fault of the engine. Between the two, answers may differ: a session goes on with the tokens
   * that were sampled, a request without one with those that its text is spelled with.
   */
  public boolean answersAreEqual() {
    return Stream.of(true, false)
        .allMatch(sessions ->
            ways.entrySet().stream()
                    .filter(way -> way.getKey().hasSessions() == sessions)
                    .map(way -> way.getValue().answers())
                    .distinct()
                    .count()
                <= 1);
  }

  /** Returns everything measured, as JSON. */
  public ObjectNode json() {
    ObjectNode json = GatewayClient.object();
    json.put("model", model).put("scale", scale).put("pages", pages);
    json.put("turns", PressureBench.turns()).put("answers_equal", answersAreEqual());
    ObjectNode object = json.putObject("ways");
    ways.forEach((way, run) -> put(object.putObject(way.name().toLowerCase(Locale.ROOT)), run));
    return json;
  }

  private static void put(ObjectNode into, Run run) {
    into.put("recomputed_tokens", run.recomputed()).put("returned_share", run.returnedShare());
    into.put("seconds", run.seconds()).put("main_pages", run.mainPages());
    into.put("evicted_pages", run.evictedPages()).put("retractions", run.retractions());
    ArrayNode main = into.putArray("main");
    run.main()
        .forEach(turn ->
            main.addObject()
                .put("prompt_tokens", turn.prompt())
                .put("cached_tokens", turn.cached())
                .put("recomputed_tokens", turn.recomputed())
                .put("first_token_ms", turn.firstToken())
                .put("latency_ms", turn.latency()));
    ArrayNode subagents = into.putArray("subagents");
    run.subagents()
        .forEach(subagent ->
            subagents
                .addObject()
                .put("turns", subagent.turns())
                .put("peak_pages", subagent.peakPages())
                .put("returned_pages", subagent.returnedPages()));
    ArrayNode use = into.putArray("use");
    run.use().forEach(use::add);
  }
}
