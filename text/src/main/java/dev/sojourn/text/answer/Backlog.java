package dev.sojourn.text.answer;

/** Text that came in and has not been told yet. Not thread-safe. */
final class Backlog {

  private final StringBuilder text = new StringBuilder();

  void add(String more) {
    text.append(more);
  }

  /** Puts text before what is there. */
  void putBack(String earlier) {
    text.insert(0, earlier);
  }

  int length() {
    return text.length();
  }

  boolean isEmpty() {
    return text.isEmpty();
  }

  char at(int index) {
    return text.charAt(index);
  }

  /** Returns where a mark begins; -1 where there is none. */
  int find(String mark) {
    return text.indexOf(mark);
  }

  boolean startsWith(String mark, int from) {
    return text.indexOf(mark, from) == from;
  }

  /** Returns whether all from an index on may be the beginning of a mark; if so, one waits. */
  boolean maybe(String mark, int from) {
    return mark.startsWith(text.substring(from));
  }

  /** Returns how many characters come before anything that may yet turn out to be a mark. */
  int before(String mark) {
    int from = Math.max(0, text.length() - mark.length() + 1);
    while (!maybe(mark, from)) {
      from++;
    }
    return from;
  }

  /** Returns {@code end}, less the line breaks before it. */
  int beforeBreaks(int end) {
    int at = end;
    while (at > 0 && text.charAt(at - 1) == '\n') {
      at--;
    }
    return at;
  }

  /** Returns how many characters at the beginning are line breaks. */
  int breaks() {
    int at = 0;
    while (at < text.length() && text.charAt(at) == '\n') {
      at++;
    }
    return at;
  }

  /** Returns how many characters at the beginning are white space. */
  int blanks() {
    int at = 0;
    while (at < text.length() && Character.isWhitespace(text.charAt(at))) {
      at++;
    }
    return at;
  }

  /** Takes characters from the beginning. */
  String take(int count) {
    String taken = text.substring(0, count);
    text.delete(0, count);
    return taken;
  }

  String takeAll() {
    return take(text.length());
  }

  void drop(int count) {
    text.delete(0, count);
  }
}
