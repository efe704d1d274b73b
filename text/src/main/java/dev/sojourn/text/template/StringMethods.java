package dev.sojourn.text.template;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.function.IntPredicate;

/** The methods of Python's strings. Positions and lengths count code points. */
final class StringMethods {

  /** A method. */
  interface Method {

    /** Calls the method of a string. */
    Object call(String self, Arguments arguments, Rendering rendering);
  }

  static final Map<String, Method> BY_NAME =
      Map.ofEntries(
          Map.entry("upper", (s, a, r) -> Casing.upper(none("upper", s, a))),
          Map.entry("lower", (s, a, r) -> Casing.lower(none("lower", s, a))),
          Map.entry("casefold", (s, a, r) -> Casing.fold(none("casefold", s, a))),
          Map.entry("capitalize", (s, a, r) -> Casing.capitalize(none("capitalize", s, a))),
          Map.entry("title", (s, a, r) -> Casing.title(none("title", s, a))),
          Map.entry("swapcase", (s, a, r) -> Casing.swap(none("swapcase", s, a))),
          Map.entry("strip", (s, a, r) -> strip(s, characters("strip", a), true, true)),
          Map.entry("lstrip", (s, a, r) -> strip(s, characters("lstrip", a), true, false)),
          Map.entry("rstrip", (s, a, r) -> strip(s, characters("rstrip", a), false, true)),
          Map.entry("removeprefix", (s, a, r) -> removePrefix(s, one("removeprefix", a))),
          Map.entry("removesuffix", (s, a, r) -> removeSuffix(s, one("removesuffix", a))),
          Map.entry("startswith", (s, a, r) -> affix("startswith", s, a, r, true)),
          Map.entry("endswith", (s, a, r) -> affix("endswith", s, a, r, false)),
          Map.entry("split", (s, a, r) -> Splitting.split(s, a, r, false)),
          Map.entry("rsplit", (s, a, r) -> Splitting.split(s, a, r, true)),
          Map.entry("splitlines", (s, a, r) -> Splitting.lines(s, a)),
          Map.entry("partition", (s, a, r) -> Splitting.partition(s, a, false)),
          Map.entry("rpartition", (s, a, r) -> Splitting.partition(s, a, true)),
          Map.entry("join", (s, a, r) -> join(s, a, r)),
          Map.entry("replace", StringMethods::replace),
          Map.entry("find", (s, a, r) -> find("find", s, a, false)),
          Map.entry("rfind", (s, a, r) -> find("rfind", s, a, true)),
          Map.entry("index", (s, a, r) -> found(find("index", s, a, false))),
          Map.entry("rindex", (s, a, r) -> found(find("rindex", s, a, true))),
          Map.entry("count", (s, a, r) -> count(s, a)),
          Map.entry("center", (s, a, r) -> pad("center", s, a, r)),
          Map.entry("ljust", (s, a, r) -> pad("ljust", s, a, r)),
          Map.entry("rjust", (s, a, r) -> pad("rjust", s, a, r)),
          Map.entry("zfill", StringMethods::zeroFill),
          Map.entry("expandtabs", StringMethods::expandTabs),
          Map.entry("format", (s, a, r) -> new BraceFormat(a, r).render(s)),
          Map.entry("isspace", (s, a, r) -> all(none("isspace", s, a), Characters::space)),
          Map.entry("isalpha", (s, a, r) -> all(none("isalpha", s, a), Character::isLetter)),
          Map.entry(
              "isalnum",
              (s, a, r) ->
                  all(none("isalnum", s, a), c -> Character.isLetter(c) || Characters.numeric(c))),
          Map.entry(
              "isdigit", (s, a, r) -> all(none("isdigit", s, a), c -> Character.digit(c, 10) >= 0)),
          Map.entry("isdecimal", (s, a, r) -> all(none("isdecimal", s, a), Character::isDigit)),
          Map.entry("isnumeric", (s, a, r) -> all(none("isnumeric", s, a), Characters::numeric)),
          Map.entry("isascii", (s, a, r) -> none("isascii", s, a).chars().allMatch(c -> c < 128)),
          Map.entry(
              "isprintable",
              (s, a, r) -> none("isprintable", s, a).codePoints().allMatch(Printing::printable)),
          Map.entry("isidentifier", (s, a, r) -> identifier(none("isidentifier", s, a))),
          Map.entry("islower", (s, a, r) -> Casing.isLower(none("islower", s, a))),
          Map.entry("isupper", (s, a, r) -> Casing.isUpper(none("isupper", s, a))),
          Map.entry("istitle", (s, a, r) -> Casing.isTitle(none("istitle", s, a))));

  private StringMethods() {}

  private static String none(String method, String self, Arguments arguments) {
    arguments.bind(method, 0);
    return self;
  }

  private static String one(String method, Arguments arguments) {
    return arguments.bind(method, 1, "text").text(0);
  }

  private static boolean all(String text, IntPredicate predicate) {
    return !text.isEmpty() && text.codePoints().allMatch(predicate);
  }

  private static IntPredicate characters(String method, Arguments arguments) {
    Arguments.Bound bound = arguments.bind(method, 0, "chars");
    if (!bound.has(0)) {
      return Characters::space;
    }
    String set = bound.text(0);
    return c -> set.indexOf(c) >= 0;
  }

  /** Returns a string without some characters at its ends. */
  static String strip(String text, IntPredicate which, boolean left, boolean right) {
    int from = 0;
    int to = text.length();
    while (left && from < to && which.test(text.codePointAt(from))) {
      from += Character.charCount(text.codePointAt(from));
    }
    while (right && from < to && which.test(text.codePointBefore(to))) {
      to -= Character.charCount(text.codePointBefore(to));
    }
    return text.substring(from, to);
  }

  private static String removePrefix(String text, String prefix) {
    return text.startsWith(prefix) ? text.substring(prefix.length()) : text;
  }

  private static String removeSuffix(String text, String suffix) {
    return text.endsWith(suffix) ? text.substring(0, text.length() - suffix.length()) : text;
  }

  private static boolean affix(
      String method, String self, Arguments arguments, Rendering rendering, boolean start) {
    Arguments.Bound bound = arguments.bind(method, 1, "affix", "start", "end");
    Object affix = bound.at(0);
    String text =
        Values.text(Attributes.slice(self, bound.at(1), bound.at(2), None.NONE, rendering));
    List<?> affixes = affix instanceof Tuple tuple ? tuple : List.of(bound.text(0));
    for (Object one : affixes) {
      String part = Values.text(one);
      if (part == null || text == null) {
        throw new TemplateException(method + "() takes strings, not " + Values.typeName(one));
      }
      if (start ? text.startsWith(part) : text.endsWith(part)) {
        return true;
      }
    }
    return false;
  }

  private static String join(String separator, Arguments arguments, Rendering rendering) {
    Iterator<Object> items = Values.iterator(arguments.bind("join", 1, "iterable").at(0));
    StringBuilder out = new StringBuilder();
    for (int i = 0; items.hasNext(); i++) {
      Object item = items.next();
      String text = Values.text(item);
      if (text == null) {
        throw new TemplateException(
            "join(): item " + i + " must be str, not " + Values.typeName(item));
      }
      out.append(i == 0 ? "" : separator).append(text);
      rendering.spend(i == 0 ? text.length() : (long) separator.length() + text.length());
      if (out.length() > Rendering.LARGEST) {
        rendering.spend(out.length());
      }
    }
    return out.toString();
  }

  private static String replace(String self, Arguments arguments, Rendering rendering) {
    Arguments.Bound bound = arguments.bind("replace", 2, "old", "new", "count");
    return replace(self, bound.text(0), bound.text(1), bound.integer(2, -1), rendering);
  }

  /** Replaces up to a number of occurrences; all if the number is negative. */
  static String replace(
      String text, String old, String replacement, int count, Rendering rendering) {
    if (count == 0 || !text.contains(old)) {
      return text;
    }
    StringBuilder out = new StringBuilder(text.length());
    int from = 0;
    int left = count < 0 ? Integer.MAX_VALUE : count;
    for (int at = text.indexOf(old); at >= 0 && left > 0; left--) {
      out.append(text, from, at).append(replacement);
      if (out.length() > Rendering.LARGEST) {
        rendering.spend(out.length());
      }
      from = at + old.length();
      if (old.isEmpty()) {
        if (at == text.length()) {
          break;
        }
        at = text.offsetByCodePoints(at, 1);
      } else {
        at = text.indexOf(old, from);
      }
    }
    return out.append(text, from, text.length()).toString();
  }

  private static long find(String method, String self, Arguments arguments, boolean last) {
    Arguments.Bound bound = arguments.bind(method, 1, "sub", "start", "end");
    int length = self.codePointCount(0, self.length());
    int from = position(bound, 1, length, 0);
    int to = position(bound, 2, length, length);
    if (from > to) {
      return -1;
    }
    String window = Attributes.substring(self, from, to);
    int at = last ? window.lastIndexOf(bound.text(0)) : window.indexOf(bound.text(0));
    return at < 0 ? -1 : from + (long) window.codePointCount(0, at);
  }

  private static int position(Arguments.Bound bound, int index, int length, int otherwise) {
    if (!bound.has(index)) {
      return otherwise;
    }
    long at = bound.integer(index, 0);
    return Math.clamp(at < 0 ? at + length : at, 0, length);
  }

  private static long found(long at) {
    if (at < 0) {
      throw new TemplateException("substring not found");
    }
    return at;
  }

  private static long count(String self, Arguments arguments) {
    String part = arguments.bind("count", 1, "sub").text(0);
    if (part.isEmpty()) {
      return self.codePointCount(0, self.length()) + 1L;
    }
    long count = 0;
    for (int at = self.indexOf(part); at >= 0; at = self.indexOf(part, at + part.length())) {
      count++;
    }
    return count;
  }

  private static String pad(String method, String self, Arguments arguments, Rendering rendering) {
    Arguments.Bound bound = arguments.bind(method, 1, "width", "fillchar");
    String fill = bound.text(1, " ");
    if (fill.codePointCount(0, fill.length()) != 1) {
      throw new TemplateException(method + "(): the fill character must be one character");
    }
    return pad(method, self, bound.integer(0, 0), fill, rendering);
  }

  /** Fills a string up to a width, on the side that the method says. */
  static String pad(String method, String self, int width, String fill, Rendering rendering) {
    int missing = width - self.codePointCount(0, self.length());
    if (missing <= 0) {
      return self;
    }
    rendering.spend(width);
    int before =
        switch (method) {
          case "ljust" -> 0;
          case "rjust" -> missing;
          // An odd space goes to the left if the width is odd, as CPython has it.
          default -> missing / 2 + (missing & width & 1);
        };
    return fill.repeat(before) + self + fill.repeat(missing - before);
  }

  private static String zeroFill(String self, Arguments arguments, Rendering rendering) {
    int width = arguments.bind("zfill", 1, "width").integer(0, 0);
    int missing = width - self.codePointCount(0, self.length());
    if (missing <= 0) {
      return self;
    }
    rendering.spend(width);
    int sign = self.startsWith("-") || self.startsWith("+") ? 1 : 0;
    return self.substring(0, sign) + "0".repeat(missing) + self.substring(sign);
  }

  private static String expandTabs(String self, Arguments arguments, Rendering rendering) {
    int width = arguments.bind("expandtabs", 0, "tabsize").integer(0, 8);
    StringBuilder out = new StringBuilder();
    int column = 0;
    for (int i = 0; i < self.length(); i++) {
      char c = self.charAt(i);
      if (c == '\t') {
        int spaces = width > 0 ? width - column % width : 0;
        rendering.spend((long) out.length() + spaces);
        out.repeat(' ', spaces);
        column += spaces;
      } else {
        out.append(c);
        column = c == '\n' || c == '\r' ? 0 : column + (Character.isLowSurrogate(c) ? 0 : 1);
      }
    }
    return out.toString();
  }

  private static boolean identifier(String text) {
    List<Integer> points = new ArrayList<>(text.codePoints().boxed().toList());
    if (points.isEmpty()) {
      return false;
    }
    int first = points.removeFirst();
    return (first == '_' || Character.isUnicodeIdentifierStart(first))
        && points.stream()
            .allMatch(
                c -> Character.isUnicodeIdentifierPart(c) && !Character.isIdentifierIgnorable(c));
  }
}
