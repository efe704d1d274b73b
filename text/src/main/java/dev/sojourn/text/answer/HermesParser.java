package dev.sojourn.text.answer;

import java.util.List;

/**
 * Finds calls of the form
 *
 * <pre>
 *   &lt;tool_call&gt;
 *   {"name": "…", "arguments": {…}}
 *   &lt;/tool_call&gt;
 * </pre>
 *
 * with text before, between and behind them. Line breaks before a call belong to its mark, and
 * white space between calls or behind the last. What turns out to be no call is the text that it
 * is.
 */
final class HermesParser implements WordsParser {

  private static final String BEGIN = "<tool_call>";
  private static final String END = "</tool_call>";

  private final String answerId;
  private final boolean several;
  private final Backlog backlog = new Backlog();
  private CallReader call;
  private String breaks = ""; // before the call that is read
  private State state = State.WORDS;
  private int calls; // that were told
  private boolean spoken; // whether any text was told

  private enum State {
    WORDS,
    CALL,
    /** Behind a call's object. */
    CALL_ENDED
  }

  HermesParser(String answerId, boolean several) {
    this.answerId = answerId;
    this.several = several;
    call = new CallReader(answerId, 0, true);
  }

  @Override
  public List<Part> append(String text) {
    backlog.add(text);
    Parts parts = new Parts();
    boolean more = true;
    while (more) {
      more =
          switch (state) {
            case WORDS -> words(parts);
            case CALL -> call(parts);
            case CALL_ENDED -> callEnded();
          };
    }
    return parts.list();
  }

  private boolean words(Parts parts) {
    int begin = several || calls == 0 ? backlog.find(BEGIN) : -1;
    int end = begin >= 0 ? begin : backlog.before(BEGIN);
    tell(parts, backlog.take(backlog.beforeBreaks(end)));
    if (begin < 0) {
      return false;
    }
    breaks = backlog.take(backlog.breaks());
    backlog.drop(BEGIN.length());
    call = new CallReader(answerId, calls, true);
    state = State.CALL;
    return true;
  }

  private boolean call(Parts parts) {
    switch (call.read(backlog, parts)) {
      case OPEN -> {
        return false;
      }
      case DONE, BROKEN_OFF -> {
        calls++;
        state = State.CALL_ENDED;
      }
      case NONE -> {
        tell(parts, breaks + BEGIN);
        backlog.putBack(call.raw());
        state = State.WORDS;
      }
    }
    return true;
  }

  private boolean callEnded() {
    int blanks = backlog.blanks();
    if (backlog.startsWith(END, blanks)) {
      backlog.drop(blanks + END.length());
    } else if (backlog.maybe(END, blanks)) {
      return false;
    }
    state = State.WORDS;
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
      tell(parts, breaks + BEGIN + call.raw());
    } else if (state == State.WORDS && (calls == 0 || backlog.blanks() < backlog.length())) {
      tell(parts, backlog.takeAll());
    }
    return parts.list();
  }

  private void tell(Parts parts, String text) {
    String told = calls > 0 && !spoken ? text.stripLeading() : text;
    spoken |= !told.isEmpty();
    parts.text(told);
  }
}
