package dev.sojourn.text.answer;

import java.util.ArrayDeque;
import java.util.Deque;

/**
 * Finds the end of one JSON value, character by character. It checks that brackets match and
 * strings end, and leaves the rest to whoever reads the value. Not thread-safe.
 */
final class JsonValue {

  private static final int MAX_DEPTH = 64;

  private final Deque<Character> open = new ArrayDeque<>(); // the brackets that will close them
  private boolean begun;
  private boolean inString;
  private boolean escaped;

  /** What a character is to the value. */
  enum Verdict {
    /** Part of it. */
    INSIDE,
    /** The last of it. */
    LAST,
    /** The first behind a number or word, which do not end by themselves. */
    BEHIND,
    /** An error. */
    WRONG
  }

  Verdict take(char letter) {
    if (inString) {
      return takeInString(letter);
    }
    if (begun && open.isEmpty() && !isScalar(letter)) {
      return Verdict.BEHIND;
    }
    begun = true;
    switch (letter) {
      case '"' -> inString = true;
      case '{' -> open.push('}');
      case '[' -> open.push(']');
      case '}', ']' -> {
        if (open.isEmpty() || open.pop() != letter) {
          return Verdict.WRONG;
        }
        return open.isEmpty() ? Verdict.LAST : Verdict.INSIDE;
      }
      case ',', ':' -> {
        return open.isEmpty() ? Verdict.WRONG : Verdict.INSIDE;
      }
      default -> {
        return isScalar(letter) || isBlank(letter) ? Verdict.INSIDE : Verdict.WRONG;
      }
    }
    return open.size() > MAX_DEPTH ? Verdict.WRONG : Verdict.INSIDE;
  }

  private Verdict takeInString(char letter) {
    if (letter < ' ') {
      return Verdict.WRONG;
    }
    boolean ends = letter == '"' && !escaped;
    escaped = letter == '\\' && !escaped;
    inString = !ends;
    return ends && open.isEmpty() ? Verdict.LAST : Verdict.INSIDE;
  }

  boolean inString() {
    return inString;
  }

  static boolean isBlank(char letter) {
    return letter == ' ' || letter == '\n' || letter == '\t' || letter == '\r';
  }

  /** Returns whether numbers, true, false and null have such a character. */
  private static boolean isScalar(char letter) {
    return (letter >= '0' && letter <= '9')
        || (letter >= 'a' && letter <= 'z')
        || letter == '-'
        || letter == '+'
        || letter == '.'
        || letter == 'E';
  }
}
