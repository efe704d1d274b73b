package dev.sojourn.server.openai;

import dev.sojourn.backend.Generation.Event;
import dev.sojourn.core.FinishReason;
import dev.sojourn.engine.TurnStart;
import dev.sojourn.router.Selection;
import dev.sojourn.server.http.EventStream;
import dev.sojourn.server.http.Exchange;
import dev.sojourn.text.answer.Part;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One choice of a streamed answer. With log probabilities, a token is told when it is settled: one
 * that may be part of a stop string waits until it is not. Those of thoughts and calls are told
 * too, beside empty content. Used by the choice's thread, and when that is done by the request's.
 */
final class ChoiceStream implements TurnListener {

  private final Exchange exchange;
  private final EventStream events;
  private final AnswerFormat format;
  private final AnswerFormat.TextChunk words;
  private final AnswerFormat.TextChunk thoughts;
  private final int index;
  private final boolean chat;
  private final boolean logprobs;
  private final ArrayDeque<Event.Token> unsettled = new ArrayDeque<>();
  private boolean opened;
  private boolean calls;
  private int told; // tokens
  private int offset; // of the next token's text

  ChoiceStream(
      Exchange exchange,
      EventStream events,
      AnswerFormat format,
      int index,
      boolean chat,
      TurnSpec spec) {
    this.exchange = exchange;
    this.events = events;
    this.format = format;
    this.words = format.textChunk(index, "content");
    this.thoughts = format.textChunk(index, "reasoning_content");
    this.index = index;
    this.chat = chat;
    this.logprobs = spec.options().logprobs();
  }

  @Override
  public void started(TurnSpec spec, Selection selection, TurnStart start) {
    Metadata.headers(spec, selection, start).forEach(exchange::answerHeader);
  }

  @Override
  public void parts(List<Part> parts, Event.Token token) throws InterruptedException {
    open();
    if (logprobs) {
      unsettled.add(token);
    }
    tell(parts, token.settled());
  }

  /** Tells the rest of the answer. */
  @Override
  public void ended(List<Part> parts, Event.Ended ended) throws InterruptedException {
    open();
    tell(parts, ended.end().completion().length());
  }

  /**
   * Tells why the answer ended, when its turn is finished.
   *
   * @param nvext what is told beside it; null for nothing
   */
  void finish(FinishReason why, @Nullable Map<String, Object> nvext) throws InterruptedException {
    events.data(format.finishChunk(index, why, calls, nvext));
  }

  private void open() throws InterruptedException {
    if (!opened) {
      opened = true;
      if (chat) {
        events.data(format.roleChunk(index));
      }
    }
  }

  private void tell(List<Part> parts, int settled) throws InterruptedException {
    for (Part part : parts) {
      switch (part) {
        case Part.Text(String text) -> {
          if (logprobs) {
            tell(text, settled);
          } else {
            events.data(words.before(), AnswerFormat.escaped(text), words.after());
          }
        }
        case Part.Reasoning(String text) ->
            events.data(thoughts.before(), AnswerFormat.escaped(text), thoughts.after());
        case Part.CallBegin(int call, String id, String name) -> {
          calls = true;
          events.data(format.callChunk(index, call, id, name));
        }
        case Part.CallArguments(int call, String json) ->
            events.data(format.argumentsChunk(index, call, json));
        case Part.CallEnd _ -> {}
      }
    }
    if (logprobs) {
      tell("", settled);
    }
  }

  /** Tells text with the log probabilities of the tokens that are settled and were not told. */
  private void tell(String text, int settled) throws InterruptedException {
    List<Event.Token> ready = new ArrayList<>();
    while (told < settled && !unsettled.isEmpty()) {
      ready.add(unsettled.removeFirst());
      told++;
    }
    if (!ready.isEmpty() || !text.isEmpty()) {
      events.data(format.logprobsChunk(index, text, ready, offset));
      offset += text.length();
    }
  }
}
