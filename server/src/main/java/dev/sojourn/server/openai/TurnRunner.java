package dev.sojourn.server.openai;

import static java.util.Objects.requireNonNull;

import dev.sojourn.backend.Generation;
import dev.sojourn.backend.Worker;
import dev.sojourn.core.Clock;
import dev.sojourn.core.Fault;
import dev.sojourn.core.FaultException;
import dev.sojourn.core.Incarnation;
import dev.sojourn.core.SessionControl;
import dev.sojourn.core.SessionControl.Input;
import dev.sojourn.core.SessionControl.Require;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.Tokens;
import dev.sojourn.core.WorkerId;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.engine.SessionTurn;
import dev.sojourn.engine.StopRules;
import dev.sojourn.engine.TurnRequest;
import dev.sojourn.router.NoSession;
import dev.sojourn.router.Router;
import dev.sojourn.router.Selection;
import dev.sojourn.router.SelectionQuery;
import dev.sojourn.router.TurnGuard;
import dev.sojourn.router.TurnIntent;
import dev.sojourn.router.TurnOutcome;
import dev.sojourn.server.metrics.GatewayMetrics;
import dev.sojourn.server.prompt.Prompt;
import dev.sojourn.server.prompt.Transcript;
import dev.sojourn.server.prompt.Transcripts;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Walks turns through the house:
 *
 * <pre>
 *   lease → prompt → select (books the load) → open → dispatch → bind → stream → commit → finish
 * </pre>
 *
 * <p>The {@link TurnGuard} undoes whatever was done on each way out. The walk leaves it only when
 * the worker has let go of the turn, so the session's next turn, which waits for the lease, never
 * meets this one. Thread-safe; each turn blocks its own thread.
 */
public final class TurnRunner {

  private static final int EXPECTED_OUTPUT = 256; // where nobody says; only weighs ranks

  private final Router router;
  private final Map<WorkerId, Worker> workers = new HashMap<>();
  private final Transcripts transcripts;
  private final int contextLength;
  private final Set<Integer> endOfTurn;
  private final GatewayMetrics metrics;
  private final Clock clock;

  /**
   * Creates a runner.
   *
   * @param contextLength the most tokens that prompt and answer may have together
   * @param endOfTurn ids that end an answer
   */
  public TurnRunner(
      Router router,
      List<? extends Worker> workers,
      Transcripts transcripts,
      int contextLength,
      Set<Integer> endOfTurn,
      GatewayMetrics metrics,
      Clock clock) {
    this.router = router;
    workers.forEach(worker -> this.workers.put(worker.id(), worker));
    this.transcripts = transcripts;
    this.contextLength = contextLength;
    this.endOfTurn = Set.copyOf(endOfTurn);
    this.metrics = metrics;
    this.clock = clock;
  }

  /**
   * Runs one turn to its end.
   *
   * @throws FaultException why there is no answer
   * @throws InterruptedException if its client went away
   */
  TurnResult run(TurnSpec spec, TurnListener listener) throws InterruptedException {
    long begun = clock.nanos();
    TurnIntent intent =
        new TurnIntent(spec.turnId(), spec.tenant(), spec.ext().control(), pin(spec), false);
    try (TurnGuard guard = router.begin(intent)) {
      try {
        return run(spec, guard, listener, begun);
      } catch (FaultException e) {
        var _ = guard.finish(outcome(e.fault()));
        throw e;
      }
    }
  }

  /** Where a turn would go, and its prompt. */
  record Placement(Selection selection, Tokens prompt) {}

  /** Tells where a turn would go; books, opens and commits nothing. */
  Placement place(TurnSpec spec) throws InterruptedException {
    TurnIntent intent =
        new TurnIntent(spec.turnId(), spec.tenant(), spec.ext().control(), pin(spec), true);
    try (TurnGuard guard = router.begin(intent)) {
      Optional<SessionControl> control = spec.ext().control();
      Optional<Transcript> transcript =
          control.flatMap(asked ->
              guard.incarnation().flatMap(life -> transcripts.find(asked.session(), life)));
      Prompt prompt =
          spec.source().build(control.map(SessionControl::input).orElse(Input.FULL), transcript);
      Selection selection = guard.select(query(spec, prompt));
      var _ = guard.finish(TurnOutcome.COMPLETED);
      return new Placement(selection, prompt.context());
    }
  }

  private static TurnOutcome outcome(Fault fault) {
    return fault instanceof Fault.Cancelled ? TurnOutcome.ABORTED : TurnOutcome.FAILED;
  }

  private TurnResult run(TurnSpec spec, TurnGuard guard, TurnListener listener, long begun)
      throws InterruptedException {
    Optional<SessionControl> control = spec.ext().control();
    Input input = control.map(SessionControl::input).orElse(Input.FULL);
    Optional<Transcript> transcript = transcript(control, guard);
    Prompt prompt = spec.source().build(input, transcript);
    checkLength(prompt.length(), contextLength);
    control.ifPresent(asked -> checkCapacity(prompt.length(), asked.capacity()));
    Selection selection = guard.select(query(spec, prompt));
    control.ifPresent(asked -> checkPromise(asked, selection));
    if (selection.incarnation().isEmpty() || !isForgotten(guard, transcript)) {
      control.ifPresent(asked -> checkExpected(asked, transcript));
    }
    guard.open();
    Dispatched dispatched = dispatch(spec, guard, prompt, transcript, selection);
    TurnReader reader = new TurnReader(spec, dispatched.selection(), guard, listener, metrics);
    try {
      reader.read(dispatched.generation(), begun, clock);
    } finally {
      if (reader.committed()) {
        commit(control, dispatched.selection(), transcript, prompt, reader);
      }
    }
    var close = guard.finish(TurnOutcome.COMPLETED);
    return reader.result(
        guard.reason(), worker(dispatched.selection().target()).promise(), prompt, close);
  }

  private static SelectionQuery query(TurnSpec spec, Prompt prompt) {
    return SelectionQuery.ofTokens(
        spec.namespace(),
        prompt::context,
        prompt.length(),
        prompt.knownPrefix(),
        expectedOutput(spec));
  }

  /** Returns whether a session is older than what is held here of what it said. */
  private static boolean isForgotten(TurnGuard guard, Optional<Transcript> transcript) {
    return guard.incarnation().isPresent()
        && guard.reason() == NoSession.NONE
        && transcript.filter(held -> held.committed() > 0).isEmpty();
  }

  /**
   * Where a turn believes its session to be, which the worker refuses if it is elsewhere.
   *
   * @param input whether the worker gets only what follows there
   */
  private record Tip(Input input, OptionalInt length, OptionalLong digest) {

    /** The worker gets the whole context, wherever its session is. */
    static final Tip ANY = new Tip(Input.FULL, OptionalInt.empty(), OptionalLong.empty());
  }

  /** A generation that was accepted, and where. */
  private record Dispatched(Generation generation, Selection selection) {}

  /**
   * Sends the turn: only what is new where the session is believed to hold the rest. A worker that
   * holds something else gets the whole context; one that lost the session opens it anew. Where the
   * transcript was forgotten, the worker alone can tell whether the client's expectation is right.
   */
  private Dispatched dispatch(
      TurnSpec spec,
      TurnGuard guard,
      Prompt prompt,
      Optional<Transcript> transcript,
      Selection selection)
      throws InterruptedException {
    boolean known =
        guard.incarnation().isPresent() && selection.incarnation().equals(guard.incarnation());
    boolean delta =
        known
            && guard.reason() == NoSession.NONE
            && prompt.extendsCommitted()
            && !prompt.fresh().isEmpty();
    Tip tip = Tip.ANY;
    if (delta) {
      Transcript held = transcript.orElseThrow();
      tip = new Tip(Input.DELTA, OptionalInt.of(held.committed()), OptionalLong.of(held.digest()));
    } else if (known && isForgotten(guard, transcript)) {
      SessionControl asked = spec.ext().control().orElseThrow();
      tip = new Tip(Input.FULL, asked.expectedTip(), asked.expectedDigest());
    }
    try {
      return send(spec, selection, prompt, tip);
    } catch (FaultException e) {
      if (delta && isConflict(e.fault(), "tip_mismatch")) {
        return send(spec, selection, prompt, Tip.ANY);
      }
      if (known && guard.reason() == NoSession.NONE && isLost(e.fault())) {
        Selection anew = guard.lost();
        guard.open();
        return send(spec, anew, prompt, Tip.ANY);
      }
      throw e;
    }
  }

  private Dispatched send(TurnSpec spec, Selection selection, Prompt prompt, Tip tip)
      throws InterruptedException {
    Optional<SessionTurn> session =
        selection.incarnation().map(life -> sessionTurn(spec, life, prompt, tip));
    Tokens input = tip.input() == Input.DELTA ? prompt.fresh() : prompt.context();
    int room = Math.max(1, contextLength - prompt.length());
    TurnRequest request =
        new TurnRequest(
            spec.turnId(),
            spec.namespace(),
            session,
            input,
            Math.min(room, spec.options().maxTokens().orElse(room)),
            spec.options().sampling(spec.choice()),
            new StopRules(
                spec.options().stops(), spec.options().ignoreEos() ? Set.of() : endOfTurn),
            spec.options().logprobs()
                ? OptionalInt.of(spec.options().topLogprobs())
                : OptionalInt.empty(),
            spec.ext().hints());
    Worker worker = worker(selection.target());
    return new Dispatched(worker.generate(selection.target().rank(), request), selection);
  }

  private static SessionTurn sessionTurn(TurnSpec spec, Incarnation life, Prompt prompt, Tip tip) {
    SessionControl control = spec.ext().control().orElseThrow();
    return new SessionTurn(
        control.session(),
        life,
        tip.input(),
        tip.length(),
        tip.digest(),
        control.onDivergence(),
        prompt.rewindFloor());
  }

  private Optional<Transcript> transcript(Optional<SessionControl> control, TurnGuard guard) {
    if (control.isEmpty() || guard.incarnation().isEmpty()) {
      return Optional.empty();
    }
    SessionId id = control.get().session();
    Incarnation life = guard.incarnation().get();
    boolean heldBefore = guard.reason() == NoSession.NONE;
    return heldBefore && control.get().input() == Input.DELTA
        ? transcripts.find(id, life)
        : Optional.of(transcripts.open(id, life));
  }

  /** Moves the transcript to where the engine's session is now. */
  private void commit(
      Optional<SessionControl> control,
      Selection selection,
      Optional<Transcript> transcript,
      Prompt prompt,
      TurnReader reader) {
    if (control.isPresent() && selection.incarnation().isPresent() && transcript.isPresent()) {
      transcript
          .get()
          .commit(prompt, reader.start().mode(), reader.end(), reader.answer().message());
    }
  }

  private static void checkExpected(SessionControl control, Optional<Transcript> transcript) {
    int tip = transcript.map(Transcript::committed).orElse(0);
    long digest = transcript.map(Transcript::digest).orElse(0L);
    boolean otherTip = control.expectedTip().isPresent() && control.expectedTip().getAsInt() != tip;
    boolean otherDigest =
        control.expectedDigest().isPresent() && control.expectedDigest().getAsLong() != digest;
    if (otherTip || otherDigest) {
      throw new Fault.Conflict(
              "tip_mismatch",
              "the session holds " + tip + " tokens, which is not what the request expects",
              Map.of("tip", tip, "digest", Metadata.digest(digest)))
          .asException();
    }
  }

  /** Refuses a prompt that leaves no room for an answer. */
  static void checkLength(int length, int contextLength) {
    if (length >= contextLength) {
      throw new Fault.PromptTooLong(
              "the prompt has "
                  + length
                  + " tokens; this model's context has room for "
                  + contextLength
                  + ", the answer included",
              "prompt")
          .asException();
    }
  }

  private static void checkCapacity(int length, OptionalInt capacity) {
    if (capacity.isPresent() && length > capacity.getAsInt()) {
      throw Fault.invalid(
              "nvext.session_control.capacity",
              "the prompt has " + length + " tokens; the session may hold " + capacity.getAsInt())
          .asException();
    }
  }

  private static void checkPromise(SessionControl control, Selection selection) {
    if (selection.incarnation().isPresent()) {
      return;
    }
    if (control.require() == Require.ENGINE) {
      throw Fault.invalid(
              "nvext.session_control.require",
              "the turn would run without an engine session; open one with action open")
          .asException();
    }
    if (control.input() == Input.DELTA) {
      throw Fault.invalid(
              "nvext.session_control.input",
              "a delta needs an engine session, and this turn has none: send the whole conversation")
          .asException();
    }
  }

  private static int expectedOutput(TurnSpec spec) {
    OptionalInt hinted = spec.ext().hints().expectedOutput();
    OptionalInt most = spec.options().maxTokens();
    int expected = hinted.orElse(Math.min(EXPECTED_OUTPUT, most.orElse(EXPECTED_OUTPUT)));
    return Math.min(expected, most.orElse(expected));
  }

  /** Returns the rank that a request insists on. */
  private Optional<WorkerRank> pin(TurnSpec spec) {
    Optional<String> name = spec.ext().worker();
    OptionalInt rank = spec.ext().rank();
    if (name.isEmpty() && rank.isEmpty()) {
      return Optional.empty();
    }
    Worker worker =
        workers.values().stream()
            .filter(w -> name.isEmpty() ? workers.size() == 1 : w.id().name().equals(name.get()))
            .findFirst()
            .orElseThrow(() ->
                Fault.invalid(
                        "nvext.backend_instance_id",
                        "there is no worker "
                            + name.orElse("for a rank alone")
                            + "; there are "
                            + workers.keySet())
                    .asException());
    if (rank.orElse(0) >= worker.ranks()) {
      throw Fault.invalid(
              "nvext.dp_rank",
              "worker " + worker.id() + " has " + worker.ranks() + " ranks, counted from 0")
          .asException();
    }
    return Optional.of(new WorkerRank(worker.id(), rank.orElse(0)));
  }

  private Worker worker(WorkerRank target) {
    @Nullable Worker worker = workers.get(target.worker());
    return requireNonNull(worker, () -> "no worker " + target.worker());
  }

  private static boolean isConflict(Fault fault, String code) {
    return fault instanceof Fault.Conflict conflict && conflict.code().equals(code);
  }

  private static boolean isLost(Fault fault) {
    boolean unknown =
        fault instanceof Fault.NotFound missing && missing.code().equals("session_not_found");
    return unknown || isConflict(fault, "stale_incarnation");
  }
}
