package dev.sojourn.acceptance.sessions;

import static java.util.Objects.requireNonNull;

import dev.sojourn.core.Incarnation;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.engine.RecordedAnswer;
import dev.sojourn.engine.TreePlace;
import dev.sojourn.engine.TurnRequest;
import dev.sojourn.router.NoSession;
import dev.sojourn.router.Selection;
import dev.sojourn.router.TurnGuard;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A turn that has begun, and how far it is. */
final class Flight {

  /** What a client asked for; a session's name, or a negative number. */
  record Asked(
      int name,
      boolean delta,
      boolean aside,
      int cut,
      List<Integer> fresh,
      int most,
      boolean stop,
      int priority) {}

  final Asked asked;
  final TurnGuard guard;

  /** Where it goes on in a tree of turns, if its session is one. */
  private final @Nullable TreePlace place;

  /** Whether no other turn of its session may run beside it. */
  final boolean alone;

  boolean booked;
  boolean opened;
  boolean accepted;
  List<Integer> prompt = List.of();

  /** What the gateway has of its session, or of the one that it starts from. */
  @Nullable Conversation held;

  @Nullable Selection selection;
  @Nullable TurnRequest request;
  @Nullable RecordedAnswer answer;
  Conversation.@Nullable Plan plan;

  /** What its session must hold, if that is a tree that its rank has. */
  @Nullable Tree tree;

  private boolean started;
  private int told;

  Flight(Asked asked, @Nullable TreePlace place, boolean alone, TurnGuard guard) {
    this.asked = asked;
    this.place = place;
    this.alone = alone;
    this.guard = guard;
  }

  /** Returns whether its session is a tree of turns. */
  boolean isInTree() {
    return place != null;
  }

  /** Returns where it goes on in a tree of turns. */
  TreePlace place() {
    return requireNonNull(place);
  }

  /** Returns whether it has its session's lease, and so the first place in its line. */
  boolean leased() {
    return guard.incarnation().isPresent() || guard.reason() == NoSession.PINNED;
  }

  /** Returns whether it opened an engine session that no binding stands for. */
  boolean owesClose() {
    return opened && !accepted;
  }

  /** Returns whether it runs, or waits, on this rank. */
  boolean isOn(WorkerRank rank) {
    return answer != null && selection != null && selection.target().equals(rank);
  }

  /** Returns the engine's life that it runs in, if any. */
  @Nullable Incarnation life() {
    return selection == null ? null : selection.incarnation().orElse(null);
  }

  /** Returns that life on its rank, which it must have. */
  SteppedWorkers.Life lifeOnRank() {
    Selection at = requireNonNull(selection);
    return new SteppedWorkers.Life(at.target(), at.incarnation().orElseThrow());
  }

  /** Tells the router of what was sampled, and says whether the turn has just started. */
  boolean tellProgress() {
    if (answer == null) {
      return false;
    }
    boolean first = !started && answer.hasStarted();
    started |= first;
    if (told == 0 && !answer.ids.isEmpty()) {
      guard.firstToken();
    }
    if (answer.ids.size() > told) {
      guard.generated(answer.ids.size() - told);
      told = answer.ids.size();
    }
    return first;
  }
}
