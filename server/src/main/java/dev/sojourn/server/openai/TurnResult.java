package dev.sojourn.server.openai;

import dev.sojourn.backend.Generation.Event;
import dev.sojourn.core.LossCause;
import dev.sojourn.core.Promise;
import dev.sojourn.engine.TurnEnd;
import dev.sojourn.engine.TurnStart;
import dev.sojourn.router.CloseReport;
import dev.sojourn.router.NoSession;
import dev.sojourn.router.Selection;
import dev.sojourn.server.prompt.Answer;
import dev.sojourn.server.prompt.Divergence;
import dev.sojourn.server.prompt.Rendering;
import dev.sojourn.server.sessions.Account;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What came of a turn.
 *
 * @param spec what was asked for
 * @param selection where it ran
 * @param start what it found there
 * @param end how it ended
 * @param answer what it says
 * @param tokens the tokens that count, if log probabilities were asked for; a sampled end-of-turn
 *     token among them
 * @param why why it had no session, or had to open it
 * @param promise what the worker promises for its session
 * @param divergence where its prompt left what the session held
 * @param rendering what its template had to write
 * @param close what became of a close
 * @param repeated whether the turn had been answered before, and this is the answer of then
 */
record TurnResult(
    TurnSpec spec,
    Selection selection,
    TurnStart start,
    TurnEnd end,
    Answer answer,
    List<Event.Token> tokens,
    NoSession why,
    Promise promise,
    Optional<Divergence> divergence,
    Rendering rendering,
    CloseReport close,
    boolean repeated) {

  TurnResult {
    tokens = List.copyOf(tokens);
  }

  /**
   * Returns how many tokens the session had held that were computed again or, diverged, given up.
   */
  Map<LossCause, Integer> losses() {
    return start.losses();
  }

  /** Returns what an account has to know of it. */
  Account.Turn entry() {
    return new Account.Turn(
        start.mode(),
        start.promptTokens(),
        start.reusedTokens(),
        end.sampled(),
        losses(),
        end.committed(),
        spec.ext().hints().priority());
  }

  /** Returns this with what became of a close. */
  TurnResult closed(CloseReport report) {
    return new TurnResult(
        spec,
        selection,
        start,
        end,
        answer,
        tokens,
        why,
        promise,
        divergence,
        rendering,
        report,
        repeated);
  }

  /** Returns this as the answer to a request that asks for the same once more. */
  TurnResult again(TurnSpec asking) {
    return new TurnResult(
        asking.withSeed(spec.options().seed()),
        selection,
        start,
        end,
        answer,
        tokens,
        why,
        promise,
        divergence,
        rendering,
        close,
        true);
  }
}
