package dev.sojourn.server.openai;

import dev.sojourn.backend.Generation.Event;
import dev.sojourn.engine.TurnStart;
import dev.sojourn.router.Selection;

/** Hears of a turn while it goes on; called by the turn's own thread. */
interface TurnListener {

  /** The rank is chosen and has begun. */
  void started(Selection selection, TurnStart start);

  /** A token was sampled. */
  void token(Event.Token token) throws InterruptedException;

  /** The answer is complete; what it is worth is known only when the turn is finished. */
  void ended(Event.Ended ended) throws InterruptedException;

  /** Hears nothing: the answer is told as a whole. */
  TurnListener SILENT =
      new TurnListener() {
        @Override
        public void started(Selection selection, TurnStart start) {}

        @Override
        public void token(Event.Token token) {}

        @Override
        public void ended(Event.Ended ended) {}
      };
}
