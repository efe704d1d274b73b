package dev.sojourn.text.template;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** Python's ways of cutting a string apart. */
final class Splitting {

  private Splitting() {}

  /** {@code split(sep, maxsplit)} and {@code rsplit}. */
  static List<Object> split(
      String self, Arguments arguments, Rendering rendering, boolean fromRight) {
    Arguments.Bound bound = arguments.bind(fromRight ? "rsplit" : "split", 0, "sep", "maxsplit");
    int most = bound.integer(1, -1);
    if (!bound.has(0)) {
      return fromRight
          ? wordsFromRight(self, most < 0 ? Integer.MAX_VALUE : most)
          : words(self, most < 0 ? Integer.MAX_VALUE : most);
    }
    String separator = bound.text(0);
    if (separator.isEmpty()) {
      throw new TemplateException("empty separator");
    }
    rendering.spend(self.length());
    return fromRight
        ? partsFromRight(self, separator, most < 0 ? Integer.MAX_VALUE : most)
        : parts(self, separator, most < 0 ? Integer.MAX_VALUE : most);
  }

  private static List<Object> parts(String text, String separator, int most) {
    List<Object> parts = new ArrayList<>();
    int from = 0;
    for (int at = text.indexOf(separator);
        at >= 0 && parts.size() < most;
        at = text.indexOf(separator, from)) {
      parts.add(text.substring(from, at));
      from = at + separator.length();
    }
    parts.add(text.substring(from));
    return parts;
  }

  private static List<Object> partsFromRight(String text, String separator, int most) {
    List<Object> parts = new ArrayList<>();
    int to = text.length();
    while (parts.size() < most) {
      int at = to < separator.length() ? -1 : text.lastIndexOf(separator, to - separator.length());
      if (at < 0) {
        break;
      }
      parts.add(text.substring(at + separator.length(), to));
      to = at;
    }
    parts.add(text.substring(0, to));
    Collections.reverse(parts);
    return parts;
  }

  private static List<Object> words(String text, int most) {
    List<Object> words = new ArrayList<>();
    int at = 0;
    while (true) {
      while (at < text.length() && Characters.space(text.charAt(at))) {
        at++;
      }
      if (at == text.length()) {
        return words;
      }
      if (words.size() == most) {
        words.add(text.substring(at));
        return words;
      }
      int from = at;
      while (at < text.length() && !Characters.space(text.charAt(at))) {
        at++;
      }
      words.add(text.substring(from, at));
    }
  }

  private static List<Object> wordsFromRight(String text, int most) {
    List<Object> words = new ArrayList<>();
    int at = text.length();
    while (true) {
      while (at > 0 && Characters.space(text.charAt(at - 1))) {
        at--;
      }
      if (at == 0) {
        break;
      }
      if (words.size() == most) {
        words.add(text.substring(0, at));
        break;
      }
      int to = at;
      while (at > 0 && !Characters.space(text.charAt(at - 1))) {
        at--;
      }
      words.add(text.substring(at, to));
    }
    Collections.reverse(words);
    return words;
  }

  /** {@code splitlines(keepends)}. */
  static List<Object> lines(String text, Arguments arguments) {
    return lines(text, arguments.bind("splitlines", 0, "keepends").flag(0));
  }

  static List<Object> lines(String text, boolean keepEnds) {
    List<Object> lines = new ArrayList<>();
    int from = 0;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (Characters.lineBreak(c)) {
        int end = i;
        if (c == '\r' && text.startsWith("\n", i + 1)) {
          i++;
        }
        lines.add(text.substring(from, keepEnds ? i + 1 : end));
        from = i + 1;
      }
    }
    if (from < text.length()) {
      lines.add(text.substring(from));
    }
    return lines;
  }

  /** {@code partition(sep)} and {@code rpartition}. */
  static Tuple partition(String self, Arguments arguments, boolean last) {
    String separator = arguments.bind(last ? "rpartition" : "partition", 1, "sep").text(0);
    if (separator.isEmpty()) {
      throw new TemplateException("empty separator");
    }
    int at = last ? self.lastIndexOf(separator) : self.indexOf(separator);
    if (at < 0) {
      return last ? Tuple.of("", "", self) : Tuple.of(self, "", "");
    }
    return Tuple.of(self.substring(0, at), separator, self.substring(at + separator.length()));
  }
}
