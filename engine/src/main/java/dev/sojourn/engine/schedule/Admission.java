package dev.sojourn.engine.schedule;

import static dev.sojourn.core.BlockHasher.BLOCK;

import dev.sojourn.engine.EngineConfig;
import dev.sojourn.engine.TurnStart;
import dev.sojourn.engine.kv.PagePool;
import dev.sojourn.engine.kv.PageState;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Lets waiting turns run while the pages that are set aside for them fit beside those of the
 * running ones. A turn that runs alone always fits: that was checked when it arrived.
 *
 * <p>What a turn needs is known only when its prompt is matched with what is resident. So it is
 * begun, and suspended again if it does not fit; then it is not tried again before there is more
 * room. A turn that rewinds its session, which cannot be undone, is begun only if it fits even
 * without a match.
 *
 * <p>A turn that does not fit takes the place of running ones whose priority is lower by more than
 * {@value #PREEMPTION_MARGIN}, SGLang's threshold: clients that differ a little do not make each
 * other start over.
 */
final class Admission {

  static final int PREEMPTION_MARGIN = 10;

  /** A turn that has begun. */
  record Admitted(Turn turn, TurnStart start) {}

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

  /** Begins the next waiting turn; null if none waits or it has to go on waiting. */
  @Nullable Admitted next(List<Turn> running, long now) {
    Turn turn = waiting.first();
    if (turn == null || running.size() >= maxRunning || !isWorthTrying(turn, running)) {
      return null;
    }
    TurnStart start = turn.begin();
    int needed = pagesFor(turn) - turn.context().pageCount();
    if (needed > availablePages(running) && !running.isEmpty()) {
      turn.suspend(now);
      turn.blockedAt = availablePages(running);
      return null;
    }
    waiting.admit(turn);
    return new Admitted(turn, start);
  }

  /**
   * Returns the running turn that gives way to the next waiting one, which did not fit: the one
   * that ranks last. Null if none has to, or if all that have to would not be enough.
   */
  @Nullable Turn givesWay(List<Turn> running) {
    Turn next = waiting.first();
    if (next == null) {
      return null;
    }
    int room = availablePages(running);
    for (int i = running.size() - 1; i >= 0; i--) {
      Turn turn = running.get(i);
      if (turn.priority() + PREEMPTION_MARGIN >= next.priority()) {
        break;
      }
      room += Math.max(pagesFor(turn), turn.context().pageCount());
      if (i == 0 || pagesFor(next) <= room) {
        return running.getLast();
      }
    }
    return null;
  }

  private boolean isWorthTrying(Turn turn, List<Turn> running) {
    if (running.isEmpty()) {
      return true;
    }
    int available = availablePages(running);
    return turn.isYetToRewind() ? pagesFor(turn) <= available : available > turn.blockedAt;
  }

  /** Returns how many pages are neither in use nor set aside for running turns. */
  private int availablePages(List<Turn> running) {
    int available = pool.capacity() - pool.count(PageState.IN_USE);
    for (Turn turn : running) {
      available -= Math.max(0, pagesFor(turn) - turn.context().pageCount());
    }
    return available;
  }

  /** Returns how many pages a turn is to have; its last token has no KV. */
  private int pagesFor(Turn turn) {
    return (turn.reserved(reserve) - 1 + BLOCK - 1) / BLOCK;
  }
}
