package dev.sojourn.engine.schedule;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The turns that wait. Higher priority goes first; then turns that one step's prefill is enough
 * for, such as the next turn of a resident session; then who came first. A longer prompt is
 * overtaken at most {@value #PATIENCE} times.
 */
final class WaitingQueue {

  /** How often a turn lets a shorter one that came later go first. */
  static final int PATIENCE = 16;

  private final int small;
  private final List<Turn> turns = new ArrayList<>();

  /** Creates an empty queue; turns of at most {@code small} tokens to compute go first. */
  WaitingQueue(int small) {
    this.small = small;
  }

  int size() {
    return turns.size();
  }

  boolean isEmpty() {
    return turns.isEmpty();
  }

  void add(Turn turn) {
    turns.add(turn);
  }

  void remove(Turn turn) {
    turns.remove(turn);
  }

  List<Turn> all() {
    return turns;
  }

  /** Returns who is next; null if nobody waits. */
  @Nullable Turn first() {
    Turn first = null;
    for (int i = 0; i < turns.size(); i++) { // by number: each step asks, and allocates nothing
      Turn turn = turns.get(i);
      if (first == null || goesBefore(turn, first)) {
        first = turn;
      }
    }
    return first;
  }

  /** Removes the next, whom those that it overtakes let pass. */
  void admit(Turn next) {
    turns.remove(next);
    for (Turn turn : turns) {
      if (turn.arrival < next.arrival) {
        turn.overtaken++;
      }
    }
  }

  private boolean goesBefore(Turn a, Turn b) {
    if (a.priority() != b.priority()) {
      return a.priority() > b.priority();
    }
    boolean aGoesEarly = goesEarly(a);
    return aGoesEarly != goesEarly(b) ? aGoesEarly : a.arrival < b.arrival;
  }

  private boolean goesEarly(Turn turn) {
    return turn.overtaken >= PATIENCE || turn.work() <= small;
  }
}
