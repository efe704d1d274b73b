package dev.sojourn.backend;

import dev.sojourn.core.Fault;
import dev.sojourn.engine.TurnEnd;
import dev.sojourn.engine.TurnStart;
import dev.sojourn.engine.sample.TopLogprobs;

/**
 * A running generation, read by one thread to its end. {@link #cancel} may be called by any thread
 * and leads to an {@link Event.Ended} or {@link Event.Failed}; the worker has let go of the turn
 * when that event is there, and not before. A turn that finished while it was being cancelled ends
 * as what it is: finished.
 */
public interface Generation {

  /**
   * Returns the next event, waiting for it.
   *
   * @throws IllegalStateException after an ending event
   */
  Event next() throws InterruptedException;

  /** Asks the worker to stop, within one step. */
  void cancel();

  /** What happens in a generation, in the order {@code Started? Token* (Ended | Failed)}. */
  sealed interface Event {

    /** The first step was scheduled. */
    record Started(TurnStart start) implements Event {}

    /**
     * A token.
     *
     * @param id the token
     * @param logprob its log probability; NaN if none was asked for
     * @param top the likeliest tokens at its position
     * @param text what the client may be shown now; whole characters; often empty
     * @param settled how many tokens so far are shown in full: a later one may yet turn out to be
     *     part of a stop string
     */
    record Token(int id, float logprob, TopLogprobs top, String text, int settled)
        implements Event {}

    /**
     * The end.
     *
     * @param end how it ended
     * @param text what was held back until now and belongs to the answer
     */
    record Ended(TurnEnd end, String text) implements Event {}

    /** It failed. */
    record Failed(Fault fault) implements Event {}
  }
}
