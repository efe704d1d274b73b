package dev.sojourn.engine;

import dev.sojourn.core.Fault;
import dev.sojourn.engine.sample.TopLogprobs;

/**
 * Where a turn's events go: {@code accepted? started? token* (finished | failed)}, in this order.
 * Called by the engine thread, which must not be blocked: an implementation leaves things to be
 * read.
 */
public interface TurnSink {

  /** The request passed its checks and waits for its first step; its session exists. */
  void accepted();

  /** The first step of the turn was scheduled. */
  void started(TurnStart start);

  /**
   * A token was sampled.
   *
   * @param id the token
   * @param logprob its log probability before temperature and cuts; NaN if none was asked for
   * @param top the likeliest tokens at its position, as many as asked for
   * @param visibleBytes how many bytes of the output so far, as {@link dev.sojourn.text.TokenBytes}
   *     spells it, may be shown now; the rest may be the beginning of a stop string
   */
  void token(int id, float logprob, TopLogprobs top, int visibleBytes);

  /** The turn ended; nothing follows. */
  void finished(TurnEnd end);

  /** The turn failed, or was refused before it began; nothing of it was committed. */
  void failed(Fault fault);
}
