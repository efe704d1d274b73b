package dev.sojourn.server.openai;

import dev.sojourn.backend.Generation;
import dev.sojourn.core.Fault;
import dev.sojourn.core.FaultException;
import dev.sojourn.core.Incarnation;
import dev.sojourn.core.Opened;
import dev.sojourn.core.SessionControl;
import dev.sojourn.core.SessionControl.Input;
import dev.sojourn.core.Tokens;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.engine.SessionTurn;
import dev.sojourn.engine.StopRules;
import dev.sojourn.engine.TurnRequest;
import dev.sojourn.router.NoSession;
import dev.sojourn.router.Selection;
import dev.sojourn.router.TurnGuard;
import dev.sojourn.server.prompt.Prompt;
import dev.sojourn.server.prompt.PromptBuilder;
import dev.sojourn.server.prompt.Transcript;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;

/**
 * Sends turns to their workers: only what is new where the session is believed to hold the rest. A
 * worker that lost the session opens it anew and gets the whole context; so does another one, once,
 * where the worker cannot be reached.
 *
 * <p>What a session has committed is what its engine holds; a transcript is a copy that also knows
 * the text. Where they differ, a full prompt decides, since the client said all of it; for a delta,
 * the transcript fills an engine session that is empty, and all else is refused, for {@link Recall}
 * to settle. Immutable, thread-safe.
 */
final class Dispatch {

  private final Workers workers;
  private final int contextLength;
  private final Set<Integer> endOfTurn;

  Dispatch(Workers workers, int contextLength, Set<Integer> endOfTurn) {
    this.workers = workers;
    this.contextLength = contextLength;
    this.endOfTurn = Set.copyOf(endOfTurn);
  }

  /** A generation that was accepted, and where. */
  record Sent(Generation generation, Selection selection) {}

  /**
   * Where a turn believes its session to be, which the worker refuses if it is elsewhere.
   *
   * @param input whether the worker gets only what follows there
   */
  private record Tip(Input input, OptionalInt length, OptionalLong digest) {

    /** The worker gets the whole context, wherever its session is. */
    static final Tip ANY = new Tip(Input.FULL, OptionalInt.empty(), OptionalLong.empty());

    /** The worker gets words that nothing comes before, so its session must hold nothing. */
    static final Tip EMPTY = new Tip(Input.FULL, OptionalInt.of(0), OptionalLong.empty());
  }

  /** Returns whether a session is older than what is held here of what it said. */
  static boolean isForgotten(TurnGuard guard, Optional<Transcript> transcript) {
    return guard.incarnation().isPresent()
        && guard.reason() == NoSession.NONE
        && isEmpty(transcript);
  }

  private static boolean isEmpty(Optional<Transcript> transcript) {
    return transcript.filter(held -> held.committed() > 0).isEmpty();
  }

  /**
   * Opens the engine session that a turn needs, if it needs one, and sends it.
   *
   * @throws FaultException why no worker takes it
   */
  Sent send(
      TurnSpec spec,
      TurnGuard guard,
      Prompt prompt,
      Optional<Transcript> transcript,
      Selection selection)
      throws InterruptedException {
    requireCurrent(spec, guard, transcript, selection);
    try {
      boolean forked = guard.open().filter(opened -> opened.committed() > 0).isPresent();
      return sendTo(spec, guard, prompt, transcript, selection, forked);
    } catch (FaultException e) {
      if (!(e.fault() instanceof Fault.Unavailable)) {
        throw e;
      }
      Selection elsewhere = elsewhere(guard, e);
      requireCurrent(spec, guard, transcript, elsewhere);
      guard.open();
      return send(spec, elsewhere, prompt, Tip.ANY);
    }
  }

  /**
   * Refuses a delta that would go on, outside of its engine session, from what is held here, where
   * that is not what the session's last turn left: another gateway's turns would be missing.
   */
  private static void requireCurrent(
      TurnSpec spec, TurnGuard guard, Optional<Transcript> transcript, Selection selection) {
    if (spec.input() == Input.DELTA
        && !selection.incarnation().equals(guard.incarnation())
        && transcript.filter(held -> Recall.isStale(guard, held)).isPresent()) {
      throw PromptBuilder.forgotten();
    }
  }

  /**
   * An engine session that was opened without a turn.
   *
   * @param at where
   * @param with what it begins with
   */
  record Begun(WorkerRank at, Opened with) {}

  /**
   * Opens the engine session of one that has no turn yet.
   *
   * @throws FaultException why no worker takes it
   */
  static Begun open(TurnGuard guard, Selection selection) {
    try {
      return new Begun(selection.target(), guard.open().orElseThrow());
    } catch (FaultException e) {
      if (!(e.fault() instanceof Fault.Unavailable)) {
        throw e;
      }
      Selection elsewhere = elsewhere(guard, e);
      return new Begun(elsewhere.target(), guard.open().orElseThrow());
    }
  }

  /** Sends a turn's whole context to a session that holds something else, or less. */
  Sent replay(TurnSpec spec, Prompt prompt, Selection selection) throws InterruptedException {
    return send(spec, selection, prompt, Tip.ANY);
  }

  private static Selection elsewhere(TurnGuard guard, FaultException unreachable) {
    try {
      return guard.unreachable();
    } catch (FaultException nowhere) {
      unreachable.addSuppressed(nowhere);
      throw unreachable; // which says why
    }
  }

  private Sent sendTo(
      TurnSpec spec,
      TurnGuard guard,
      Prompt prompt,
      Optional<Transcript> transcript,
      Selection selection,
      boolean forked)
      throws InterruptedException {
    boolean known =
        guard.incarnation().isPresent() && selection.incarnation().equals(guard.incarnation());
    boolean goesOn = known && (forked || guard.reason() == NoSession.NONE) && !isEmpty(transcript);
    boolean delta = goesOn && prompt.extendsCommitted() && !prompt.fresh().isEmpty();
    // A delta may be sent whole, as its template writes earlier messages anew: that overrides no
    // turn of another gateway either.
    boolean expects = delta || (goesOn && spec.input() == Input.DELTA);
    Tip tip = Tip.ANY;
    if (expects) {
      Transcript held = transcript.orElseThrow();
      Input input = delta ? Input.DELTA : Input.FULL;
      tip = new Tip(input, OptionalInt.of(held.committed()), OptionalLong.of(held.digest()));
    } else if (known && spec.input() == Input.DELTA && isEmpty(transcript)) {
      tip = Tip.EMPTY;
    } else if (known && isForgotten(guard, transcript)) {
      // The worker alone can tell whether the client's expectation is right.
      SessionControl asked = spec.ext().control().orElseThrow();
      tip = new Tip(Input.FULL, asked.expectedTip(), asked.expectedDigest());
    }
    try {
      return send(spec, selection, prompt, tip);
    } catch (FaultException e) {
      if (expects && isTipMismatch(e.fault()) && mayReplay(spec, guard, transcript, e.fault())) {
        return replay(spec, prompt, selection);
      }
      if (known && guard.reason() == NoSession.NONE && isLost(e.fault())) {
        Selection anew = guard.lost();
        requireCurrent(spec, guard, transcript, anew);
        guard.open();
        return send(spec, anew, prompt, Tip.ANY);
      }
      throw e;
    }
  }

  private Sent send(TurnSpec spec, Selection selection, Prompt prompt, Tip tip)
      throws InterruptedException {
    Optional<SessionTurn> session =
        selection.incarnation().map(life -> sessionTurn(spec, life, prompt, tip));
    Tokens input = tip.input() == Input.DELTA ? prompt.fresh() : prompt.context();
    try {
      return send(spec, selection, input, prompt.length(), session);
    } catch (FaultException e) {
      throw Expectations.told(e, spec, prompt);
    }
  }

  /**
   * Sends what there is to send.
   *
   * @param length of the prompt that it ends, as far as that is known here
   */
  Sent send(
      TurnSpec spec, Selection selection, Tokens input, int length, Optional<SessionTurn> session)
      throws InterruptedException {
    int room = Math.max(1, contextLength - length);
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
    return new Sent(
        workers.at(selection.target()).generate(selection.target().rank(), request), selection);
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
        prompt.rewindFloor(),
        prompt.restarts(),
        Optional.empty());
  }

  private static boolean mayReplay(
      TurnSpec spec, TurnGuard guard, Optional<Transcript> transcript, Fault mismatch) {
    boolean empty =
        mismatch instanceof Fault.Conflict found
            && Integer.valueOf(0).equals(found.observed().get("tip"));
    boolean stale = transcript.filter(held -> Recall.isStale(guard, held)).isPresent();
    return spec.input() == Input.FULL || (empty && !stale);
  }

  /** Returns whether a session is not where a turn believed it to be. */
  static boolean isTipMismatch(Fault fault) {
    return isConflict(fault, "tip_mismatch");
  }

  private static boolean isConflict(Fault fault, String code) {
    return fault instanceof Fault.Conflict conflict && conflict.code().equals(code);
  }

  /** Returns whether a worker does not know a session, or not this life of it. */
  static boolean isLost(Fault fault) {
    boolean unknown =
        fault instanceof Fault.NotFound missing && missing.code().equals("session_not_found");
    return unknown || isConflict(fault, "stale_incarnation");
  }
}
