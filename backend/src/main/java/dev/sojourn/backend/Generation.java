package dev.sojourn.backend;

import dev.sojourn.core.Fault;
import dev.sojourn.engine.TurnEnd;
import dev.sojourn.engine.TurnStart;
import dev.sojourn.engine.sample.TopLogprobs;

/**
 * A running generation, read by one thread. Closing it before its end cancels it; {@link #cancel}
 * may be called by any thread and leads to an {@link Event.Ended} or {@link Event.Failed}.
 */
public interface Generation extends AutoCloseable {

  /** Returns the next event, waiting for it. After an ending event there is none. */
  Event next() throws InterruptedException;

  /** Asks the worker to stop, within one step. */
  void cancel();

  /** Cancels what has not ended. */
  @Override
  void close();

  /** What happens in a generation, in the order {@code Started? Token* (Ended | Failed)}. */
  sealed interface Event {

    /** The first step was scheduled. */
    record Started(TurnStart start) implements Event {}

    /**
     * A token.
     *
     * @param id the token
     * @param logprob its log probability
     * @param top the likeliest tokens at its position
     * @param text what the client may be shown now; whole characters; often empty
     */
    record Token(int id, float logprob, TopLogprobs top, String text) implements Event {}

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
