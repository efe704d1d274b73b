package dev.sojourn.engine.schedule;

import static dev.sojourn.core.BlockHasher.BLOCK;

import dev.sojourn.engine.EngineConfig;
import dev.sojourn.engine.TurnStart;
import dev.sojourn.engine.kv.Context;
import dev.sojourn.engine.kv.PagePool;
import dev.sojourn.engine.kv.PageState;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Lets waiting turns run while the pages that are set aside for them fit beside those of the
 * running ones. A turn that runs alone always fits: that was checked when it arrived.
 *
 * <p>What a turn needs is known only when its prompt is matched with what is resident. So it is
 * begun, and suspended again if it does not fit; then it is not tried again before there is more
 * room, or fewer run. A turn that rewinds its session, which cannot be undone, is begun only if it
 * fits even without a match.
 *
 * <p>A turn that does not fit takes the place of running ones whose priority is lower by more than
 * {@value #PREEMPTION_MARGIN}, SGLang's threshold: clients that differ a little do not make each
 * other start over. Those that rank last go, and no more of them than it needs: pages that they
 * share with turns that stay are no room, and those that it shares with them it has already.
 */
final class Admission {

  static final int PREEMPTION_MARGIN = 10;

  /** What becomes of the next waiting turn. */
  sealed interface Decision {

    /** It has begun. */
    record Admitted(Turn turn, TurnStart start) implements Decision {}

    /** It fits once these turns, the last in rank, do not run. */
    record GiveWay(List<Turn> turns) implements Decision {}
  }

  private final PagePool pool;
  private final WaitingQueue waiting;
  private final int maxRunning;
  private final int reserve;

  Admission(PagePool pool, WaitingQueue waiting, EngineConfig config) {
    this.pool = pool;
    this.waiting = waiting;
    maxRunning = config.maxRunning();
    reserve = config.reserve();
  }

  /**
   * Begins the next waiting turn, or names those that give way to it.
   *
   * @param running the running turns in order of rank
   * @return null if none waits or it has to go on waiting
   */
  @Nullable Decision next(List<Turn> running, long now) {
    Turn turn = waiting.first();
    if (turn == null || !isWorthTrying(turn, running)) {
      return null;
    }
    TurnStart start = turn.isYetToRewind() ? null : turn.begin();
    int staying = staying(turn, running);
    if (staying == running.size()) {
      waiting.admit(turn);
      return new Decision.Admitted(turn, start == null ? turn.begin() : start);
    }
    if (start != null) {
      turn.suspend(now);
    }
    if (outranks(turn, running.get(staying))) {
      return new Decision.GiveWay(List.copyOf(running.subList(staying, running.size())));
    }
    turn.blockedAt = availablePages(running);
    turn.blockedBeside = running.size();
    return null;
  }

  private boolean isWorthTrying(Turn turn, List<Turn> running) {
    if (running.isEmpty()) {
      return true;
    }
    if (running.size() >= maxRunning && !outranks(turn, running.getLast())) {
      return false;
    }
    return running.size() < turn.blockedBeside || availablePages(running) > turn.blockedAt;
  }

  /** Returns how many running turns, from the first in rank on, the next fits beside. */
  private int staying(Turn next, List<Turn> running) {
    List<Context> beside = new ArrayList<>();
    if (next.isRunning()) {
      beside.add(next.context());
    }
    int room = pool.capacity() - pagesFor(next);
    int most = Math.min(running.size(), maxRunning - 1);
    for (int i = 0; i < most; i++) {
      Turn turn = running.get(i);
      room -= turn.context().pagesNotIn(beside) + pagesToCome(turn);
      if (room < 0) {
        return i;
      }
      beside.add(turn.context());
    }
    return most;
  }

  private static boolean outranks(Turn next, Turn running) {
    return next.priority() > running.priority() + PREEMPTION_MARGIN;
  }

  /** Returns how many pages are neither in use nor set aside for running turns. */
  private int availablePages(List<Turn> running) {
    int available = pool.capacity() - pool.count(PageState.IN_USE);
    for (int i = 0; i < running.size(); i++) { // each step, as long as anything waits
      available -= pagesToCome(running.get(i));
    }
    return available;
  }

  private int pagesToCome(Turn running) {
    return Math.max(0, pagesFor(running) - running.context().pageCount());
  }

  /** Returns how many pages a turn is to have; its last token has no KV. */
  private int pagesFor(Turn turn) {
    return (turn.reserved(reserve) - 1 + BLOCK - 1) / BLOCK;
  }
}
