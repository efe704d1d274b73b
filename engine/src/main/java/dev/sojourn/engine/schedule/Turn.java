package dev.sojourn.engine.schedule;

import dev.sojourn.core.FinishReason;
import dev.sojourn.core.LossCause;
import dev.sojourn.core.Tokens;
import dev.sojourn.core.TurnMode;
import dev.sojourn.engine.TurnEnd;
import dev.sojourn.engine.TurnRequest;
import dev.sojourn.engine.TurnSink;
import dev.sojourn.engine.TurnStart;
import dev.sojourn.engine.kv.Branch;
import dev.sojourn.engine.kv.Context;
import dev.sojourn.engine.kv.Growth;
import dev.sojourn.engine.kv.SessionRecord;
import java.time.Duration;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * One turn on its way through the engine. It waits, with its ids kept aside, or it runs, with its
 * context open and its ids in it; {@link #begin} and {@link #suspend} lead from one to the other
 * and back, as often as memory demands, without a trace in its answer.
 *
 * <p>There is no prefill phase and no decode phase: a step computes tokens that have no KV yet, and
 * when none are left the next is sampled.
 */
final class Turn {

  final TurnRequest request;
  final TurnSink sink;

  /** Its place in the order of arrival. */
  final long arrival;

  /** What it found out about its session when it arrived. */
  final Plan plan;

  /** The length at which it ends, if nothing else ends it. */
  final int limit;

  final StopMatcher stop;
  private final int[] stopTokens; // ascending
  private final @Nullable Branch branch; // what it goes on from, or runs beside
  private final Context context;
  private final Optional<Duration> retention; // of its priority; for the session's life if empty

  /** While it waits: the ids behind the first {@code base} ones of the context. */
  private Tokens scratch;

  private int base;
  private boolean rewound;
  private boolean running;
  private int sampled;
  private int begunAt; // tokens that had their KV when it last began
  private int reached; // the most tokens that had it since it started
  private int recomputed;

  /** Whether {@link TurnStart} was told. */
  boolean started;

  /** Whether it has ended, and at most its sink does not know yet. */
  boolean over;

  /** How often it was suspended though it had started. */
  int retractions;

  /** How often a turn that came later went first. */
  int overtaken;

  /** How many pages were to be had when it last did not fit. */
  int blockedAt = -1;

  /** How many turns ran then. */
  int blockedBeside;

  /** How many tokens of it the present step computes. */
  int chunk;

  /**
   * How a turn relates to its session.
   *
   * @param session its session; also where it is served aside
   * @param mode what it does to it
   * @param common how many tokens of the session's context it starts with
   * @param boundary where the session is cut to; its committed length unless it is rewound
   * @param scratch the ids that follow the common ones
   * @param growth where it goes on in a regular session
   */
  record Plan(
      @Nullable SessionRecord session,
      TurnMode mode,
      int common,
      int boundary,
      Tokens scratch,
      @Nullable Growth growth) {

    Plan(@Nullable SessionRecord session, TurnMode mode, int common, int boundary, Tokens scratch) {
      this(session, mode, common, boundary, scratch, null);
    }

    /** Returns whether the turn is to be committed. */
    boolean commits() {
      return session != null && mode != TurnMode.ASIDE;
    }

    int promptLength() {
      return common + scratch.length();
    }
  }

  Turn(
      TurnRequest request,
      TurnSink sink,
      Plan plan,
      @Nullable Branch branch,
      Context context,
      int limit,
      Duration defaultRetention,
      long arrival) {
    this.request = request;
    this.sink = sink;
    this.plan = plan;
    this.branch = branch;
    this.context = context;
    this.limit = limit;
    this.arrival = arrival;
    Optional<Duration> asked = request.hints().retention();
    retention = plan.commits() ? asked : asked.or(() -> Optional.of(defaultRetention));
    stop = new StopMatcher(request.stop().strings());
    stopTokens = request.stop().tokens().stream().mapToInt(id -> id).sorted().toArray();
    base = plan.common();
    scratch = plan.scratch();
  }

  String id() {
    return request.requestId();
  }

  int priority() {
    return request.hints().priority();
  }

  boolean isRunning() {
    return running;
  }

  Context context() {
    return context;
  }

  int sampled() {
    return sampled;
  }

  /** Returns how many tokens it computed again, as it was suspended after it had started. */
  int recomputed() {
    return recomputed;
  }

  /** Returns the length of its context so far. */
  int length() {
    return running ? context.length() : base + scratch.length();
  }

  /** Returns how many tokens it would at most have to compute before it can sample. */
  int work() {
    return plan.commits() ? length() - Math.min(context.computed(), base) : length();
  }

  /** Returns whether its session is still to be cut back, which cannot be undone. */
  boolean isYetToRewind() {
    return plan.mode() == TurnMode.REWIND && !rewound;
  }

  /** Opens the context and puts the ids into it, on whatever KV of them is resident. */
  TurnStart begin() {
    SessionRecord session = plan.session();
    int held = plan.commits() && branch != null ? branch.heldKv() : 0;
    context.begin();
    if (session != null && isYetToRewind()) {
      session.rewind(id(), plan.boundary());
      rewound = true;
    }
    context.truncate(base);
    context.append(scratch);
    scratch = Tokens.EMPTY;
    running = true;
    context.match();
    begunAt = context.computed();
    return new TurnStart(plan.mode(), plan.promptLength(), begunAt, losses(held));
  }

  /** Compares what the session had held with what is there; the last token is computed anyway. */
  private Map<LossCause, Integer> losses(int held) {
    int ofUse = Math.min(Math.min(held, plan.common()), plan.promptLength() - 1);
    Map<LossCause, Integer> losses = new EnumMap<>(LossCause.class);
    if (ofUse > begunAt) {
      losses.put(LossCause.EVICTED, ofUse - begunAt);
    }
    if (held > plan.common()) {
      losses.put(LossCause.DIVERGED, held - plan.common());
    }
    return losses;
  }

  /** Closes the context, with what the session keeps; the ids are kept aside. */
  void suspend(long now) {
    base = kept();
    scratch = context.view(context.length()).from(base);
    close(now);
  }

  /** Returns how many tokens are still to be computed before one can be sampled. */
  int remaining() {
    return context.length() - context.computed();
  }

  /** Appends the token that was sampled. */
  void append(int id) {
    context.append(id);
    sampled++;
  }

  /** Returns whether a token is one of those that end the turn. */
  boolean endsTurn(int id) {
    return Arrays.binarySearch(stopTokens, id) >= 0;
  }

  /** Returns whether it has no room for another token. */
  boolean isAtLimit() {
    return context.length() >= limit;
  }

  /**
   * Returns the length that it has pages set aside for: with {@code reserve} more tokens, or fewer
   * if the agent expects fewer. One that expects more is taken at its word by nobody: it would keep
   * others out with pages that it may never fill.
   */
  int reserved(int reserve) {
    int more = Math.min(reserve, request.hints().expectedOutput().orElse(reserve)) - sampled;
    return (int) Math.min(limit, (long) length() + Math.max(1, more));
  }

  /**
   * Ends it: commits it where the reason allows, and closes the context.
   *
   * @param stopToken the end-of-turn token that was sampled
   */
  TurnEnd end(FinishReason reason, OptionalInt stopToken, long now) {
    stop.end();
    int prompt = plan.promptLength();
    boolean whole = stop.found().isEmpty();
    int cut = prompt + (whole ? sampled : stop.visibleTokens());
    Tokens counted = first(cut);
    SessionRecord session = plan.commits() ? plan.session() : null;
    if (session != null && (reason == FinishReason.STOP || reason == FinishReason.LENGTH)) {
      session.commit(id(), prompt, cut);
    }
    close(now);
    return new TurnEnd(
        reason,
        counted.slice(0, prompt),
        counted.from(prompt),
        sampled,
        stop.visibleBytes(),
        stop.found(),
        stopToken,
        retractions,
        recomputed,
        branch == null ? 0 : branch.committed(),
        branch == null ? 0 : branch.digest());
  }

  /** Closes the context without a commit, if it is open. */
  void drop(long now) {
    close(now);
  }

  private void close(long now) {
    if (running) {
      running = false;
      if (started) {
        recomputed += Math.max(0, Math.min(context.computed(), reached) - begunAt);
        reached = Math.max(reached, context.computed());
      }
      long until = retention.map(time -> now + time.toNanos()).orElse(Context.WHILE_LEASED);
      context.end(kept(), priority(), until);
    }
  }

  private int kept() {
    return plan.commits() && branch != null ? branch.committed() : 0;
  }

  /** Looks at no more than that: the session's next turn could not write where somebody looks. */
  private Tokens first(int count) {
    return running
        ? context.view(count)
        : (plan.commits() ? context.view(base) : Tokens.EMPTY).concat(scratch).slice(0, count);
  }
}
