package dev.sojourn.bench;

import dev.sojourn.core.BlockHasher;
import dev.sojourn.core.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.IntConsumer;

/**
 * A main agent waits for five subagents in a pool that is too small for all of them.
 *
 * <p>The script is the same for each {@linkplain PressureWay way}, one turn after the other: the
 * main agent's first turn, with a long prompt; then the subagents' turns, round robin, each with a
 * system message and a conversation of its own; the main agent's second turn when the third of them
 * has ended, and its third turn when all have. Every prompt holds the whole conversation. All that
 * is said is digits, a token each in the vocabularies of our models.
 *
 * <p>A gateway serves one run: what is measured is what its empty pool becomes.
 *
 * @param client the gateway, which serves nobody else
 * @param model which model to ask
 * @param way how the agents live
 * @param scale how long the prompts are, where 1 is a main prompt of {@link #MAIN_IN} tokens
 * @param clock what the whole run is measured by
 * @param seed of the digits
 */
public record PressureBench(
    GatewayClient client, String model, PressureWay way, double scale, Clock clock, long seed) {

  /** Tokens of the main agent's first prompt. */
  public static final int MAIN_IN = 1200;

  /** Tokens of a subagent's system message. */
  public static final int SYSTEM = 64;

  /** Tokens that every other turn says. */
  public static final int IN = 48;

  /** Tokens that a turn answers. */
  public static final int OUT = 16;

  /** Turns of each subagent. */
  public static final List<Integer> TURNS = List.of(9, 11, 12, 13, 15);

  /** The subagents that have ended when the main agent takes its second turn. */
  private static final int ENDED_BEFORE_SECOND = 3;

  private static final String MAIN = "main";
  private static final int MAIN_PRIORITY = 50;
  private static final int SUBAGENT_PRIORITY = 1;

  /** Returns the number of turns of all agents. */
  public static int turns() {
    return TURNS.stream().mapToInt(Integer::intValue).sum() + 3;
  }

  /** Returns how many tokens all contexts have together at most, with their templates. */
  public static int tokens(double scale) {
    return (int) (2 * scale * MAIN_IN) + (int) ((2 * scale * (IN + SYSTEM) + 64) * turns());
  }

  /** Returns how many pages hold so many tokens. */
  static int pages(int tokens) {
    return (tokens + BlockHasher.BLOCK - 1) / BlockHasher.BLOCK;
  }

  /**
   * Runs it.
   *
   * @param progress hears the number of each turn that has ended
   * @throws GatewayException if the gateway fails a turn
   */
  public PressureReport.Run run(IntConsumer progress) {
    return new Script(progress).play();
  }

  /** One run, as it goes. */
  private final class Script {

    private final IntConsumer progress;
    private final List<PressureReport.MainTurn> mainTurns = new ArrayList<>();
    private final List<PressureReport.Subagent> ended = new ArrayList<>();
    private final List<Double> use = new ArrayList<>();
    private final List<String> answers = new ArrayList<>();

    Script(IntConsumer progress) {
      this.progress = progress;
    }

    PressureReport.Run play() {
      long start = clock.nanos();
      PressureAgent main = agent(0, MAIN, MAIN_PRIORITY);
      mainTurn(main, MAIN_IN);
      List<PressureAgent> subagents = new ArrayList<>();
      for (int i = 0; i < TURNS.size(); i++) {
        PressureAgent subagent = agent(i + 1, "subagent-" + (i + 1), SUBAGENT_PRIORITY);
        subagent.system(scaled(SYSTEM));
        subagents.add(subagent);
      }
      for (int round = 1; !subagents.isEmpty(); round++) {
        for (PressureAgent subagent : List.copyOf(subagents)) {
          take(subagent, IN);
          if (round == TURNS.get(ended.size())) {
            end(subagent);
            subagents.remove(subagent);
            if (ended.size() == ENDED_BEFORE_SECOND) {
              mainTurn(main, IN);
            }
          }
        }
      }
      mainTurn(main, IN);
      Metrics metrics = client.metrics();
      double seconds = (clock.nanos() - start) / 1e9;
      main.close();
      return new PressureReport.Run(
          mainTurns,
          ended,
          use,
          seconds,
          main.peakPages(),
          Math.round(metrics.sum("sojourn_kv_evicted_pages_total")),
          Math.round(metrics.sum("sojourn_engine_retractions_total")),
          answers);
    }

    private void mainTurn(PressureAgent main, int in) {
      // The last token had no KV: it would be computed in any case.
      int held = Math.max(0, main.contextTokens() - 1);
      Answer answer = take(main, in);
      mainTurns.add(
          new PressureReport.MainTurn(
              answer.promptTokens(),
              answer.cachedTokens(),
              Math.max(0, held - answer.cachedTokens()),
              answer.firstTokenNanos() / 1e6,
              answer.nanos() / 1e6));
    }

    private Answer take(PressureAgent agent, int in) {
      Answer answer = agent.turn(scaled(in), scaled(OUT));
      answers.add(answer.text());
      sample();
      progress.accept(answers.size());
      return answer;
    }

    private void end(PressureAgent subagent) {
      double before = client.metrics().sum("sojourn_kv_pages_free");
      subagent.close();
      double after = client.metrics().sum("sojourn_kv_pages_free");
      ended.add(
          new PressureReport.Subagent(
              subagent.turns(), subagent.peakPages(), (int) Math.round(after - before)));
    }

    private void sample() {
      Metrics metrics = client.metrics();
      use.add(1 - metrics.sum("sojourn_kv_pages_free") / metrics.sum("sojourn_kv_pages"));
    }
  }

  private PressureAgent agent(int number, String name, int priority) {
    Map<String, String> headers = Map.of();
    if (way.hasSessions()) {
      headers =
          number == 0
              ? Map.of("x-dynamo-session-id", name)
              : Map.of("x-dynamo-session-id", name, "x-dynamo-parent-session-id", MAIN);
    }
    return new PressureAgent(
        client,
        model,
        name,
        headers,
        way.hasPriority() ? priority : 0,
        new SplittableRandom(seed + number));
  }

  private int scaled(int tokens) {
    return Math.max(1, (int) Math.round(tokens * scale));
  }
}
