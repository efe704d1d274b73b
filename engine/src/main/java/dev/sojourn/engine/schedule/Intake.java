package dev.sojourn.engine.schedule;

import static dev.sojourn.core.BlockHasher.BLOCK;

import dev.sojourn.core.Counted;
import dev.sojourn.core.Fault;
import dev.sojourn.core.SessionControl.Input;
import dev.sojourn.core.SessionControl.OnDivergence;
import dev.sojourn.core.Tokens;
import dev.sojourn.core.TurnMode;
import dev.sojourn.engine.SessionTurn;
import dev.sojourn.engine.TurnRequest;
import dev.sojourn.engine.kv.Branch;
import dev.sojourn.engine.kv.Growth;
import dev.sojourn.engine.kv.SessionRecord;
import dev.sojourn.engine.kv.Sessions;
import dev.sojourn.engine.kv.TurnTree;
import dev.sojourn.engine.model.ModelRunner;
import dev.sojourn.engine.schedule.Turn.Plan;
import java.util.HexFormat;
import java.util.Map;
import java.util.OptionalInt;

/**
 * Checks what comes in: whether a turn fits its session, and whether it can ever run. What it finds
 * holds until the turn ends, since a session, or a branch of a regular one, has one turn at a time.
 */
final class Intake {

  private final Sessions sessions;
  private final int vocabularySize;
  private final int contextLength;
  private final int poolTokens;

  Intake(Sessions sessions, ModelRunner runner) {
    this.sessions = sessions;
    vocabularySize = runner.vocabularySize();
    contextLength = runner.contextLength();
    poolTokens = runner.pages() * BLOCK;
  }

  /**
   * Finds out what a turn does to its session.
   *
   * @throws dev.sojourn.core.FaultException if the session is not as the turn says, or an id is no
   *     token
   */
  Plan plan(TurnRequest request) {
    Plan plan =
        request
            .session()
            .map(turn -> inSession(request, turn))
            .orElseGet(() -> new Plan(null, TurnMode.NONE, 0, 0, request.input()));
    for (int i = 0; i < plan.scratch().length(); i++) {
      int id = plan.scratch().get(i);
      if (id < 0 || id >= vocabularySize) {
        throw Fault.invalid(
                "prompt",
                "token " + id + " is not in the vocabulary of " + vocabularySize + " tokens")
            .asException();
      }
    }
    if (plan.promptLength() == 0) {
      throw Fault.invalid("prompt", "a prompt has at least one token").asException();
    }
    return plan;
  }

  /**
   * Returns the length at which a turn ends at the latest.
   *
   * @throws dev.sojourn.core.FaultException if it leaves no room for an answer
   */
  int limit(TurnRequest request, Plan plan) {
    int prompt = plan.promptLength();
    requireRoom(prompt, contextLength - 1, "the model's context", contextLength);
    // The last token of a turn has no KV.
    requireRoom(prompt, poolTokens, "this rank's KV pool", poolTokens);
    int limit = Math.min(contextLength, poolTokens + 1);
    SessionRecord session = plan.session();
    if (session != null && plan.commits()) {
      OptionalInt capacity = session.settings().capacity();
      if (capacity.isPresent()) {
        int most = capacity.getAsInt();
        requireRoom(prompt, most - 1, "the session's capacity", most);
        limit = Math.min(limit, most);
      }
    }
    return (int) Math.min(limit, (long) prompt + request.maxTokens());
  }

  private static void requireRoom(int prompt, int most, String where, int size) {
    if (prompt > most) {
      throw new Fault.PromptTooLong(
              "the prompt has "
                  + new Counted(prompt, "token")
                  + "; at most "
                  + most
                  + " leave room for an answer in "
                  + where
                  + " of "
                  + size
                  + " tokens",
              "prompt")
          .asException();
    }
  }

  private Plan inSession(TurnRequest request, SessionTurn turn) {
    SessionRecord session = sessions.find(turn.id(), turn.incarnation());
    if (session.tree() != null || turn.place().isPresent()) {
      return inTree(request, turn, session);
    }
    Branch branch = session.branch();
    if (!branch.accepts(request.namespace().seed())) {
      throw Fault.invalid(
              "cache_salt", "session " + turn.id().name() + " was begun with another cache salt")
          .asException();
    }
    int committed = branch.committed();
    if (turn.expectedTip().orElse(committed) != committed
        || (turn.expectedDigest().isPresent()
            && turn.expectedDigest().getAsLong() != branch.digest())) {
      throw conflict(
          "tip_mismatch", "session " + turn.id().name() + " is not where the request says", branch);
    }
    if (committed == 0) {
      // A prompt that knows how far back it may go belongs beside what was said before. If the
      // session is empty, it was lost, and will be replayed: this is not its first turn.
      boolean aside = turn.rewindFloor() > 0 && !turn.restarts();
      TurnMode mode = aside ? TurnMode.ASIDE : TurnMode.OPENED;
      return new Plan(session, mode, 0, 0, request.input());
    }
    TurnMode onward = branch.isFreshFork() ? TurnMode.FORK : TurnMode.APPEND;
    if (turn.input() == Input.DELTA) {
      return new Plan(session, onward, committed, committed, request.input());
    }
    Tokens input = request.input();
    int common = branch.tokens().mismatch(input);
    if (common == committed) {
      return new Plan(session, onward, committed, committed, input.from(committed));
    }
    if (turn.onDivergence() == OnDivergence.REJECT) {
      throw conflict(
          "diverged",
          "the prompt differs from session " + turn.id().name() + " from token " + common + " on",
          branch);
    }
    int boundary = branch.boundary(Math.max(1, turn.rewindFloor()), common);
    if (boundary < 0 && turn.restarts()) {
      boundary = 0;
    }
    return boundary < 0
        ? new Plan(session, TurnMode.ASIDE, 0, committed, input)
        : new Plan(session, TurnMode.REWIND, common, boundary, input.from(common));
  }

  private static Plan inTree(TurnRequest request, SessionTurn turn, SessionRecord session) {
    TurnTree tree = session.tree();
    if (tree == null || turn.place().isEmpty()) {
      throw Fault.invalid(
              "session_params",
              "session "
                  + turn.id()
                  + (tree == null
                      ? " is one conversation, not a tree of turns"
                      : " is a tree of turns; each says where it goes on from"))
          .asException();
    }
    Growth growth =
        tree.plan(
            request.requestId(), turn.place().get(), request.input(), request.namespace().seed());
    return new Plan(
        session, growth.mode(), growth.common(), growth.common(), growth.scratch(), growth);
  }

  private static RuntimeException conflict(String code, String message, Branch held) {
    return new Fault.Conflict(
            code,
            message,
            Map.of("tip", held.committed(), "digest", HexFormat.of().toHexDigits(held.digest())))
        .asException();
  }
}
