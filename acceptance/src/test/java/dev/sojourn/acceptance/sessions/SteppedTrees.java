package dev.sojourn.acceptance.sessions;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.core.Fault;
import dev.sojourn.core.FaultException;
import dev.sojourn.core.FinishReason;
import dev.sojourn.core.Namespace;
import dev.sojourn.core.SessionControl;
import dev.sojourn.core.SessionControl.Action;
import dev.sojourn.core.SessionControl.Input;
import dev.sojourn.core.SessionControl.WhileBusy;
import dev.sojourn.core.SessionKind;
import dev.sojourn.core.SessionView;
import dev.sojourn.core.TurnMode;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.engine.RecordedAnswer;
import dev.sojourn.engine.SessionTurn;
import dev.sojourn.engine.TreePlace;
import dev.sojourn.engine.TurnEnd;
import dev.sojourn.engine.TurnRequest;
import dev.sojourn.engine.TurnStart;
import dev.sojourn.router.NoSession;
import dev.sojourn.router.Selection;
import dev.sojourn.router.Selection.Affinity;
import dev.sojourn.router.SelectionQuery;
import dev.sojourn.router.TurnGuard;
import dev.sojourn.router.TurnIntent;
import dev.sojourn.router.TurnOutcome;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * The part of a {@link SteppedGateway} that opens trees of turns, and sends their turns as the real
 * one does. Beside each life it keeps the {@link Tree} that it must hold.
 */
final class SteppedTrees {

  private final SteppedGateway gateway;
  private final Map<SteppedWorkers.Life, Tree> trees = new HashMap<>();

  /** The turns that clients of a name know of, whether they still are or not. */
  private final Map<Integer, List<String>> known = new HashMap<>();

  private Consumer<Flight> beginAlone =
      flight -> {
        throw new AssertionError("nobody begins it anew: " + flight.asked);
      };

  SteppedTrees(SteppedGateway gateway) {
    this.gateway = gateway;
  }

  /** Lets {@code again} begin turns anew that have to be alone. */
  void onAlone(Consumer<Flight> again) {
    beginAlone = again;
  }

  /** Returns a request for the router. */
  TurnIntent intent(int name, Action action, WhileBusy busy) {
    SessionControl control =
        SessionControl.builder(SteppedGateway.id(name), action)
            .timeout(Duration.ofSeconds(5 + 5L * name))
            .input(action == Action.OPEN ? Input.FULL : Input.DELTA)
            .whileBusy(busy)
            .kind(SessionKind.REGULAR)
            .build();
    return gateway.intent(Optional.of(control), Optional.empty(), false);
  }

  /** Returns where a turn goes on: from the nth latest that its client knows of, or anew. */
  TreePlace place(Op.TreeTurn turn) {
    List<String> ids = known.getOrDefault(turn.name(), List.of());
    boolean anew = turn.base() < 0 || ids.isEmpty();
    return new TreePlace(
        anew ? Optional.empty() : Optional.of(ids.get(ids.size() - 1 - turn.base() % ids.size())),
        turn.replace(),
        turn.drop(),
        turn.offset());
  }

  /** Opens a session without a turn. */
  void open(int name) throws InterruptedException {
    try (TurnGuard guard = gateway.router.begin(intent(name, Action.OPEN, WhileBusy.REJECT))) {
      if (guard.reason() != NoSession.NONE) {
        guard.select(SelectionQuery.ofBlocks(new long[0], 0, 0));
        try {
          guard.open();
        } catch (FaultException e) {
          if (!(e.fault() instanceof Fault.Unavailable)) {
            throw e;
          }
          guard.unreachable();
          guard.open();
        }
        guard.accepted();
        gateway.see("tree opened");
      }
      var _ = guard.finish(TurnOutcome.COMPLETED);
    } catch (FaultException e) {
      gateway.see(e.fault());
    }
  }

  /** Hears that a rank has a tree. */
  void opened(SteppedWorkers.Life life) {
    trees.putIfAbsent(life, new Tree());
  }

  /** Hears that a rank has nothing any more. */
  void crashed(WorkerRank rank) {
    trees.keySet().removeIf(life -> life.rank().equals(rank));
  }

  /** Takes a turn one step further on its way to a rank; it may have to begin anew. */
  void advance(Flight flight) {
    if (flight.selection == null) {
      List<Integer> fresh = flight.asked.fresh();
      flight.selection =
          flight.guard.select(
              SelectionQuery.ofTokens(
                  Namespace.DEFAULT,
                  () -> Conversation.tokens(fresh),
                  fresh.size(),
                  0,
                  flight.asked.most()));
      flight.booked = true;
      var _ = mayGoOn(flight);
    } else if (flight.guard.opens()) {
      open(flight);
    } else if (flight.answer == null) {
      dispatch(flight);
    }
  }

  private static void open(Flight flight) {
    flight.guard.open();
    flight.opened = true;
  }

  /** Returns whether a turn may go on where it was placed, and does not have to begin anew. */
  private boolean mayGoOn(Flight flight) {
    boolean kept = requireNonNull(flight.selection).incarnation().isPresent();
    if (flight.place().base().isPresent() && (!kept || flight.guard.opens())) {
      throw new Fault.Conflict("context_lost", "its turns are gone", Map.of()).asException();
    }
    if (!flight.guard.hasToBeginAlone()) {
      return true;
    }
    gateway.see("tree alone");
    gateway.flights.remove(flight);
    beginAlone.accept(flight);
    return false;
  }

  private void dispatch(Flight flight) {
    Optional<Fault> fault = send(flight);
    if (fault.filter(SteppedGateway::isLost).isPresent()
        && requireNonNull(flight.selection).affinity() == Affinity.HIT) {
      flight.selection = flight.guard.lost();
      gateway.see("tree lost");
      if (!mayGoOn(flight)) {
        return;
      }
      if (flight.guard.opens()) {
        open(flight);
      }
      fault = send(flight);
    }
    if (fault.isPresent()) {
      throw fault.get().asException();
    }
    flight.guard.accepted();
    flight.accepted = true;
  }

  /** Submits a turn; returns why it was refused, which must be as the model says. */
  private Optional<Fault> send(Flight flight) {
    Selection selection = requireNonNull(flight.selection);
    TreePlace place = flight.place();
    List<Integer> fresh = flight.asked.fresh();
    Tree tree = selection.incarnation().map(_ -> trees.get(flight.lifeOnRank())).orElse(null);
    Optional<String> refusal = tree == null ? Optional.empty() : tree.refusal(place);
    Tree.Plan plan = tree == null || refusal.isPresent() ? null : tree.plan(place, fresh);
    Optional<SessionTurn> session =
        selection
            .incarnation()
            .map(life -> SessionTurn.at(place, SteppedGateway.id(flight.asked.name()), life));
    TurnRequest request = gateway.request(flight.asked, session, fresh);
    RecordedAnswer answer = gateway.workers.rank(selection.target()).submit(request);
    if (answer.hasFailed()) {
      Fault fault = answer.fault();
      if (fault instanceof Fault.InvalidRequest) {
        boolean empty = plan == null ? fresh.isEmpty() : plan.prompt().isEmpty();
        String expected = refusal.orElse(empty ? "at least one token" : "there may be");
        assertThat(fault.message()).contains(expected);
        gateway.see("tree refused: " + expected);
      }
      return Optional.of(fault);
    }
    assertThat(refusal).as("why %s is refused", place).isEmpty();
    flight.request = request;
    flight.answer = answer;
    flight.prompt = plan == null ? fresh : plan.prompt();
    if (tree != null && plan != null) {
      flight.tree = tree;
      take(tree, request.requestId(), plan);
      known.computeIfAbsent(flight.asked.name(), _ -> new ArrayList<>()).add(request.requestId());
    }
    return Optional.empty();
  }

  private void take(Tree tree, String id, Tree.Plan plan) {
    List<String> ends = tree.accept(id, plan);
    for (Flight other : gateway.flights) {
      if (other.request != null && ends.contains(other.request.requestId())) {
        assertThat(requireNonNull(other.answer).end().reason()).isEqualTo(FinishReason.CANCELLED);
        gateway.see("tree interrupted");
      }
    }
    if (tree.running() - ends.size() > 1) {
      gateway.see("tree side by side");
    }
  }

  /** Checks what a turn does to its session. */
  void started(Flight flight, TurnStart start) {
    boolean anew = flight.place().base().isEmpty();
    if (flight.tree == null) {
      assertThat(start.mode()).isEqualTo(TurnMode.NONE);
    } else if (anew && !flight.place().replace()) {
      assertThat(start.mode()).isEqualTo(TurnMode.OPENED);
    } else if (anew) {
      assertThat(start.mode()).isIn(TurnMode.OPENED, TurnMode.REWIND);
    } else {
      assertThat(start.mode()).isIn(TurnMode.APPEND, TurnMode.FORK, TurnMode.REWIND);
    }
    gateway.see("tree " + start.mode());
  }

  /** Commits an answer to what the session must hold. */
  void ended(Flight flight, TurnEnd end) {
    if (flight.tree != null && end.reason() != FinishReason.CANCELLED) {
      flight.tree.end(
          requireNonNull(flight.request).requestId(),
          Optional.of(Conversation.list(end.completion())));
    }
  }

  /** Forgets a turn that nobody waits for any more. */
  static void over(Flight flight) {
    if (flight.tree != null) {
      flight.tree.end(requireNonNull(flight.request).requestId(), Optional.empty());
    }
  }

  /** Checks what a rank says of a tree: the third invariant. */
  void check(WorkerRank at, SessionView view) {
    Tree tree = trees.getOrDefault(new SteppedWorkers.Life(at, view.incarnation()), new Tree());
    assertThat(view.committed()).as("3: committed of %s", view).isEqualTo(tree.tokens());
    assertThat(view.turns()).as("3: turns of %s", view).isEqualTo(tree.turns());
    assertThat(view.resident()).as("3: resident").isBetween(0, view.committed());
  }
}
