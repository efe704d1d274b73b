package dev.sojourn.server.openai;

import static java.util.Objects.requireNonNull;

import dev.sojourn.backend.Generation;
import dev.sojourn.backend.Generation.Event;
import dev.sojourn.core.Clock;
import dev.sojourn.core.Fault;
import dev.sojourn.core.FinishReason;
import dev.sojourn.core.LossCause;
import dev.sojourn.core.Promise;
import dev.sojourn.core.TurnMode;
import dev.sojourn.engine.TurnEnd;
import dev.sojourn.engine.TurnStart;
import dev.sojourn.router.CloseReport;
import dev.sojourn.router.NoSession;
import dev.sojourn.router.Selection;
import dev.sojourn.router.Selection.Affinity;
import dev.sojourn.router.TurnGuard;
import dev.sojourn.server.metrics.GatewayMetrics;
import dev.sojourn.server.prompt.Answer;
import dev.sojourn.server.prompt.AnswerBuilder;
import dev.sojourn.server.prompt.Prompt;
import dev.sojourn.text.answer.AnswerParser;
import dev.sojourn.text.answer.Part;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Reads one generation to its end, whatever happens to the one it is read for: when the listener
 * fails or the thread is interrupted, the generation is cancelled and read on, so that what the
 * engine may have committed all the same is known. Used by one thread.
 */
final class TurnReader {

  private final TurnSpec spec;
  private final Selection selection;
  private final TurnGuard guard;
  private final TurnListener listener;
  private final GatewayMetrics metrics;
  private final AnswerParser parser;
  private final AnswerBuilder answer;
  private final List<Event.Token> tokens = new ArrayList<>();
  private @Nullable TurnStart start;
  private @Nullable TurnEnd end;
  private @Nullable Fault failure;
  private long lastTokenNanos;
  private int sampled;

  TurnReader(
      TurnSpec spec,
      Prompt prompt,
      Selection selection,
      TurnGuard guard,
      TurnListener listener,
      GatewayMetrics metrics) {
    this.spec = spec;
    this.selection = selection;
    this.guard = guard;
    this.listener = listener;
    this.metrics = metrics;
    this.parser = prompt.parser(spec.turnId());
    this.answer = new AnswerBuilder();
  }

  /**
   * Tells the guard that the worker accepted the turn, and reads to the end.
   *
   * @throws dev.sojourn.core.FaultException if the generation failed or was cancelled
   * @throws InterruptedException if the thread was interrupted; the generation is over all the same
   */
  void read(Generation generation, long begunNanos, Clock clock) throws InterruptedException {
    boolean whole = false;
    try {
      guard.accepted();
      while (!over()) {
        Event event = generation.next();
        List<Part> parts = take(event);
        tell(event, parts, begunNanos, clock);
      }
      whole = true;
    } finally {
      if (!whole) {
        settle(generation);
      }
    }
    if (failure != null) {
      throw failure.asException();
    }
    if (end().reason() == FinishReason.CANCELLED) {
      throw new Fault.Cancelled("the turn was cancelled").asException();
    }
  }

  private void tell(Event event, List<Part> parts, long begunNanos, Clock clock)
      throws InterruptedException {
    switch (event) {
      case Event.Started(TurnStart found) -> listener.started(spec, selection, found);
      case Event.Token token -> {
        long now = clock.nanos();
        if (sampled == 1) {
          guard.firstToken();
          metrics.firstToken(now - begunNanos);
        } else {
          metrics.nextToken(now - lastTokenNanos);
        }
        guard.generated(1);
        lastTokenNanos = now;
        listener.parts(parts, token);
      }
      case Event.Ended ended -> {
        if (committed()) {
          listener.ended(parts, ended);
        }
      }
      case Event.Failed _ -> {}
    }
  }

  /** Notes what happened, and returns what it adds to the answer. */
  private List<Part> take(Event event) {
    List<Part> parts = List.of();
    switch (event) {
      case Event.Started(TurnStart found) -> start = found;
      case Event.Token token -> {
        sampled++;
        parts = parser.append(token.text());
        if (spec.options().logprobs()) {
          tokens.add(token);
        }
      }
      case Event.Ended(TurnEnd ended, String rest) -> {
        end = ended;
        parts = new ArrayList<>(parser.append(rest));
        parts.addAll(parser.end());
      }
      case Event.Failed(Fault fault) -> failure = fault;
    }
    answer.add(parts);
    return parts;
  }

  private boolean over() {
    return end != null || failure != null;
  }

  /** Cancels, and reads on until the worker has let go of the turn: a step at most. */
  private void settle(Generation generation) {
    generation.cancel();
    boolean interrupted = Thread.interrupted();
    while (!over()) {
      try {
        var _ = take(generation.next());
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /** Returns whether the turn has an answer, which the engine committed whoever reads it. */
  boolean committed() {
    return start != null
        && end != null
        && (end.reason() == FinishReason.STOP || end.reason() == FinishReason.LENGTH);
  }

  TurnStart start() {
    return requireNonNull(start, "the turn has not started");
  }

  TurnEnd end() {
    return requireNonNull(end, "the turn has not ended");
  }

  Answer answer() {
    return answer.answer();
  }

  /**
   * Returns how the turn stood to its session. Of a side request that ran apart from it, only the
   * prompt knows what it is.
   */
  TurnMode mode(Prompt prompt) {
    boolean aside =
        prompt.aside() || (prompt.mayBeAside() && selection.affinity() == Affinity.NONE);
    return aside && start().mode() == TurnMode.NONE ? TurnMode.ASIDE : start().mode();
  }

  /**
   * Returns what came of it.
   *
   * @param losses what the session had held that was computed again, or given up
   */
  TurnResult result(NoSession why, Promise promise, Prompt prompt, Map<LossCause, Integer> losses) {
    int counted = Math.min(tokens.size(), end().completion().length());
    return new TurnResult(
        spec,
        selection,
        new TurnStart(mode(prompt), start().promptTokens(), start().reusedTokens(), losses),
        end(),
        answer(),
        tokens.subList(0, counted),
        why,
        promise,
        prompt.divergence(),
        prompt.rendering(),
        CloseReport.NOT_ASKED,
        false);
  }
}
