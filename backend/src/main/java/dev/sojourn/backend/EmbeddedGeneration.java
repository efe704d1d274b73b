package dev.sojourn.backend;

import static java.util.Objects.requireNonNull;

import dev.sojourn.core.Fault;
import dev.sojourn.engine.TurnEnd;
import dev.sojourn.engine.TurnSink;
import dev.sojourn.engine.TurnStart;
import dev.sojourn.engine.sample.TopLogprobs;
import dev.sojourn.text.Detokenizer;
import dev.sojourn.text.TokenBytes;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/**
 * A turn's events on their way from the engine thread to the thread that reads them, where ids
 * become text.
 *
 * <p>The engine thread makes no object for a token: tokens wait as numbers, at most as many as the
 * turn may sample. And the reader waits for a monitor, since a virtual thread that is notified is
 * scheduled by a thread of the JVM's; one that is unparked, as by a queue of the JDK's, is
 * scheduled by who unparks it, with a new task.
 */
final class EmbeddedGeneration implements TurnSink, Generation {

  /** What the engine told, but for tokens. */
  private sealed interface Told {

    record Ready(Event event) implements Told {}

    record Finished(TurnEnd end) implements Told {}
  }

  private final TokenBytes spelling;
  private final Runnable cancel;

  // What is told and not read yet; under this object's monitor:
  private boolean accepted;
  private @Nullable Told start;
  private final SampledTokens sampled = new SampledTokens();
  private @Nullable Told end; // stays

  // The reader's:
  private final SampledTokens.Removed token = new SampledTokens.Removed();
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
    try {
      awaitAnswer();
    } catch (InterruptedException e) {
      cancel.run(); // may tell other turns something: not under this one's monitor
      awaitEnd();
      throw e;
    }
  }

  private synchronized void awaitAnswer() throws InterruptedException {
    refuseIfInterrupted();
    while (!accepted && end == null) {
      wait();
    }
    if (!accepted && end instanceof Told.Ready(Event.Failed(Fault fault))) {
      throw fault.asException();
    }
  }

  @Override
  public Event next() throws InterruptedException {
    if (over) {
      throw new IllegalStateException("the generation is over");
    }
    return switch (take()) {
      case null ->
          new Event.Token(
              token.id,
              token.logprob,
              token.top,
              text.append(token.id, token.visibleBytes),
              settled(token.id, token.visibleBytes));
      case Told.Ready(Event event) -> {
        over = event instanceof Event.Failed;
        yield event;
      }
      case Told.Finished(TurnEnd turnEnd) -> {
        over = true;
        yield new Event.Ended(turnEnd, text.finish(turnEnd.visibleBytes()));
      }
    };
  }

  /**
   * Waits for what is next in the order of {@link TurnSink}; of a token, which is {@link #token}
   * then, returns null. Makes no object, as the engine thread may wait for the monitor.
   */
  private synchronized @Nullable Told take() throws InterruptedException {
    refuseIfInterrupted();
    while (start == null && sampled.isEmpty() && end == null) {
      wait();
    }
    if (start != null) {
      Told first = start;
      start = null;
      return first;
    }
    if (!sampled.isEmpty()) {
      sampled.removeTo(token);
      return null;
    }
    return requireNonNull(end);
  }

  /** Also where nobody has to wait: who reads is told at the next event, however many there are. */
  private static void refuseIfInterrupted() throws InterruptedException {
    if (Thread.interrupted()) {
      throw new InterruptedException();
    }
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
  public synchronized void accepted() {
    accepted = true;
    notify();
  }

  @Override
  public synchronized void started(TurnStart start) {
    this.start = new Told.Ready(new Event.Started(start));
    notify();
  }

  @Override
  public synchronized void token(int id, float logprob, TopLogprobs top, int visibleBytes) {
    sampled.add(id, logprob, top, visibleBytes);
    notify();
  }

  @Override
  public void finished(TurnEnd end) {
    end(new Told.Finished(end));
  }

  @Override
  public void failed(Fault fault) {
    end(new Told.Ready(new Event.Failed(fault)));
  }

  /** The first end counts: an engine that dies fails turns that it may have told of another. */
  private synchronized void end(Told how) {
    if (end == null) {
      end = how;
      notify();
    }
  }

  /** Waits, a step at most, until the engine has let go of a cancelled turn. */
  private synchronized void awaitEnd() {
    boolean interrupted = false;
    while (end == null) {
      try {
        wait();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
