package dev.sojourn.server.openai;

import dev.sojourn.backend.Worker;
import dev.sojourn.core.Clock;
import dev.sojourn.core.Counted;
import dev.sojourn.core.Fault;
import dev.sojourn.core.FaultException;
import dev.sojourn.core.Incarnation;
import dev.sojourn.core.Parent;
import dev.sojourn.core.SessionControl;
import dev.sojourn.core.SessionControl.Action;
import dev.sojourn.core.SessionControl.Input;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.SessionKind;
import dev.sojourn.core.Tokens;
import dev.sojourn.router.NoSession;
import dev.sojourn.router.Router;
import dev.sojourn.router.Selection;
import dev.sojourn.router.SelectionQuery;
import dev.sojourn.router.TurnGuard;
import dev.sojourn.router.TurnIntent;
import dev.sojourn.router.TurnOutcome;
import dev.sojourn.server.metrics.GatewayMetrics;
import dev.sojourn.server.openai.Recall.Settled;
import dev.sojourn.server.prompt.Prompt;
import dev.sojourn.server.prompt.Transcript;
import dev.sojourn.server.prompt.Transcripts;
import dev.sojourn.server.sessions.Ledger;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;

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

  private static final String CONTROL = "nvext.session_control.";

  private final Router router;
  private final Workers workers;
  private final Dispatch dispatch;
  private final Transcripts transcripts;
  private final Recall recall;
  private final Ledger ledger;
  private final AnswerKeeper keeper;
  private final TreeTurns trees;
  private final int contextLength;
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
      Ledger ledger,
      int contextLength,
      Set<Integer> endOfTurn,
      GatewayMetrics metrics,
      Clock clock) {
    this.router = router;
    this.workers = new Workers(workers);
    dispatch = new Dispatch(this.workers, contextLength, endOfTurn);
    this.transcripts = transcripts;
    recall = new Recall(router, this.workers, transcripts);
    this.ledger = ledger;
    keeper = new AnswerKeeper(router, this.workers, transcripts, ledger, metrics, clock);
    trees = new TreeTurns(dispatch, keeper, contextLength, metrics);
    this.contextLength = contextLength;
    this.metrics = metrics;
    this.clock = clock;
  }

  /**
   * Runs one turn to its end.
   *
   * @param place gives it a place among the generations, when its session's earlier turns are over
   * @throws FaultException why there is no answer
   * @throws InterruptedException if its client went away
   */
  TurnResult run(TurnSpec asked, TurnListener listener, Supplier<Admission.Place> place)
      throws InterruptedException {
    long begun = clock.nanos();
    TurnSpec spec = SessionParams.asOpened(asked, router);
    TurnIntent intent =
        new TurnIntent(
            spec.turnId(), spec.tenant(), spec.ext().control(), workers.pin(spec.ext()), false);
    Optional<TurnResult> result = walk(spec, intent, false, listener, place, begun);
    return result.isPresent()
        ? result.get()
        : walk(spec, intent, true, listener, place, begun).orElseThrow();
  }

  /** Returns empty if the turn has to begin again, alone. */
  private Optional<TurnResult> walk(
      TurnSpec spec,
      TurnIntent intent,
      boolean alone,
      TurnListener listener,
      Supplier<Admission.Place> place,
      long begun)
      throws InterruptedException {
    try (TurnGuard guard = begin(spec, intent, alone)) {
      try (Admission.Place taken = place.get()) {
        SessionParams.requireAsOpened(spec, guard.kind());
        return guard.kind() == SessionKind.REGULAR
            ? trees.run(spec, guard, listener, taken, begun)
            : Optional.of(run(spec, guard, listener, taken, begun));
      } catch (FaultException e) {
        guard.abandon(outcome(e.fault()));
        throw e;
      }
    }
  }

  private TurnGuard begin(TurnSpec spec, TurnIntent intent, boolean alone)
      throws InterruptedException {
    try {
      return alone ? router.beginAlone(intent) : router.begin(intent);
    } catch (FaultException e) {
      throw spec.ext()
          .params()
          .map(params -> params.told(e, spec.ext().control().orElseThrow().session()))
          .orElse(e);
    }
  }

  /** Where a turn would go, and its prompt. */
  record Placement(Selection selection, Tokens prompt) {}

  /** Tells where a turn would go; books, opens and commits nothing. */
  Placement place(TurnSpec spec) throws InterruptedException {
    TurnIntent intent =
        new TurnIntent(
            spec.turnId(), spec.tenant(), spec.ext().control(), workers.pin(spec.ext()), true);
    try (TurnGuard guard = router.begin(intent)) {
      Optional<SessionControl> control = spec.ext().control();
      Optional<Transcript> transcript =
          control.flatMap(asked ->
              guard.incarnation().flatMap(life -> transcripts.copy(asked.session(), life)));
      Prompt prompt = begun(spec, guard, build(spec, guard, transcript));
      Selection selection = guard.select(spec.query(prompt), prompt.mayBeAside());
      var _ = guard.finish(TurnOutcome.COMPLETED);
      return new Placement(selection, prompt.context());
    }
  }

  /**
   * Opens a session without a turn; one that has a parent starts with what that has committed.
   *
   * @return whether it was opened, and not open already with the same settings
   * @throws FaultException {@code parent_not_found}, {@code session_settings}, {@code
   *     context_lost}, {@code tip_mismatch}, or why no worker takes it
   */
  boolean open(SessionControl control) throws InterruptedException {
    TurnIntent intent =
        new TurnIntent(
            "open", control.session().tenant(), Optional.of(control), Optional.empty(), false);
    try (TurnGuard guard = router.begin(intent)) {
      boolean begins = guard.reason() != NoSession.NONE;
      try {
        Optional<Transcript> held = begins ? begin(control, guard) : recall.of(control, guard);
        checkExpected(control, guard, held, "");
      } catch (FaultException e) {
        guard.abandon(outcome(e.fault()));
        throw e;
      }
      if (begins) {
        guard.accepted();
      }
      var _ = guard.finish(TurnOutcome.COMPLETED);
      return begins;
    }
  }

  /** Returns what a session has said that begins without a turn: what its parent has. */
  private Optional<Transcript> begin(SessionControl control, TurnGuard guard) {
    SessionId id = control.session();
    Incarnation life = guard.incarnation().orElseThrow();
    Optional<Parent> parent = Recall.parent(guard);
    Optional<Transcript> copy =
        parent.isPresent()
            ? recall.fork(parent.get(), guard.parentTip(), id, life)
            : Optional.of(transcripts.open(id, life));
    Selection selection = guard.select(SelectionQuery.ofBlocks(new long[0], 0, 0));
    Dispatch.Begun begun = Dispatch.open(guard, selection);
    recall.begin(id, life, begun, copy);
    boolean empty = begun.with().committed() == 0;
    guard
        .away()
        .or(() -> empty ? Losses.ofParent(guard) : Optional.empty())
        .ifPresent(cause -> ledger.away(id, life, cause));
    return transcripts.find(id, life);
  }

  private static TurnOutcome outcome(Fault fault) {
    return switch (fault) {
      case Fault.Cancelled _ -> TurnOutcome.ABORTED;
      case Fault.Unavailable _, Fault.Internal _ -> TurnOutcome.FAILED;
      default -> TurnOutcome.REFUSED;
    };
  }

  private TurnResult run(
      TurnSpec spec, TurnGuard guard, TurnListener listener, Admission.Place place, long begun)
      throws InterruptedException {
    Optional<SessionControl> control = spec.ext().control();
    Optional<Transcript> found = control.flatMap(asked -> recall.of(asked, guard));
    Optional<TurnResult> before = RepeatedTurn.find(spec, found);
    TurnResult result;
    if (before.isPresent()) {
      result = before.get();
      metrics.repeatedTurn();
      RepeatedTurn.tell(result, listener);
    } else {
      Draft draft = draft(spec, guard, recall.upToDate(spec, guard, found));
      Selection selection = select(spec, guard, draft);
      result = keeper.read(spec, guard, dispatch(spec, guard, draft, selection), listener, begun);
    }
    place.free(); // before the session's next turn, which needs one, can begin
    return result.closed(guard.finish(TurnOutcome.COMPLETED));
  }

  /** A prompt, and what it was built from. */
  private record Draft(Prompt prompt, Optional<Transcript> transcript) {

    Dispatched sent(Dispatch.Sent to) {
      return new Dispatched(prompt, transcript, to);
    }
  }

  private Draft draft(TurnSpec spec, TurnGuard guard, Optional<Transcript> transcript) {
    Prompt prompt = build(spec, guard, transcript);
    metrics.prompt(prompt.rendering().characters(), prompt.tokenised());
    checkLength(prompt.length(), contextLength);
    return new Draft(begun(spec, guard, prompt), transcript);
  }

  private static Prompt build(TurnSpec spec, TurnGuard guard, Optional<Transcript> transcript) {
    return guard.kind() == SessionKind.STREAMING && spec.input() == Input.DELTA
        ? spec.source().inStream(transcript)
        : spec.source().build(spec.input(), transcript);
  }

  /** A session begins with the whole prompt that it is opened with, whatever it held before. */
  private static Prompt begun(TurnSpec spec, TurnGuard guard, Prompt prompt) {
    boolean opens = spec.ext().control().filter(asked -> asked.action() == Action.OPEN).isPresent();
    return opens || Recall.begins(guard) ? prompt.restarting() : prompt;
  }

  /** Chooses the turn's rank, unless it would break what was promised or is expected. */
  private Selection select(TurnSpec spec, TurnGuard guard, Draft draft) {
    Optional<SessionControl> control = spec.ext().control();
    Prompt prompt = draft.prompt();
    Selection selection = guard.select(spec.query(prompt), prompt.mayBeAside());
    control
        .filter(_ -> !prompt.aside())
        .ifPresent(asked -> Expectations.checkPromise(asked, selection));
    boolean workerChecks =
        spec.input() == Input.FULL && Dispatch.isForgotten(guard, draft.transcript());
    if (selection.incarnation().isEmpty() || !workerChecks) {
      control.ifPresent(asked -> checkExpected(asked, guard, draft.transcript(), CONTROL));
    }
    return selection;
  }

  /** Sends a turn; a delta once more where its session is not where its transcript says. */
  private Dispatched dispatch(TurnSpec spec, TurnGuard guard, Draft draft, Selection selection)
      throws InterruptedException {
    try {
      return draft.sent(dispatch.send(spec, guard, draft.prompt(), draft.transcript(), selection));
    } catch (FaultException e) {
      boolean settles = spec.input() == Input.DELTA && Dispatch.isTipMismatch(e.fault());
      if (!settles || draft.transcript().isEmpty()) {
        throw e;
      }
      SessionControl control = spec.ext().control().orElseThrow();
      return switch (recall.settle(control, guard, selection.target(), draft.transcript().get())) {
        case Settled.Not() -> throw e;
        case Settled.ByTranscript() when Recall.isStale(guard, draft.transcript().get()) -> throw e;
        case Settled.ByTranscript() -> draft.sent(dispatch.replay(spec, draft.prompt(), selection));
        case Settled.ByEngine(Transcript restored) -> {
          Optional<Transcript> held = Optional.of(restored);
          checkExpected(control, guard, held, CONTROL);
          Draft again = draft(spec, guard, held);
          yield again.sent(dispatch.send(spec, guard, again.prompt(), held, selection));
        }
      };
    }
  }

  private static void checkExpected(
      SessionControl control, TurnGuard guard, Optional<Transcript> transcript, String path) {
    Expectations.check(
        control, transcript, Recall.begins(guard) ? control.parent() : Optional.empty(), path);
  }

  /** Refuses a prompt that leaves no room for an answer. */
  static void checkLength(int length, int contextLength) {
    if (length >= contextLength) {
      throw new Fault.PromptTooLong(
              "the prompt has "
                  + new Counted(length, "token")
                  + "; this model's context has room for "
                  + contextLength
                  + ", the answer included",
              "prompt")
          .asException();
    }
  }
}
