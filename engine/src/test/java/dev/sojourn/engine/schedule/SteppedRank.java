package dev.sojourn.engine.schedule;

import dev.sojourn.core.KvEvent;
import dev.sojourn.core.ManualClock;
import dev.sojourn.engine.EngineConfig;
import dev.sojourn.engine.EngineStats;
import dev.sojourn.engine.RecordedAnswer;
import dev.sojourn.engine.TurnRequest;
import java.util.List;

/**
 * A rank without a thread, for tests of other rooms: {@link Rig} as they see it. Its model finds
 * faults of ownership, and its books are checked after each step.
 */
public final class SteppedRank {

  /** Ids are below this. */
  public static final int VOCABULARY = Rig.VOCABULARY;

  /** An id that tests use as the end of a turn. */
  public static final int END_OF_TURN = Rig.END_OF_TURN;

  private final Rig rig;

  /** Creates a rank with an empty pool. */
  public SteppedRank(int pages, int contextLength, EngineConfig config, ManualClock clock) {
    rig = new Rig(pages, contextLength, config, clock);
  }

  /** Returns the scheduler, which may be used between steps. */
  public Scheduler scheduler() {
    return rig.scheduler;
  }

  /** Does a step, checks invariants 1 to 6 and returns whether there is more to do. */
  public boolean step() {
    return rig.step();
  }

  /** Checks invariants 1 to 5. */
  public void verify() {
    rig.verify();
  }

  /** Makes the model fail in its next step. */
  public void failNext() {
    rig.runner.failNext();
  }

  /** Queues a turn. */
  public RecordedAnswer submit(TurnRequest request) {
    return rig.submit(request);
  }

  /** Returns what it holds and has done. */
  public EngineStats stats() {
    return rig.scheduler.stats();
  }

  /** Returns an event for each page that is published and resident, parents first. */
  public List<KvEvent> resident() {
    return rig.scheduler.pool().resident();
  }

  /** Checks an answer against a stateless run over the same ids: invariant 8. */
  public static void assertSameAsStateless(TurnRequest request, RecordedAnswer answer) {
    Rig.assertSameAsStateless(request, answer);
  }
}
