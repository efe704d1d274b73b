package dev.sojourn.server.openai;

import dev.sojourn.backend.Generation.Event;
import dev.sojourn.engine.TurnStart;
import dev.sojourn.router.Selection;
import dev.sojourn.text.answer.Part;
import java.util.List;

/** Hears of a turn while it goes on; called by the turn's own thread. */
interface TurnListener {

  /** The rank is chosen and has begun. */
  void started(TurnSpec spec, Selection selection, TurnStart start);

  /**
   * A token was sampled.
   *
   * @param parts what it adds to the answer; often nothing
   */
  void parts(List<Part> parts, Event.Token token) throws InterruptedException;

  /**
   * The answer is complete; what it is worth is known only when the turn is finished.
   *
   * @param parts what was held back until now
   */
  void ended(List<Part> parts, Event.Ended ended) throws InterruptedException;

  /** Hears nothing: the answer is told as a whole. */
  TurnListener SILENT =
      new TurnListener() {
        @Override
        public void started(TurnSpec spec, Selection selection, TurnStart start) {}

        @Override
        public void parts(List<Part> parts, Event.Token token) {}

        @Override
        public void ended(List<Part> parts, Event.Ended ended) {}
      };
}
