package dev.sojourn.server.openai;

import dev.sojourn.core.Incarnation;
import dev.sojourn.core.LossCause;
import dev.sojourn.core.SessionControl;
import dev.sojourn.core.SessionControl.Action;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.TurnMode;
import dev.sojourn.engine.TurnStart;
import dev.sojourn.router.NoSession;
import dev.sojourn.router.TurnGuard;
import dev.sojourn.server.prompt.Prompt;
import dev.sojourn.server.sessions.Ledger;
import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * What a session had held, or the parent that it starts from, and a turn computes again. The engine
 * tells of what its own record had; a life that begins elsewhere, or was cut back by a turn that
 * was given up, knows nothing of what was there before, but the prompt does: it was built from it.
 */
final class Losses {

  private Losses() {}

  /**
   * What became of a session before a turn.
   *
   * @param away why its engine's record begins with less than was said so far, if that is so
   * @param otherwise why the record may lack more than that explains; empty if no engine held it
   * @param expired how many tokens it held when it expired, if the turn meant to go on with it
   */
  record Before(Optional<LossCause> away, Optional<LossCause> otherwise, OptionalInt expired) {

    /** Returns the same for a turn that found some of it: the rest was cut off. */
    private Optional<LossCause> otherwise(TurnMode mode) {
      return otherwise.map(cause -> mode == TurnMode.OPENED ? cause : LossCause.DIVERGED);
    }
  }

  /**
   * Returns what became of a turn's session, and writes down that it is away: that counts until a
   * turn is committed, since one that is given up tells nobody.
   *
   * @param life the one that the turn runs in
   * @param inEngine whether it runs in an engine session
   */
  static Before before(
      Optional<SessionControl> control,
      TurnGuard guard,
      Optional<Incarnation> life,
      boolean inEngine,
      Ledger ledger) {
    Optional<LossCause> now = guard.away();
    if (control.isEmpty()) {
      return new Before(now, Optional.empty(), OptionalInt.empty());
    }
    SessionId session = control.get().session();
    life.ifPresent(lived -> now.ifPresent(cause -> ledger.away(session, lived, cause)));
    boolean expired =
        control.get().action() == Action.CONTINUE && guard.reason() == NoSession.EXPIRED;
    return new Before(
        now.or(() -> life.flatMap(lived -> ledger.away(session, lived))),
        inEngine ? otherwise(guard) : Optional.empty(),
        expired ? ledger.heldAtEnd(session) : OptionalInt.empty());
  }

  /**
   * A session that goes on was cut back by a regeneration that was given up. One that starts from a
   * parent finds nothing of it where the worker lost it, or never held it.
   */
  private static Optional<LossCause> otherwise(TurnGuard guard) {
    return Recall.begins(guard) ? ofParent(guard) : Optional.of(LossCause.DIVERGED);
  }

  /** Returns why a worker that should hold a session's parent does not; empty if none should. */
  static Optional<LossCause> ofParent(TurnGuard guard) {
    return guard.isParentHeld() ? Optional.of(LossCause.WORKER_LOST) : Optional.empty();
  }

  /**
   * Returns how many tokens are computed again or given up, by cause.
   *
   * @param start what the engine found
   * @param mode how the turn stood to its session
   */
  static Map<LossCause, Integer> of(TurnStart start, TurnMode mode, Prompt prompt, Before before) {
    Optional<LossCause> away = before.away();
    Map<LossCause, Integer> losses = new EnumMap<>(LossCause.class);
    losses.putAll(start.losses());
    int most = start.promptTokens() - 1; // the last token of a prompt is computed anyway
    if (before.expired().isPresent()) {
      if (start.promptTokens() < before.expired().getAsInt()) {
        return losses; // it does not go on with what was held: a title of it, perhaps
      }
      add(losses, LossCause.EXPIRED, kv(before.expired().getAsInt(), most) - start.reusedTokens());
    } else if (prompt.committed() > 0 && mode != TurnMode.ASIDE) {
      int told =
          start.losses().entrySet().stream()
              .filter(loss -> loss.getKey() != LossCause.DIVERGED)
              .mapToInt(Map.Entry::getValue)
              .sum();
      int shared = Math.min(kv(prompt.committed(), most), prompt.knownPrefix());
      away.or(() -> before.otherwise(mode))
          .ifPresent(cause -> add(losses, cause, shared - start.reusedTokens() - told));
      if (away.isPresent() || (mode == TurnMode.OPENED && before.otherwise().isPresent())) {
        int held = kv(prompt.committed(), Integer.MAX_VALUE);
        add(losses, LossCause.DIVERGED, held - prompt.knownPrefix());
      }
    }
    return losses;
  }

  /** Returns how many of so many committed tokens had KV: not the last one, which was sampled. */
  private static int kv(int committed, int most) {
    return Math.min(committed - 1, most);
  }

  private static void add(Map<LossCause, Integer> losses, LossCause cause, int tokens) {
    if (tokens > 0) {
      losses.merge(cause, tokens, Integer::sum);
    }
  }
}
