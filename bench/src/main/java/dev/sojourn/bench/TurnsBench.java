package dev.sojourn.bench;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.IntConsumer;

/**
 * Long agent conversations, one turn after the other, in three {@linkplain Way ways} that alternate
 * turn by turn: whatever else the machine does meets all of them alike.
 *
 * <p>Each way has the same number of conversations, which take each turn at the same time, each on
 * a thread of its own. A turn says sixteen digits, sixteen tokens in the vocabularies of our
 * models, and may sample eight. A shorter run of all three ways, thrown away, warms the machine up.
 *
 * <p>CPU time outside the model is what the process spent over a turn, less what the model's runner
 * took, less what the threads of the benchmark spent: parsing, prompts, routing, scheduling, HTTP,
 * and the JVM's own work. It is read before and after each turn of each way.
 *
 * @param client the gateway
 * @param meter what the gateway spends
 * @param model which model to ask
 * @param sessions conversations of each way
 * @param turns turns of each conversation
 * @param warmup turns of the run that warms up
 * @param seed of the digits
 */
public record TurnsBench(
    GatewayClient client,
    Meter meter,
    String model,
    int sessions,
    int turns,
    int warmup,
    long seed) {

  /** Tokens that a turn says. */
  public static final int TOKENS_IN = 16;

  /** The most tokens that a turn may answer. */
  public static final int TOKENS_OUT = 8;

  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

  public TurnsBench {
    if (sessions < 1 || turns < 1 || warmup < 0) {
      throw new IllegalArgumentException(
          "at least one session and one turn, not " + sessions + " and " + turns);
    }
  }

  /**
   * Runs it.
   *
   * @param progress hears the number of each turn that all ways have taken
   * @throws GatewayException if the gateway fails a turn
   */
  public TurnsReport run(IntConsumer progress) throws InterruptedException {
    try (ExecutorService threads = Executors.newFixedThreadPool(sessions)) {
      if (warmup > 0) {
        measure(threads, "warm", warmup, turn -> {});
      }
      if (!meter.includesClient()) {
        return report(measure(threads, "bench", turns, progress), List.of());
      }
      try (StopLog log = new StopLog()) {
        return report(measure(threads, "bench", turns, progress), log.read());
      }
    }
  }

  private TurnsReport report(Map<Way, List<TurnsReport.Turn>> ways, List<Stop> stops) {
    return new TurnsReport(sessions, model, ways, stops);
  }

  private Map<Way, List<TurnsReport.Turn>> measure(
      ExecutorService threads, String name, int length, IntConsumer progress)
      throws InterruptedException {
    List<Group> groups = new ArrayList<>();
    for (Way way : Way.values()) {
      List<Conversation> agents = new ArrayList<>();
      for (int i = 0; i < sessions; i++) {
        String session =
            "%s-%s-%d-%x".formatted(name, way.name().toLowerCase(Locale.ROOT), i, seed);
        agents.add(new Conversation(client, model, session, way, new SplittableRandom(seed + i)));
      }
      groups.add(new Group(way, agents, new ArrayList<>()));
    }
    try {
      for (int turn = 0; turn < length; turn++) {
        for (int i = 0; i < groups.size(); i++) {
          take(threads, groups.get((turn + i) % groups.size()), turn == length - 1);
        }
        progress.accept(turn + 1);
      }
    } finally {
      groups.forEach(group -> group.agents().forEach(Conversation::discard));
    }
    Map<Way, List<TurnsReport.Turn>> ways = new EnumMap<>(Way.class);
    groups.forEach(group -> ways.put(group.way(), List.copyOf(group.turns())));
    return ways;
  }

  /** Lets every conversation of a way take one turn, and enters what it cost. */
  private void take(ExecutorService threads, Group group, boolean last)
      throws InterruptedException {
    long model = meter.modelCpuNanos();
    long cpu = meter.processCpuNanos();
    List<Callable<Taken>> tasks = new ArrayList<>();
    for (Conversation agent : group.agents()) {
      tasks.add(() -> {
        long before = THREADS.getCurrentThreadCpuTime();
        Answer answer = agent.turn(last);
        return new Taken(answer, THREADS.getCurrentThreadCpuTime() - before);
      });
    }
    List<Taken> taken = new ArrayList<>();
    for (Future<Taken> future : threads.invokeAll(tasks)) {
      taken.add(result(future));
    }
    long spent = meter.processCpuNanos() - cpu;
    spent -= meter.modelCpuNanos() - model;
    if (meter.includesClient()) {
      spent -= taken.stream().mapToLong(Taken::cpuNanos).sum();
    }
    List<Answer> answers = taken.stream().map(Taken::answer).toList();
    group.turns().add(TurnsReport.Turn.of(answers, (double) spent / answers.size()));
  }

  private static Taken result(Future<Taken> future) throws InterruptedException {
    try {
      return future.get();
    } catch (ExecutionException e) {
      if (e.getCause() instanceof GatewayException refused) {
        throw refused;
      }
      throw new IllegalStateException("a turn of the benchmark failed", e.getCause());
    }
  }

  private record Group(Way way, List<Conversation> agents, List<TurnsReport.Turn> turns) {}

  private record Taken(Answer answer, long cpuNanos) {}

  /** Returns so many digits: byte-level vocabularies have one token for each. */
  static String digits(SplittableRandom random, int count) {
    char[] digits = new char[count];
    for (int i = 0; i < digits.length; i++) {
      digits[i] = (char) ('0' + random.nextInt(10));
    }
    return new String(digits);
  }
}
