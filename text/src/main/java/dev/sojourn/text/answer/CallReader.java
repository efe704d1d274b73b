package dev.sojourn.text.answer;

import dev.sojourn.text.answer.JsonValue.Verdict;
import java.util.Set;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.json.JsonMapper;

/**
 * Reads one call, character by character: a JSON object with a {@code name}, a string, and
 * arguments, an object, in any order; other fields are passed over. Tells the arguments as they
 * come, once the name is known. Not thread-safe.
 */
final class CallReader {

  private static final JsonMapper JSON = JsonMapper.shared();

  /** Without a mark, an object that has no name by then is none; nobody waits for its end. */
  private static final int MAX_BEFORE_NAME = 256;

  /** What models name the arguments. */
  private static final Set<String> ARGUMENTS = Set.of("arguments", "parameters");

  private final String answerId;
  private final int index;
  private final boolean marked;
  private final StringBuilder raw = new StringBuilder();
  private final StringBuilder field = new StringBuilder(); // the key or value that is read
  private final StringBuilder early = new StringBuilder(); // arguments that came before the name
  private State state = State.OPEN;
  private JsonValue value = new JsonValue();
  private String key = "";
  private String name = "";
  private boolean told;
  private boolean argued;

  private enum State {
    /** Before the object. */
    OPEN,
    FIRST_KEY,
    KEY,
    IN_KEY,
    COLON,
    VALUE,
    IN_VALUE,
    COMMA,
    DONE,
    BROKEN
  }

  /**
   * Begins a call.
   *
   * @param answerId names the answer
   * @param index counts the answer's calls
   * @param marked whether it stands behind a mark: then one without arguments is one, too, with an
   *     empty object
   */
  CallReader(String answerId, int index, boolean marked) {
    this.answerId = answerId;
    this.index = index;
    this.marked = marked;
  }

  /** How far a call was read. */
  enum Outcome {
    /** It may go on. */
    OPEN,
    /** To its end. */
    DONE,
    /** As far as it was one; what was told of it stays told. */
    BROKEN_OFF,
    /** It is none: what was read is text. */
    NONE
  }

  /**
   * Reads on, as far as the call goes; not after its end.
   *
   * @param parts get what is certain
   */
  Outcome read(Backlog backlog, Parts parts) {
    int read = 0;
    while (read < backlog.length() && state != State.DONE && state != State.BROKEN) {
      take(backlog.at(read++), parts);
      if (!marked && name.isEmpty() && raw.length() > MAX_BEFORE_NAME) {
        state = State.BROKEN;
      }
    }
    boolean brokenOff = state == State.BROKEN && told;
    backlog.drop(brokenOff ? read - 1 : read);
    if (brokenOff) {
      parts.callEnd(index);
      return Outcome.BROKEN_OFF;
    }
    return state == State.DONE ? Outcome.DONE : state == State.BROKEN ? Outcome.NONE : Outcome.OPEN;
  }

  private void take(char letter, Parts parts) {
    if (!told) {
      raw.append(letter);
    }
    if (state == State.IN_KEY || state == State.IN_VALUE) {
      inside(letter, parts);
    } else if (!JsonValue.isBlank(letter)) {
      between(letter, parts);
    }
  }

  private void between(char letter, Parts parts) {
    switch (state) {
      case OPEN -> state = letter == '{' ? State.FIRST_KEY : State.BROKEN;
      case FIRST_KEY, KEY -> begin(letter, letter == '"' ? State.IN_KEY : State.BROKEN);
      case COLON -> state = letter == ':' ? State.VALUE : State.BROKEN;
      case VALUE -> {
        begin(letter, fits(letter) ? State.IN_VALUE : State.BROKEN);
        if (state == State.IN_VALUE && ARGUMENTS.contains(key)) {
          argued = true;
          argue(letter, parts);
        }
      }
      case COMMA -> {
        switch (letter) {
          case ',' -> state = State.KEY;
          case '}' -> finish(parts);
          default -> state = State.BROKEN;
        }
      }
      case IN_KEY, IN_VALUE, DONE, BROKEN -> throw new IllegalStateException("in " + state);
    }
  }

  /** Returns whether a value may begin with a letter: one name, and one object of arguments. */
  private boolean fits(char letter) {
    if (key.equals("name")) {
      return letter == '"' && name.isEmpty();
    }
    return !ARGUMENTS.contains(key) || (letter == '{' && !argued);
  }

  private void begin(char letter, State next) {
    field.setLength(0);
    field.append(letter);
    value = new JsonValue();
    state = value.take(letter) == Verdict.WRONG ? State.BROKEN : next;
  }

  private void inside(char letter, Parts parts) {
    Verdict verdict = value.take(letter);
    if (verdict == Verdict.WRONG) {
      state = State.BROKEN;
      return;
    }
    if (state == State.IN_VALUE && ARGUMENTS.contains(key)) {
      argue(letter, parts);
    } else if (verdict != Verdict.BEHIND) {
      field.append(letter);
    }
    if (verdict == Verdict.INSIDE) {
      return;
    }
    if (state == State.IN_KEY) {
      state = State.COLON;
      key = string();
    } else {
      state = State.COMMA;
      if (key.equals("name")) {
        named(parts);
      }
    }
    if (verdict == Verdict.BEHIND && !JsonValue.isBlank(letter)) {
      between(letter, parts);
    }
  }

  private void named(Parts parts) {
    name = string();
    if (name.isEmpty()) {
      state = State.BROKEN;
    } else if (argued) {
      tell(parts);
    }
  }

  /** Reads the JSON string that was taken; what is none breaks the call. */
  private String string() {
    try {
      return JSON.readValue(field.toString(), String.class);
    } catch (JacksonException e) {
      state = State.BROKEN;
      return "";
    }
  }

  private void argue(char letter, Parts parts) {
    if (name.isEmpty()) {
      early.append(letter);
      return;
    }
    if (!told) {
      tell(parts);
    }
    parts.arguments(index, String.valueOf(letter));
  }

  private void tell(Parts parts) {
    told = true;
    parts.call(index, CallId.of(answerId, index), name);
    parts.arguments(index, early);
  }

  private void finish(Parts parts) {
    if (name.isEmpty() || !(argued || marked)) {
      state = State.BROKEN;
      return;
    }
    if (!told) {
      tell(parts);
      parts.arguments(index, "{}");
    }
    parts.callEnd(index);
    state = State.DONE;
  }

  /** Returns whether a string is open. */
  boolean inString() {
    return (state == State.IN_KEY || state == State.IN_VALUE) && value.inString();
  }

  /** Returns whether its beginning was told, so that it cannot be taken back. */
  boolean told() {
    return told;
  }

  /** Returns what came while nothing was told. */
  String raw() {
    return raw.toString();
  }
}
