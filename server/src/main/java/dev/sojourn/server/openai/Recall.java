package dev.sojourn.server.openai;

import dev.sojourn.backend.Worker;
import dev.sojourn.core.FaultException;
import dev.sojourn.core.Incarnation;
import dev.sojourn.core.Parent;
import dev.sojourn.core.SessionControl;
import dev.sojourn.core.SessionControl.Action;
import dev.sojourn.core.SessionControl.Input;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.SessionTokens;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.router.NoSession;
import dev.sojourn.router.Router;
import dev.sojourn.router.TurnGuard;
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
   * Returns what a turn's session has said, an empty transcript if it begins; nothing if there is
   * no session, or if it was forgotten and the turn says only what is new.
   */
  Optional<Transcript> of(SessionControl control, TurnGuard guard) {
    if (guard.incarnation().isEmpty()) {
      return Optional.empty();
    }
    SessionId id = control.session();
    Incarnation life = guard.incarnation().get();
    if (guard.reason() == NoSession.NONE) {
      return held(control, life);
    }
    Optional<Parent> parent = parent(guard);
    if (parent.isPresent()) {
      Optional<Transcript> forked = fork(parent.get(), id, life);
      if (forked.isPresent() || control.input() == Input.DELTA) {
        return forked;
      }
    }
    Transcript begun = transcripts.open(id, life);
    if (control.action() == Action.CONTINUE) {
      begun.openedImplicitly();
    }
    return Optional.of(begun);
  }

  private Optional<Transcript> held(SessionControl control, Incarnation life) {
    SessionId id = control.session();
    Optional<Transcript> found = transcripts.find(id, life);
    if (found.filter(transcript -> transcript.committed() > 0).isEmpty()) {
      Optional<SessionTokens> tokens = tokens(id, life);
      if (tokens.isPresent()) {
        return Optional.of(transcripts.restore(id, life, tokens.get()));
      }
    }
    return control.input() == Input.DELTA ? found : Optional.of(transcripts.open(id, life));
  }

  /** Gives a session that begins what its parent has said; empty if nobody knows that. */
  Optional<Transcript> fork(Parent parent, SessionId child, Incarnation life) {
    return transcripts
        .fork(parent.id(), parent.incarnation(), child, life)
        .or(() ->
            tokens(parent.id(), parent.incarnation())
                .map(tokens -> transcripts.restore(child, life, tokens)));
  }

  /** Returns what the session's engine holds, if it goes on from what is held here. */
  Optional<Transcript> ahead(SessionControl control, TurnGuard guard, Transcript behind) {
    if (guard.incarnation().isEmpty() || guard.reason() != NoSession.NONE) {
      return Optional.empty();
    }
    Incarnation life = guard.incarnation().get();
    return tokens(control.session(), life)
        .filter(tokens -> tokens.ids().length() > behind.committed())
        .filter(tokens -> behind.tokens().mismatch(tokens.ids()) == behind.committed())
        .map(tokens -> transcripts.restore(control.session(), life, tokens));
  }

  /** Returns what an engine holds of a session; empty if that is nothing, or cannot be told. */
  private Optional<SessionTokens> tokens(SessionId id, Incarnation life) {
    Optional<WorkerRank> target =
        router
            .binding(id)
            .filter(binding -> binding.incarnation().equals(life))
            .flatMap(binding -> binding.target());
    try {
      return target
          .flatMap(rank -> {
            Worker worker = workers.at(rank);
            return worker.tokens(rank.rank(), id, life);
          })
          .filter(tokens -> !tokens.ids().isEmpty());
    } catch (FaultException e) {
      return Optional.empty(); // the turn will find out what is wrong there
    }
  }
}
