package dev.sojourn.server.openai;

import dev.sojourn.core.Fault;
import dev.sojourn.core.FaultException;
import dev.sojourn.core.SessionId;
import dev.sojourn.engine.SessionTurn;
import dev.sojourn.engine.TreePlace;
import dev.sojourn.router.Selection;
import dev.sojourn.router.Selection.Affinity;
import dev.sojourn.router.TurnGuard;
import dev.sojourn.router.TurnOutcome;
import dev.sojourn.server.metrics.GatewayMetrics;
import dev.sojourn.server.prompt.Prompt;
import java.util.Map;
import java.util.Optional;

/**
 * Walks turns of regular sessions through the house. Only the worker knows what they go on from, so
 * they have no transcript, and no other worker can take them over. Immutable, thread-safe.
 */
final class TreeTurns {

  private final Dispatch dispatch;
  private final AnswerKeeper keeper;
  private final int contextLength;
  private final GatewayMetrics metrics;

  TreeTurns(Dispatch dispatch, AnswerKeeper keeper, int contextLength, GatewayMetrics metrics) {
    this.dispatch = dispatch;
    this.keeper = keeper;
    this.contextLength = contextLength;
    this.metrics = metrics;
  }

  /**
   * Runs one turn, as {@link TurnRunner#run} does.
   *
   * @return empty if it has to begin again alone, as it would open a new life beside others
   */
  Optional<TurnResult> run(
      TurnSpec spec, TurnGuard guard, TurnListener listener, Admission.Place place, long begun)
      throws InterruptedException {
    TreePlace at = spec.ext().place();
    Prompt prompt = spec.source().inTree(at.base().isEmpty());
    metrics.prompt(prompt.rendering().characters(), prompt.tokenised());
    TurnRunner.checkLength(prompt.length(), contextLength);
    Optional<Dispatch.Sent> sent = send(spec, guard, prompt, at);
    if (sent.isEmpty()) {
      return Optional.empty();
    }
    Dispatched dispatched = new Dispatched(prompt, Optional.empty(), sent.get());
    TurnResult result = keeper.read(spec, guard, dispatched, listener, begun);
    place.free();
    return Optional.of(result.closed(guard.finish(TurnOutcome.COMPLETED)));
  }

  /**
   * Sends it. A worker that lost the session opens it anew, for a turn that begins there; one that
   * goes on from another cannot be served any more.
   */
  private Optional<Dispatch.Sent> send(
      TurnSpec spec, TurnGuard guard, Prompt prompt, TreePlace place) throws InterruptedException {
    Selection selection = guard.select(spec.query(prompt));
    try {
      return open(spec, guard, prompt, place, selection);
    } catch (FaultException e) {
      if (selection.affinity() != Affinity.HIT || !Dispatch.isLost(e.fault())) {
        throw e;
      }
      return open(spec, guard, prompt, place, guard.lost());
    }
  }

  private Optional<Dispatch.Sent> open(
      TurnSpec spec, TurnGuard guard, Prompt prompt, TreePlace place, Selection selection)
      throws InterruptedException {
    requireKept(place, guard, selection);
    if (guard.hasToBeginAlone()) {
      return Optional.empty();
    }
    guard.open();
    SessionId session = spec.ext().control().orElseThrow().session();
    Optional<SessionTurn> at =
        selection.incarnation().map(life -> SessionTurn.at(place, session, life));
    return Optional.of(dispatch.send(spec, selection, prompt.context(), prompt.length(), at));
  }

  private static void requireKept(TreePlace place, TurnGuard guard, Selection selection) {
    // A last turn opens nothing: it runs without a session where that is lost.
    boolean kept = selection.incarnation().isPresent() && !guard.opens();
    if (place.base().isPresent() && !kept) {
      throw new Fault.Conflict(
              "context_lost",
              "the session's turns went with its worker; begin anew, without rid",
              Map.of())
          .asException();
    }
  }
}
