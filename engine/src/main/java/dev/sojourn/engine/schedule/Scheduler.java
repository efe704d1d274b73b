package dev.sojourn.engine.schedule;

import static dev.sojourn.core.BlockHasher.BLOCK;

import dev.sojourn.core.Clock;
import dev.sojourn.core.CloseResult;
import dev.sojourn.core.Counted;
import dev.sojourn.core.Fault;
import dev.sojourn.core.FaultException;
import dev.sojourn.core.FinishReason;
import dev.sojourn.core.Incarnation;
import dev.sojourn.core.KvEvent;
import dev.sojourn.core.Opened;
import dev.sojourn.core.SessionControl.OnClose;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.SessionSettings;
import dev.sojourn.core.SessionTokens;
import dev.sojourn.core.SessionView;
import dev.sojourn.core.Tokens;
import dev.sojourn.engine.EngineConfig;
import dev.sojourn.engine.EngineStats;
import dev.sojourn.engine.TurnEnd;
import dev.sojourn.engine.TurnRequest;
import dev.sojourn.engine.TurnSink;
import dev.sojourn.engine.TurnStart;
import dev.sojourn.engine.kv.Branch;
import dev.sojourn.engine.kv.Context;
import dev.sojourn.engine.kv.Invariants;
import dev.sojourn.engine.kv.PagePool;
import dev.sojourn.engine.kv.PageState;
import dev.sojourn.engine.kv.SessionRecord;
import dev.sojourn.engine.kv.Sessions;
import dev.sojourn.engine.model.ModelRunner;
import dev.sojourn.engine.model.StepBatch;
import dev.sojourn.engine.sample.Sampler;
import dev.sojourn.engine.sample.TopLogprobs;
import dev.sojourn.engine.schedule.Admission.Decision.Admitted;
import dev.sojourn.engine.schedule.Admission.Decision.GiveWay;
import dev.sojourn.text.TokenBytes;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.function.LongSupplier;

/**
 * Decides which turns run in the next step, and what becomes of them. {@link #step} does one step;
 * everything else happens between steps.
 *
 * <p>A step: sessions whose time is over end; waiting turns are admitted while their pages fit;
 * each running turn gets a part of the step, and pages for it, if need be those of the turn that
 * ranks last; the model runs; tokens are sampled and told; what has ended is committed.
 *
 * <p>Running turns rank by priority, then by arrival. The first can take pages from all others and
 * fits the pool alone, so there is always one that gets on.
 *
 * <p>Longer than other classes because it is the one loop that a turn goes through; what could be
 * told apart from it, admission, the shares of a step and the queue, is.
 *
 * <p>Deterministic: what happens depends on the calls and the clock alone. Not thread-safe, but for
 * {@link #published}.
 */
public final class Scheduler {

  private static final Logger LOG = System.getLogger(Scheduler.class.getName());

  private static final Comparator<Turn> RANK =
      Comparator.comparingInt((Turn turn) -> -turn.priority()).thenComparingLong(t -> t.arrival);

  /** Steps in a row that may fail: one is of what it computes, so many are of the model. */
  private static final int MOST_FAILURES = 8;

  private final ModelRunner runner;
  private final TokenBytes spelling;
  private final EngineConfig config;
  private final Clock clock;
  private final LongSupplier cpu;
  private final long origin;
  private final PagePool pool;
  private final Sessions sessions;
  private final Intake intake;
  private final WaitingQueue waiting;
  private final List<Turn> running = new ArrayList<>(); // in order of rank
  private final Map<String, Turn> turns = new HashMap<>();
  private final Admission admission;
  private final StepShares shares;
  private final StepBatch batch;
  private final List<Turn> computed = new ArrayList<>(); // by slice of the batch
  private final Sampler sampler;
  private final Tally tally = new Tally();
  private long arrivals;
  private int failures; // of steps, since one succeeded
  private volatile EngineStats published;

  /**
   * Creates a scheduler with an empty pool.
   *
   * @param cpu CPU time of the calling thread, in nanoseconds, for the statistics
   */
  public Scheduler(
      ModelRunner runner, TokenBytes spelling, EngineConfig config, Clock clock, LongSupplier cpu) {
    this.runner = runner;
    this.spelling = spelling;
    this.config = config;
    this.clock = clock;
    this.cpu = cpu;
    origin = clock.nanos();
    pool =
        new PagePool(
            runner, (int) (runner.pages() * config.sessionKvFraction()), config.eviction());
    sessions = new Sessions(pool, config.maxSessions());
    intake = new Intake(sessions, runner);
    waiting = new WaitingQueue(config.prefillChunk());
    admission = new Admission(pool, waiting, config);
    shares = new StepShares(config.prefillChunk());
    batch = new StepBatch(runner.vocabularySize());
    sampler = new Sampler(runner.vocabularySize());
    published = stats();
  }

  /** Opens a session; see {@link dev.sojourn.engine.Engine#open}. */
  public Opened open(SessionSettings settings) {
    Opened opened = sessions.open(settings, now());
    publish();
    return opened;
  }

  /** Extends a session's idle time; see {@link dev.sojourn.engine.Engine#extend}. */
  public boolean extend(SessionId id, Incarnation incarnation, Duration idle) {
    return sessions.extend(id, incarnation, idle, now());
  }

  /** Returns what a session has committed; see {@link dev.sojourn.engine.Engine#tokens}. */
  public Optional<SessionTokens> tokens(SessionId id, Incarnation incarnation) {
    return sessions.tokens(id, incarnation);
  }

  /** Closes a session; see {@link dev.sojourn.engine.Engine#close}. */
  public void close(
      SessionId id, Incarnation incarnation, OnClose how, CompletableFuture<CloseResult> reply) {
    CompletableFuture<CloseResult> closed = new CompletableFuture<>();
    var _ =
        closed.thenAccept(result -> {
          publish();
          reply.complete(result);
        });
    sessions.close(id, incarnation, how, closed);
  }

  /**
   * Queues a turn, or tells its sink why not. Throws only where the books may be wrong, as every
   * method here does.
   */
  public void submit(TurnRequest request, TurnSink sink) {
    Turn.Plan plan;
    int limit;
    try {
      requireRoom(request);
      plan = intake.plan(request);
      limit = intake.limit(request, plan);
    } catch (RuntimeException e) { // nothing was taken yet
      refuse(request, sink, e);
      return;
    } catch (Error e) {
      refuse(request, sink, e);
      throw e;
    }
    Turn turn;
    try {
      turn = take(request, sink, plan, limit);
    } catch (RuntimeException | Error e) { // nobody else knows of it to tell it
      refuse(request, sink, e);
      throw e;
    }
    tell(turn, sink::accepted);
  }

  private static void refuse(TurnRequest request, TurnSink sink, Throwable why) {
    Fault fault;
    if (why instanceof FaultException refusal) {
      fault = refusal.fault();
    } else {
      LOG.log(Level.ERROR, "request " + request.requestId() + " could not be taken", why);
      fault = new Fault.Internal("the turn could not be taken: " + why.getClass().getSimpleName());
    }
    tell(request.requestId(), () -> sink.failed(fault));
  }

  /** Ends a turn wherever it is; see {@link dev.sojourn.engine.Engine#cancel}. */
  public void cancel(String requestId) {
    Turn turn = turns.get(requestId);
    if (turn != null && !turn.over) {
      finish(turn, FinishReason.CANCELLED, OptionalInt.empty());
    }
  }

  /** Cancels all turns. */
  public void cancelAll() {
    List.copyOf(turns.keySet()).forEach(this::cancel);
  }

  /** Fails all turns of a scheduler whose books may be wrong, and which takes no step any more. */
  public void abandon(Fault fault) {
    for (Turn turn : List.copyOf(turns.values())) {
      try {
        turn.drop(now());
        giveBack(turn);
      } catch (RuntimeException | Error e) {
        LOG.log(Level.ERROR, "what request " + turn.id() + " held is lost", e);
      }
      try {
        turn.sink.failed(fault);
      } catch (RuntimeException | Error e) { // the others hear of it all the same
        sinkFailed(turn.id(), e);
      }
    }
    turns.clear();
    publish();
  }

  /** Does one step, publishes the statistics, and returns whether there is more to do now. */
  public boolean step() {
    sessions.expire(now());
    pool.expireRetention(now());
    admit();
    shares.share(running);
    reservePages();
    compute();
    publish();
    return !running.isEmpty() || !waiting.isEmpty();
  }

  /** Returns in how many nanoseconds a step is due even if nothing else happens. */
  public long nanosToNextDeadline() {
    long next = sessions.nextExpiry();
    return next == Long.MAX_VALUE ? next : Math.max(0, next - now());
  }

  /** Returns what the sessions are now. */
  public List<SessionView> sessions() {
    return sessions.views(now());
  }

  /**
   * Returns what the engine held and had done when it last published that: after each step, and
   * before it tells that a turn ended or a session opened or closed. So nobody who was told of an
   * end still finds it held. Published pages are those of now, in the middle of a step, too: who
   * hears of them can compare. Any thread may ask.
   */
  public EngineStats published() {
    return published.withPublishedPages(pool.published());
  }

  /** Publishes the statistics as they are now. */
  public void publish() {
    published = stats();
  }

  /** Returns what the engine holds and has done. */
  EngineStats stats() {
    return new EngineStats(
        pool.capacity(),
        pool.count(PageState.FREE),
        pool.count(PageState.CACHED),
        pool.count(PageState.LEASED),
        pool.count(PageState.IN_USE),
        pool.published(),
        sessions.size(),
        running.size(),
        waiting.size(),
        tally.steps,
        tally.promptTokens,
        tally.reusedTokens,
        tally.computedTokens,
        tally.sampledTokens,
        pool.evicted(),
        tally.retractions,
        tally.recomputedTokens,
        tally.modelNanos,
        tally.modelCpuNanos,
        cpu.getAsLong() - tally.modelCpuNanos);
  }

  /** Subscribes to KV events; see {@link dev.sojourn.engine.Engine#subscribe}. */
  public void subscribe(Consumer<KvEvent> subscriber) {
    pool.subscribe(subscriber);
  }

  /**
   * Checks that everything that is held is held by somebody, once.
   *
   * @throws IllegalStateException naming what is wrong
   */
  public void check() {
    List<Context> open = new ArrayList<>();
    running.forEach(turn -> open.add(turn.context()));
    Invariants.check(pool, sessions.all(), open);
    for (SessionRecord session : sessions.all()) {
      for (Branch branch : session.branches()) {
        String owner = branch.owner();
        if (owner != null) {
          Turn turn = turns.get(owner);
          if (turn == null || turn.plan.session() != session) {
            throw new IllegalStateException("the owner of a session is gone: " + owner);
          }
        }
      }
    }
    for (Turn turn : turns.values()) {
      if (running.contains(turn) == waiting.all().contains(turn)
          || running.contains(turn) != turn.isRunning()) {
        throw new IllegalStateException("a turn does not either wait or run: " + turn.id());
      }
    }
    if (turns.size() != running.size() + waiting.size()) {
      throw new IllegalStateException("a turn waits or runs that nobody knows");
    }
  }

  /** Returns the pages, for tests that watch them. */
  PagePool pool() {
    return pool;
  }

  /** Returns the committed tokens of the current life of a session, for tests. */
  Tokens committed(SessionId id) {
    return sessions.all().stream()
        .filter(session -> session.settings().id().equals(id))
        .reduce((older, newer) -> newer)
        .orElseThrow()
        .branch()
        .tokens();
  }

  private void requireRoom(TurnRequest request) {
    if (turns.containsKey(request.requestId())) {
      throw Fault.invalid("request_id", "request " + request.requestId() + " has not ended")
          .asException();
    }
    if (waiting.size() >= config.maxWaiting()) {
      throw new Fault.Overloaded(
              "no more than " + new Counted(config.maxWaiting(), "turn") + " may wait",
              Duration.ofSeconds(1))
          .asException();
    }
  }

  private Turn take(TurnRequest request, TurnSink sink, Turn.Plan plan, int limit) {
    SessionRecord session = plan.session();
    long namespace = request.namespace().seed();
    if (session != null && session.tree() != null && plan.growth() != null) {
      session.tree().replace(plan.growth()).forEach(this::cancel);
    }
    Branch branch =
        session == null ? null : sessions.take(session, request.requestId(), plan.growth());
    Context context =
        branch != null && plan.commits()
            ? branch.context(namespace)
            : new Context(pool, namespace, session == null ? null : session.publisher());
    Turn turn =
        new Turn(request, sink, plan, branch, context, limit, config.retention(), arrivals++);
    turns.put(turn.id(), turn);
    waiting.add(turn);
    return turn;
  }

  /**
   * Lets turns run while their pages fit, in order: nobody slips past one that does not fit, but it
   * may take the place of those that matter much less.
   */
  private void admit() {
    for (; ; ) {
      switch (admission.next(running, now())) {
        case null -> {
          return;
        }
        case GiveWay(List<Turn> last) -> last.reversed().forEach(this::retract);
        case Admitted(Turn turn, TurnStart start) -> run(turn, start);
      }
    }
  }

  private void run(Turn turn, TurnStart start) {
    running.add(turn);
    running.sort(RANK);
    if (!turn.started) {
      turn.started = true;
      tally.promptTokens += start.promptTokens();
      tally.reusedTokens += start.reusedTokens();
      tell(turn, () -> turn.sink.started(start));
    }
  }

  /** Gets the pages of the step, in order of rank; retracts from the end where there are none. */
  private void reservePages() {
    for (int i = 0; i < running.size(); i++) {
      Turn turn = running.get(i);
      Context context = turn.context();
      while (turn.chunk > 0 && !context.reserve(context.computed() + turn.chunk)) {
        int room = context.pageCount() * BLOCK - context.computed();
        if (room > 0) {
          turn.chunk = room;
        } else {
          retract(running.getLast());
          if (!turn.isRunning()) {
            break;
          }
        }
      }
    }
  }

  private void retract(Turn turn) {
    tally.retractions++;
    turn.retractions++;
    running.remove(turn);
    turn.suspend(now());
    turn.blockedAt = -1;
    waiting.add(turn);
  }

  private void compute() {
    batch.clear();
    computed.clear();
    for (int i = 0; i < running.size(); i++) {
      Turn turn = running.get(i);
      if (turn.chunk > 0) {
        turn.context().addTo(batch, turn.chunk);
        computed.add(turn);
      }
    }
    if (computed.isEmpty()) {
      return;
    }
    tally.steps++;
    long started = clock.nanos();
    long startedCpu = cpu.getAsLong();
    try {
      runner.run(batch);
    } catch (RuntimeException e) {
      LOG.log(Level.ERROR, "a step failed, and with it " + computed.size() + " turns", e);
      Fault fault = new Fault.Internal("the model failed: " + e.getClass().getSimpleName());
      computed.forEach(turn -> fail(turn, fault));
      failures++;
      if (failures == MOST_FAILURES) {
        throw new IllegalStateException(failures + " steps in a row failed", e);
      }
      return;
    } finally {
      tally.modelNanos += clock.nanos() - started;
      tally.modelCpuNanos += cpu.getAsLong() - startedCpu;
    }
    failures = 0;
    tally.computedTokens += batch.tokens();
    for (int slice = 0; slice < computed.size(); slice++) {
      Turn turn = computed.get(slice);
      turn.context().advance(turn.chunk);
    }
    for (int slice = 0; slice < computed.size(); slice++) {
      if (batch.wantsLogits(slice)) {
        sample(computed.get(slice), batch.logits(slice));
      }
    }
  }

  private void sample(Turn turn, float[] logits) {
    if (!turn.isRunning()) {
      return; // a sink of this step cancelled it
    }
    int id;
    float logprob = Float.NaN;
    TopLogprobs top = TopLogprobs.NONE;
    try {
      id = sampler.sample(logits, turn.request.sampling(), turn.length());
      if (turn.request.topLogprobs().isPresent()) {
        double norm = sampler.logSumExp();
        logprob = (float) (logits[id] - norm);
        top = sampler.top(turn.request.topLogprobs().getAsInt(), norm);
      }
    } catch (ArithmeticException e) {
      fail(turn, new Fault.Internal("the model's logits are no numbers: " + e.getMessage()));
      return;
    }
    tally.sampledTokens++;
    turn.append(id);
    boolean endOfTurn = turn.endsTurn(id);
    boolean stopped = turn.stop.append(endOfTurn ? NOTHING : spelling.of(id));
    try { // as tell does, but without an object for each token
      turn.sink.token(id, logprob, top, turn.stop.visibleBytes());
    } catch (RuntimeException e) {
      sinkFailed(turn.id(), e);
      cancel(turn.id());
    }
    if (!turn.isRunning()) {
      return;
    }
    if (endOfTurn) {
      finish(turn, FinishReason.STOP, OptionalInt.of(id));
    } else if (stopped) {
      finish(turn, FinishReason.STOP, OptionalInt.empty());
    } else if (turn.isAtLimit()) {
      finish(turn, FinishReason.LENGTH, OptionalInt.empty());
    }
  }

  private void finish(Turn turn, FinishReason reason, OptionalInt stopToken) {
    TurnEnd end = turn.end(reason, stopToken, now());
    over(turn, () -> turn.sink.finished(end));
  }

  private void fail(Turn turn, Fault fault) {
    turn.drop(now());
    over(turn, () -> turn.sink.failed(fault));
  }

  /**
   * Lets go of a turn whose context has ended, and tells it so. It is known until it has heard: if
   * anything fails before, {@link #abandon} tells it.
   */
  private void over(Turn turn, Runnable end) {
    turn.over = true;
    giveBack(turn);
    publish();
    tell(turn.id(), end);
    turns.remove(turn.id());
  }

  private void giveBack(Turn turn) {
    running.remove(turn);
    waiting.remove(turn);
    tally.recomputedTokens += turn.recomputed();
    SessionRecord session = turn.plan.session();
    if (session != null) {
      sessions.giveBack(session, turn.id(), now());
    }
  }

  /** Tells a turn something; a turn that nobody listens to any more is cancelled. */
  private void tell(Turn turn, Runnable event) {
    if (!tell(turn.id(), event)) {
      cancel(turn.id());
    }
  }

  private static boolean tell(String requestId, Runnable event) {
    try {
      event.run();
      return true;
    } catch (RuntimeException e) {
      sinkFailed(requestId, e);
      return false;
    }
  }

  private static void sinkFailed(String requestId, Throwable failure) {
    LOG.log(Level.ERROR, "the sink of request " + requestId + " failed", failure);
  }

  private long now() {
    return clock.nanos() - origin;
  }

  private static final byte[] NOTHING = {};
}
