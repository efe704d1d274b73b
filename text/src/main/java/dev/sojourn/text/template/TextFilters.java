package dev.sojourn.text.template;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.IntPredicate;

/** Filters of strings. What is no string is taken as it prints. */
final class TextFilters {

  static final Map<String, Filters.Function> BY_NAME =
      Map.ofEntries(
          Map.entry("upper", (v, a, r) -> Casing.upper(Printing.str(v))),
          Map.entry("lower", (v, a, r) -> Casing.lower(Printing.str(v))),
          Map.entry("capitalize", (v, a, r) -> Casing.capitalize(Printing.str(v))),
          Map.entry("title", (v, a, r) -> title(Printing.str(v))),
          Map.entry("trim", (v, a, r) -> trim(Printing.str(v), a)),
          Map.entry("replace", TextFilters::replace),
          Map.entry("indent", TextFilters::indent),
          Map.entry("center", TextFilters::center),
          Map.entry("truncate", (v, a, r) -> truncate(v, a)),
          Map.entry("wordcount", (v, a, r) -> wordCount(Printing.str(v))),
          Map.entry("format", TextFilters::format),
          Map.entry("urlencode", (v, a, r) -> urlEncode(v, r)),
          Map.entry("safe", (v, a, r) -> v instanceof Markup ? v : new Markup(Printing.str(v))),
          Map.entry("e", (v, a, r) -> Markup.escape(v)),
          Map.entry("escape", (v, a, r) -> Markup.escape(v)),
          Map.entry("forceescape", (v, a, r) -> new Markup(Markup.escape(Printing.str(v)))));

  private TextFilters() {}

  /** Unlike the method of the same name, words begin only behind blanks, dashes and brackets. */
  private static String title(String text) {
    StringBuilder out = new StringBuilder(text.length());
    int from = 0;
    while (from < text.length()) {
      int to = from;
      while (to < text.length() && !wordBreak(text.charAt(to))) {
        to++;
      }
      if (to > from) {
        int first = text.offsetByCodePoints(from, 1);
        out.append(Casing.upper(text.substring(from, first)));
        out.append(Casing.lower(text.substring(first, to)));
      }
      while (to < text.length() && wordBreak(text.charAt(to))) {
        out.append(text.charAt(to++));
      }
      from = to;
    }
    return out.toString();
  }

  private static boolean wordBreak(char c) {
    return "-({[<".indexOf(c) >= 0 || Characters.space(c);
  }

  private static String trim(String text, Arguments arguments) {
    Arguments.Bound bound = arguments.bind("trim", 0, "chars");
    String characters = bound.text(0, "");
    IntPredicate which = bound.has(0) ? c -> characters.indexOf(c) >= 0 : Characters::space;
    return StringMethods.strip(text, which, true, true);
  }

  private static Object replace(Object value, Arguments arguments, Rendering rendering) {
    Arguments.Bound bound = arguments.bind("replace", 2, "old", "new", "count");
    return StringMethods.replace(
        Printing.str(value),
        Printing.str(bound.at(0)),
        Printing.str(bound.at(1)),
        bound.has(2) ? bound.integer(2, -1) : -1,
        rendering);
  }

  private static Object indent(Object value, Arguments arguments, Rendering rendering) {
    Arguments.Bound bound = arguments.bind("indent", 0, "width", "first", "blank");
    String text = Values.text(value);
    if (text == null) {
      throw new TemplateException("indent takes a string, not " + Values.typeName(value));
    }
    String indention = Values.text(bound.or(0, 4L));
    if (indention == null) {
      int width = Math.max(0, bound.integer(0, 4));
      rendering.spend(width);
      indention = " ".repeat(width);
    }
    List<Object> lines = Splitting.lines(text + "\n", false);
    StringBuilder out = new StringBuilder(bound.flag(1) ? indention : "");
    for (int i = 0; i < lines.size(); i++) {
      String line = (String) lines.get(i);
      if (i > 0) {
        out.append('\n').append(line.isEmpty() && !bound.flag(2) ? "" : indention);
      }
      out.append(line);
      rendering.spend((long) indention.length() + line.length());
      if (out.length() > Rendering.LARGEST) {
        rendering.spend(out.length());
      }
    }
    return out.toString();
  }

  private static Object center(Object value, Arguments arguments, Rendering rendering) {
    int width = arguments.bind("center", 0, "width").integer(0, 80);
    return StringMethods.pad("center", Printing.str(value), width, " ", rendering);
  }

  private static Object truncate(Object value, Arguments arguments) {
    Arguments.Bound bound = arguments.bind("truncate", 0, "length", "killwords", "end", "leeway");
    int length = bound.integer(0, 255);
    String end = bound.text(2, "...");
    int leeway = bound.has(3) ? bound.integer(3, 5) : 5;
    String text = Values.text(value);
    if (text == null) {
      throw new TemplateException("truncate takes a string, not " + Values.typeName(value));
    }
    int kept = length - Values.length(end);
    if (kept < 0 || leeway < 0) {
      throw new TemplateException(
          "truncate(): length " + length + " or leeway " + leeway + " is too small");
    }
    if (Values.length(text) <= (long) length + leeway) {
      return text;
    }
    String start = Attributes.substring(text, 0, kept);
    int blank = start.lastIndexOf(' ');
    return (bound.flag(1) || blank < 0 ? start : start.substring(0, blank)) + end;
  }

  private static long wordCount(String text) {
    long words = 0;
    boolean inWord = false;
    for (int i = 0; i < text.length(); ) {
      int c = text.codePointAt(i);
      i += Character.charCount(c);
      boolean word = Characters.word(c);
      words += word && !inWord ? 1 : 0;
      inWord = word;
    }
    return words;
  }

  private static Object format(Object value, Arguments arguments, Rendering rendering) {
    if (!arguments.positional().isEmpty() && !arguments.named().isEmpty()) {
      throw new TemplateException("format takes positional or named values, not both");
    }
    Object values =
        arguments.named().isEmpty() ? new Tuple(arguments.positional()) : arguments.named();
    return new PercentFormat(Printing.str(value), values, rendering).render();
  }

  private static Object urlEncode(Object value, Rendering rendering) {
    if (Values.text(value) != null || Values.iteratorOrNone(value) == null) {
      return percent(Printing.str(value), false);
    }
    Object pairs =
        value instanceof Map<?, ?> map ? new DictView(DictView.Kind.dict_items, map) : value;
    List<String> parts = new ArrayList<>();
    for (Object pair : Values.list(pairs, rendering)) {
      List<Object> two = Values.list(pair, rendering);
      if (two.size() != 2) {
        throw new TemplateException("urlencode takes pairs, not " + two.size() + " values");
      }
      parts.add(
          percent(Printing.str(two.get(0)), true) + "=" + percent(Printing.str(two.get(1)), true));
    }
    return String.join("&", parts);
  }

  private static String percent(String text, boolean query) {
    StringBuilder out = new StringBuilder(text.length());
    for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
      char c = (char) (b & 0xff);
      boolean plain =
          (c >= '0' && c <= '9')
              || (c >= 'a' && c <= 'z')
              || (c >= 'A' && c <= 'Z')
              || "_.-~".indexOf(c) >= 0
              || (c == '/' && !query);
      if (plain) {
        out.append(c);
      } else if (c == ' ' && query) {
        out.append('+');
      } else {
        out.append(c < 16 ? "%0" : "%").append(Casing.upper(Integer.toHexString(c)));
      }
    }
    return out.toString();
  }
}
