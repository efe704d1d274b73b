package dev.sojourn.text.answer;

import java.util.List;

/**
 * Finds thoughts, wherever they are but in the strings of calls, and leaves the rest to another
 * parser. Line breaks at either end of a thought and behind it belong to its marks, as does white
 * space before one that an answer begins with: templates write them so. A thought that does not end
 * is one to the answer's end; an end without a beginning is text.
 */
final class ThinkParser implements AnswerParser {

  private static final String BEGIN = "<think>";
  private static final String END = "</think>";

  private final WordsParser words;
  private final Backlog backlog = new Backlog();
  private State state;

  private enum State {
    /** Nothing but white space was said. */
    BLANK,
    WORDS,
    /** In a thought, of which nothing but line breaks was read. */
    THOUGHT_BEGUN,
    THOUGHT,
    /** Behind a thought, and the line breaks that follow it. */
    THOUGHT_ENDED
  }

  ThinkParser(WordsParser words, boolean begunThinking) {
    this.words = words;
    state = begunThinking ? State.THOUGHT_BEGUN : State.BLANK;
  }

  @Override
  public List<Part> append(String text) {
    backlog.add(text);
    Parts parts = new Parts();
    boolean more = true;
    while (more) {
      more =
          switch (state) {
            case BLANK -> blank();
            case WORDS -> words(parts);
            case THOUGHT_BEGUN -> breaks(State.THOUGHT);
            case THOUGHT -> thought(parts);
            case THOUGHT_ENDED -> breaks(State.WORDS);
          };
    }
    return parts.list();
  }

  private boolean blank() {
    int blanks = backlog.blanks();
    if (backlog.startsWith(BEGIN, blanks)) {
      backlog.drop(blanks + BEGIN.length());
      state = State.THOUGHT_BEGUN;
    } else if (backlog.maybe(BEGIN, blanks)) {
      return false;
    } else {
      state = State.WORDS;
    }
    return true;
  }

  private boolean words(Parts parts) {
    int begin = backlog.find(BEGIN);
    parts.addAll(words.append(backlog.take(begin >= 0 ? begin : backlog.before(BEGIN))));
    if (begin < 0) {
      return false;
    }
    if (words.inString()) {
      parts.addAll(words.append(backlog.take(BEGIN.length())));
      return true;
    }
    backlog.drop(BEGIN.length());
    state = State.THOUGHT_BEGUN;
    return true;
  }

  private boolean thought(Parts parts) {
    int end = backlog.find(END);
    int told = backlog.beforeBreaks(end >= 0 ? end : backlog.before(END));
    parts.reasoning(backlog.take(told));
    if (end < 0) {
      return false;
    }
    backlog.drop(end - told + END.length());
    state = State.THOUGHT_ENDED;
    return true;
  }

  private boolean breaks(State next) {
    backlog.drop(backlog.breaks());
    if (backlog.isEmpty()) {
      return false;
    }
    state = next;
    return true;
  }

  @Override
  public List<Part> end() {
    Parts parts = new Parts();
    if (state == State.THOUGHT) {
      parts.reasoning(backlog.takeAll());
    } else {
      parts.addAll(words.append(backlog.takeAll()));
    }
    parts.addAll(words.end());
    return parts.list();
  }
}
