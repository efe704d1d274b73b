package dev.sojourn.router.lifecycle;

import dev.sojourn.core.Incarnation;
import dev.sojourn.core.WorkerRank;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Lives of engine sessions that no binding need stand for, as somebody is about to bind or to close
 * them. Several may hold one at a time, as where turns of a tree end it together. Thread-safe.
 */
final class InHand {

  private record Life(WorkerRank at, Incarnation incarnation) {}

  /** How many hold each. */
  private final Map<Life, Integer> holders = new ConcurrentHashMap<>();

  /** Takes a life in hand, to be let go of once. */
  void take(WorkerRank at, Incarnation incarnation) {
    holders.merge(new Life(at, incarnation), 1, Integer::sum);
  }

  /** Lets go of a life. */
  void letGo(WorkerRank at, Incarnation incarnation) {
    holders.computeIfPresent(
        new Life(at, incarnation), (_, count) -> count == 1 ? null : count - 1);
  }

  boolean contains(WorkerRank at, Incarnation incarnation) {
    return holders.containsKey(new Life(at, incarnation));
  }
}
