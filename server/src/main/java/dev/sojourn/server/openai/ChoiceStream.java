package dev.sojourn.server.openai;

import dev.sojourn.backend.Generation.Event;
import dev.sojourn.engine.TurnStart;
import dev.sojourn.router.Selection;
import dev.sojourn.server.http.EventStream;
import dev.sojourn.server.http.Exchange;
import dev.sojourn.text.answer.Part;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/**
 * One choice of a streamed answer. With log probabilities, a token is told when it is settled: one
 * that may be part of a stop string waits until it is not. Used by the choice's thread.
 */
final class ChoiceStream implements TurnListener {

  private final Exchange exchange;
  private final EventStream events;
  private final AnswerFormat format;
  private final AnswerFormat.TextChunk chunk;
  private final int index;
  private final boolean chat;
  private final boolean logprobs;
  private final ArrayDeque<Event.Token> unsettled = new ArrayDeque<>();
  private boolean opened;
  private int told; // tokens
  private int offset; // of the next token's text

  ChoiceStream(
      Exchange exchange,
      EventStream events,
      AnswerFormat format,
      int index,
      boolean chat,
      boolean logprobs) {
    this.exchange = exchange;
    this.events = events;
    this.format = format;
    this.chunk = format.textChunk(index);
    this.index = index;
    this.chat = chat;
    this.logprobs = logprobs;
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
      tell(text(parts), token.settled());
    } else {
      tell(parts);
    }
  }

  /** Tells the rest of the text, and why it ended. */
  @Override
  public void ended(List<Part> parts, Event.Ended ended) throws InterruptedException {
    open();
    if (logprobs) {
      tell(text(parts), ended.end().completion().length());
    } else {
      tell(parts);
    }
    events.data(format.finishChunk(index, ended.end().reason()));
  }

  private void open() throws InterruptedException {
    if (!opened) {
      opened = true;
      if (chat) {
        events.data(format.roleChunk(index));
      }
    }
  }

  private void tell(List<Part> parts) throws InterruptedException {
    String text = text(parts);
    if (!text.isEmpty()) {
      events.data(chunk.before(), AnswerFormat.escaped(text), chunk.after());
    }
  }

  private static String text(List<Part> parts) {
    StringBuilder text = new StringBuilder();
    for (Part part : parts) {
      if (part instanceof Part.Text(String more)) {
        text.append(more);
      }
    }
    return text.toString();
  }

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
