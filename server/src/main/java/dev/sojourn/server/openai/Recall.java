package dev.sojourn.server.openai;

import dev.sojourn.core.FaultException;
import dev.sojourn.core.Incarnation;
import dev.sojourn.core.Opened;
import dev.sojourn.core.Parent;
import dev.sojourn.core.SessionControl;
import dev.sojourn.core.SessionControl.Action;
import dev.sojourn.core.SessionControl.Input;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.SessionTokens;
import dev.sojourn.core.Tokens;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.router.NoSession;
import dev.sojourn.router.Router;
import dev.sojourn.router.TurnGuard;
import dev.sojourn.router.affinity.Tip;
import dev.sojourn.server.prompt.PromptBuilder;
import dev.sojourn.server.prompt.Transcript;
import dev.sojourn.server.prompt.Transcripts;
import java.util.Optional;

/**
 * Finds what a session has said: in its transcript, or, where that was forgotten or is behind, in
 * what its engine holds. Thread-safe.
 */
final class Recall {

  private final Router router;
  private final Workers workers;
  private final Transcripts transcripts;

  Recall(Router router, Workers workers, Transcripts transcripts) {
    this.router = router;
    this.workers = workers;
    this.transcripts = transcripts;
  }

  /** Returns the session that a turn's session is being started from. */
  static Optional<Parent> parent(TurnGuard guard) {
    return guard.parent().filter(Parent::shares);
  }

  /**
   * Returns what a turn's session has said, an empty transcript if it begins or that was
   * {@linkplain Transcript#isForgotten forgotten}; nothing if there is no session, or if it was
   * forgotten and the turn says only what is new.
   */
  Optional<Transcript> of(SessionControl control, TurnGuard guard) {
    if (guard.incarnation().isEmpty()) {
      return Optional.empty();
    }
    SessionId id = control.session();
    Incarnation life = guard.incarnation().get();
    if (guard.reason() == NoSession.NONE) {
      return held(control, guard, life);
    }
    Optional<Parent> parent = parent(guard);
    if (parent.isPresent()) {
      Optional<Transcript> forked = fork(parent.get(), guard.parentTip(), id, life);
      if (forked.isPresent() || control.input() == Input.DELTA) {
        return forked;
      }
      return Optional.of(transcripts.openForgotten(id, life));
    }
    Transcript begun = transcripts.open(id, life);
    if (control.action() == Action.CONTINUE) {
      begun.openedImplicitly();
    }
    return Optional.of(begun);
  }

  private Optional<Transcript> held(SessionControl control, TurnGuard guard, Incarnation life) {
    SessionId id = control.session();
    Optional<Transcript> found = transcripts.find(id, life);
    if (found.filter(transcript -> transcript.committed() > 0).isEmpty()) {
      Optional<SessionTokens> tokens = tokens(id, life);
      boolean misses = control.input() == Input.DELTA && isCut(guard.tip(), tokens);
      if (tokens.isPresent() && !misses) {
        return Optional.of(transcripts.restore(id, life, tokens.get()));
      }
    }
    return control.input() == Input.DELTA
        ? found
        : Optional.of(transcripts.openForgotten(id, life));
  }

  /**
   * Gives a session that begins what its parent has said; empty if nobody knows that. A transcript
   * that is still empty proves nothing: the engine commits a turn before its answer is all told.
   *
   * @param tip of the parent, if it is known: where the transcript is not at it, and the engine's
   *     record ends before it, neither has all that was said
   */
  Optional<Transcript> fork(Parent parent, Optional<Tip> tip, SessionId child, Incarnation life) {
    Optional<Transcript> copy = transcripts.fork(parent.id(), parent.incarnation(), child, life);
    Optional<Transcript> said = copy.filter(held -> held.committed() > 0);
    if (said.filter(held -> !isElsewhere(tip, held)).isPresent()) {
      return said;
    }
    Optional<SessionTokens> record = tokens(parent.id(), parent.incarnation());
    if (said.filter(held -> agree(held, record)).isPresent()) {
      return said; // a turn has just ended, whose tip is not known yet
    }
    if (record.isPresent() && !isCut(tip, record)) {
      return record.map(tokens -> transcripts.restore(child, life, tokens));
    }
    return tip.isPresent() ? Optional.empty() : copy.filter(held -> !held.isForgotten());
  }

  private static boolean agree(Transcript held, Optional<SessionTokens> record) {
    return record
        .filter(
            tokens -> tokens.ids().length() == held.committed() && tokens.digest() == held.digest())
        .isPresent();
  }

  /**
   * Sees to it that the transcript of a session that was just started from its parent says what its
   * engine session begins with: of the parent, a turn may have ended between the two copies. Where
   * a regeneration has cut back what the engine copied, the first turn replays the transcript.
   *
   * @param copy of the parent's transcript
   * @throws FaultException {@code context_lost}, if neither has what the parent said
   */
  void begin(SessionId child, Incarnation life, Dispatch.Begun begun, Optional<Transcript> copy) {
    Opened with = begun.with();
    if (with.committed() == 0) {
      if (copy.isEmpty()) {
        throw PromptBuilder.forgotten();
      }
      return; // the first turn replays the copy
    }
    boolean same =
        copy.filter(said -> said.committed() == with.committed() && said.digest() == with.digest())
            .isPresent();
    if (!same) {
      tokens(begun.at(), child, life)
          .filter(tokens -> copy.filter(said -> extend(said.tokens(), tokens.ids())).isEmpty())
          .ifPresent(tokens -> transcripts.restore(child, life, tokens));
    }
  }

  /**
   * Returns whether a transcript is not what its session's last turn left, whichever gateway served
   * that.
   */
  static boolean isStale(TurnGuard guard, Transcript held) {
    return isElsewhere(guard.tip(), held);
  }

  private static boolean isElsewhere(Optional<Tip> known, Transcript held) {
    return known
        .filter(tip -> tip.length() != held.committed() || tip.digest() != held.digest())
        .isPresent();
  }

  /**
   * Returns whether an engine's record ends before its session's last turn did: a regeneration that
   * was given up has cut it back, and what it cut off only the gateway of that turn still knows.
   */
  private static boolean isCut(Optional<Tip> known, Optional<SessionTokens> record) {
    return record.isPresent()
        && known.filter(tip -> tip.length() > record.get().ids().length()).isPresent();
  }

  /**
   * Returns what the engine holds where the client expects more than is held here, or says only
   * what is new behind a turn that another gateway served.
   *
   * @throws FaultException {@code context_lost}, if the engine does not hold that turn behind what
   *     is held here
   */
  Optional<Transcript> upToDate(TurnSpec spec, TurnGuard guard, Optional<Transcript> found) {
    Optional<SessionControl> control = spec.ext().control();
    boolean stale =
        spec.input() == Input.DELTA && found.filter(held -> isStale(guard, held)).isPresent();
    if (control.isEmpty() || (Expectations.hold(control.get(), found) && !stale)) {
      return found;
    }
    Optional<Transcript> ahead = found.flatMap(held -> ahead(control.get(), guard, held));
    if (stale && ahead.isEmpty() && !isRecord(control.get(), guard, found.orElseThrow())) {
      throw PromptBuilder.forgotten();
    }
    return ahead.or(() -> found);
  }

  /** Returns whether the engine holds what is held here: the tip was not told of it yet. */
  private boolean isRecord(SessionControl control, TurnGuard guard, Transcript held) {
    return guard.reason() == NoSession.NONE
        && guard
            .incarnation()
            .filter(life -> agree(held, tokens(control.session(), life)))
            .isPresent();
  }

  /** Returns what the session's engine holds, if it goes on from what is held here. */
  private Optional<Transcript> ahead(SessionControl control, TurnGuard guard, Transcript behind) {
    if (guard.incarnation().isEmpty() || guard.reason() != NoSession.NONE) {
      return Optional.empty();
    }
    SessionId id = control.session();
    Incarnation life = guard.incarnation().get();
    return tokens(id, life)
        .filter(
            record -> !(control.input() == Input.DELTA && isCut(guard.tip(), Optional.of(record))))
        .filter(tokens -> extend(tokens.ids(), behind.tokens()))
        .map(tokens -> transcripts.restore(id, life, tokens));
  }

  /** What to go by where a worker's session is not where its transcript says. */
  sealed interface Settled {

    /**
     * The engine's record: it goes on from the transcript, or was just started from a parent and
     * knows best how far that was.
     */
    record ByEngine(Transcript restored) implements Settled {}

    /**
     * The transcript, which the engine holds a beginning of: of what follows, a turn was undone.
     */
    record ByTranscript() implements Settled {}

    /** Neither: they tell different stories. */
    record Not() implements Settled {}
  }

  /** Settles by which of the two a delta goes on, whose worker has refused the tip. */
  Settled settle(SessionControl control, TurnGuard guard, WorkerRank at, Transcript said) {
    SessionId id = control.session();
    Incarnation life = guard.incarnation().orElseThrow();
    Optional<SessionTokens> record = tokens(at, id, life);
    if (record.isEmpty()) {
      return new Settled.Not();
    }
    if (isStale(guard, said) && isCut(guard.tip(), record)) {
      return new Settled.Not();
    }
    Tokens ids = record.get().ids();
    if (extend(said.tokens(), ids)) {
      return new Settled.ByTranscript();
    }
    return begins(guard) || extend(ids, said.tokens())
        ? new Settled.ByEngine(transcripts.restore(id, life, record.get()))
        : new Settled.Not();
  }

  /** Returns whether a turn is the first of a session that is started from its parent. */
  static boolean begins(TurnGuard guard) {
    return guard.reason() != NoSession.NONE && parent(guard).isPresent();
  }

  private static boolean extend(Tokens longer, Tokens shorter) {
    return longer.length() > shorter.length() && shorter.mismatch(longer) == shorter.length();
  }

  /** Returns what an engine holds of a session that is bound to it. */
  private Optional<SessionTokens> tokens(SessionId id, Incarnation life) {
    return router
        .binding(id)
        .filter(binding -> binding.incarnation().equals(life))
        .flatMap(binding -> binding.target())
        .flatMap(target -> tokens(target, id, life));
  }

  /** Returns what an engine holds of a session; empty if that is nothing, or cannot be told. */
  private Optional<SessionTokens> tokens(WorkerRank at, SessionId id, Incarnation life) {
    try {
      return workers.at(at).tokens(at.rank(), id, life).filter(tokens -> !tokens.ids().isEmpty());
    } catch (FaultException e) {
      return Optional.empty(); // the turn will find out what is wrong there
    }
  }
}
