package dev.sojourn.text.answer;

import java.util.List;

/**
 * Finds calls in an answer that is nothing else: {@code {"name": "…", "parameters": {…}}}, or
 * several with semicolons between them, with {@code <|python_tag|>} before them or not (it is a
 * control token, and seldom shown). An answer that begins like a call and is none is text.
 */
final class Llama3Parser implements WordsParser {

  private static final String TAG = "<|python_tag|>";

  private final String answerId;
  private final boolean several;
  private final Backlog backlog = new Backlog();
  private final StringBuilder skipped = new StringBuilder(); // before the call that is read
  private CallReader call;
  private State state = State.START;
  private int calls; // that were told

  private enum State {
    /** Where a call may begin. */
    START,
    CALL,
    CALL_ENDED,
    WORDS
  }

  Llama3Parser(String answerId, boolean several) {
    this.answerId = answerId;
    this.several = several;
    call = new CallReader(answerId, 0, false);
  }

  @Override
  public List<Part> append(String text) {
    backlog.add(text);
    Parts parts = new Parts();
    boolean more = true;
    while (more) {
      more =
          switch (state) {
            case START -> start();
            case CALL -> call(parts);
            case CALL_ENDED -> callEnded();
            case WORDS -> {
              parts.text(backlog.takeAll());
              yield false;
            }
          };
    }
    return parts.list();
  }

  private boolean start() {
    skipped.append(backlog.take(backlog.blanks()));
    if (backlog.startsWith(TAG, 0)) {
      skipped.append(backlog.take(TAG.length()));
    } else if (backlog.maybe(TAG, 0)) {
      return false;
    } else if (backlog.at(0) == '{') {
      call = new CallReader(answerId, calls, false);
      state = State.CALL;
    } else {
      backlog.putBack(skipped.toString());
      state = State.WORDS;
    }
    return true;
  }

  private boolean call(Parts parts) {
    switch (call.read(backlog, parts)) {
      case OPEN -> {
        return false;
      }
      case DONE -> {
        calls++;
        skipped.setLength(0);
        state = State.CALL_ENDED;
      }
      case BROKEN_OFF -> {
        calls++;
        state = State.WORDS;
      }
      case NONE -> {
        backlog.putBack(skipped + call.raw());
        state = State.WORDS;
      }
    }
    return true;
  }

  private boolean callEnded() {
    skipped.append(backlog.take(backlog.blanks()));
    if (backlog.isEmpty()) {
      return false;
    }
    if (several && backlog.at(0) == ';') {
      skipped.append(backlog.take(1));
      state = State.START;
    } else {
      state = State.WORDS;
    }
    return true;
  }

  @Override
  public boolean inString() {
    return state == State.CALL && call.inString();
  }

  @Override
  public List<Part> end() {
    Parts parts = new Parts();
    if (state == State.CALL && !call.told()) {
      parts.text(skipped + call.raw());
    } else if (state == State.START && calls == 0) {
      parts.text(skipped + backlog.takeAll());
    } else if (state == State.START) {
      parts.text(backlog.takeAll());
    }
    return parts.list();
  }
}
