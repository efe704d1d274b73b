package dev.sojourn.backend;

import dev.sojourn.core.Fault;
import dev.sojourn.engine.TurnEnd;
import dev.sojourn.engine.TurnSink;
import dev.sojourn.engine.TurnStart;
import dev.sojourn.engine.sample.TopLogprobs;
import dev.sojourn.text.Detokenizer;
import dev.sojourn.text.TokenBytes;
import java.util.ArrayDeque;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;

/**
 * A turn's events on their way from the engine thread to the thread that reads them, where ids
 * become text. The queue holds at most as many events as the turn may sample tokens, and three.
 */
final class EmbeddedGeneration implements TurnSink, Generation {

  /** An event as the engine tells it. */
  private sealed interface Told {

    record Accepted() implements Told {}

    record Ready(Event event) implements Told {}

    record Sampled(int id, float logprob, TopLogprobs top, int visibleBytes) implements Told {}

    record Finished(TurnEnd end) implements Told {}
  }

  private final BlockingQueue<Told> queue = new LinkedBlockingQueue<>();
  private final TokenBytes spelling;
  private final Runnable cancel;

  // The reader's:
  private final Detokenizer text;
  private final ArrayDeque<Integer> unsettledEnds = new ArrayDeque<>(); // in bytes of the output
  private int spelled; // bytes
  private int settled; // tokens
  private boolean over;

  EmbeddedGeneration(TokenBytes spelling, Runnable cancel) {
    this.spelling = spelling;
    this.text = new Detokenizer(spelling);
    this.cancel = cancel;
  }

  /** Waits until the engine has accepted the turn; throws its refusal. */
  void awaitAccepted() throws InterruptedException {
    Told first;
    try {
      first = queue.take();
    } catch (InterruptedException e) {
      cancel.run();
      awaitEnd();
      throw e;
    }
    if (first instanceof Told.Ready(Event.Failed(Fault fault))) {
      throw fault.asException();
    }
  }

  @Override
  public Event next() throws InterruptedException {
    if (over) {
      throw new IllegalStateException("the generation is over");
    }
    return switch (queue.take()) {
      case Told.Accepted _ -> throw new IllegalStateException("accepted twice");
      case Told.Sampled(int id, float logprob, TopLogprobs top, int visibleBytes) ->
          new Event.Token(
              id, logprob, top, text.append(id, visibleBytes), settled(id, visibleBytes));
      case Told.Ready(Event event) -> {
        over = event instanceof Event.Failed;
        yield event;
      }
      case Told.Finished(TurnEnd end) -> {
        over = true;
        yield new Event.Ended(end, text.finish(end.visibleBytes()));
      }
    };
  }

  /** Counts the tokens whose bytes may all be seen. */
  private int settled(int id, int visibleBytes) {
    spelled += spelling.of(id).length;
    unsettledEnds.add(spelled);
    while (!unsettledEnds.isEmpty() && unsettledEnds.getFirst() <= visibleBytes) {
      unsettledEnds.removeFirst();
      settled++;
    }
    return settled;
  }

  @Override
  public void cancel() {
    cancel.run();
  }

  @Override
  public void accepted() {
    queue.add(new Told.Accepted());
  }

  @Override
  public void started(TurnStart start) {
    queue.add(new Told.Ready(new Event.Started(start)));
  }

  @Override
  public void token(int id, float logprob, TopLogprobs top, int visibleBytes) {
    queue.add(new Told.Sampled(id, logprob, top, visibleBytes));
  }

  @Override
  public void finished(TurnEnd end) {
    queue.add(new Told.Finished(end));
  }

  @Override
  public void failed(Fault fault) {
    queue.add(new Told.Ready(new Event.Failed(fault)));
  }

  /** Waits, a step at most, until the engine has let go of a cancelled turn. */
  private void awaitEnd() {
    boolean interrupted = false;
    Told told = new Told.Accepted();
    while (!(told instanceof Told.Finished)
        && !(told instanceof Told.Ready(Event.Failed(Fault _)))) {
      try {
        told = queue.take();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
