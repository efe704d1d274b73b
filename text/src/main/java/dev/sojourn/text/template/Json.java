package dev.sojourn.text.template;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Python's {@code json.dumps}, which transformers puts in the place of jinja2's {@code tojson}: no
 * HTML escapes, spaces after separators, characters beyond ASCII as they are.
 */
final class Json {

  private static final int DEPTH = 200;

  private final StringBuilder out = new StringBuilder();
  private final Rendering rendering;
  private final boolean ascii;
  private final boolean sorted;
  private final @Nullable String indent;
  private final String itemSeparator;
  private final String keySeparator;

  private Json(Arguments.Bound options, Rendering rendering) {
    this.rendering = rendering;
    ascii = options.flag(0);
    sorted = options.flag(3);
    indent = indent(options, rendering);
    if (options.has(2)) {
      List<Object> pair = Values.list(options.at(2), rendering);
      if (pair.size() != 2) {
        throw new TemplateException("tojson(): separators must be two strings");
      }
      itemSeparator = Printing.str(pair.get(0));
      keySeparator = Printing.str(pair.get(1));
    } else {
      itemSeparator = indent == null ? ", " : ",";
      keySeparator = ": ";
    }
  }

  private static @Nullable String indent(Arguments.Bound options, Rendering rendering) {
    if (!options.has(1)) {
      return null;
    }
    if (options.at(1) instanceof String text) {
      return text;
    }
    int width = Math.max(0, options.integer(1, 0));
    rendering.spend(width);
    return " ".repeat(width);
  }

  /** The filter {@code tojson(ensure_ascii, indent, separators, sort_keys)}. */
  static String filter(Object value, Arguments arguments, Rendering rendering) {
    Json json =
        new Json(
            arguments.bind("tojson", 0, "ensure_ascii", "indent", "separators", "sort_keys"),
            rendering);
    json.write(value, 0);
    return json.out.toString();
  }

  private void write(Object value, int depth) {
    if (depth > DEPTH) {
      throw new TemplateException("tojson(): a value nested more than " + DEPTH + " deep");
    }
    switch (value) {
      case String text -> quote(text);
      case Markup markup -> quote(markup.text());
      case None none -> out.append("null");
      case Boolean b -> out.append(b.booleanValue());
      case Number number -> out.append(number(number));
      case Map<?, ?> map -> writeMap(map, depth);
      case Range range -> throw unserializable(value);
      case List<?> list -> writeList(list, depth);
      default -> throw unserializable(value);
    }
    if (out.length() > Rendering.LARGEST) {
      rendering.spend(out.length());
    }
  }

  private static TemplateException unserializable(Object value) {
    return new TemplateException(
        "Object of type " + Values.typeName(value) + " is not JSON serializable");
  }

  private static String number(Number number) {
    String text = Printing.number(number);
    return switch (text) {
      case "nan" -> "NaN";
      case "inf" -> "Infinity";
      case "-inf" -> "-Infinity";
      default -> text;
    };
  }

  private void writeList(List<?> list, int depth) {
    if (list.isEmpty()) {
      out.append("[]");
      return;
    }
    out.append('[');
    Iterator<?> elements = list.iterator();
    while (elements.hasNext()) {
      newLine(depth + 1);
      write(Values.of(elements.next()), depth + 1);
      out.append(elements.hasNext() ? itemSeparator : "");
    }
    newLine(depth);
    out.append(']');
  }

  private void writeMap(Map<?, ?> map, int depth) {
    if (map.isEmpty()) {
      out.append("{}");
      return;
    }
    List<Map.Entry<?, ?>> entries = new ArrayList<>(map.entrySet());
    if (sorted) {
      entries.sort(Comparator.comparing(e -> Values.of(e.getKey()), Comparison.order(rendering)));
    }
    out.append('{');
    String separator = "";
    for (Map.Entry<?, ?> entry : entries) {
      out.append(separator);
      newLine(depth + 1);
      quote(key(Values.of(entry.getKey())));
      out.append(keySeparator);
      write(Values.of(entry.getValue()), depth + 1);
      separator = itemSeparator;
    }
    newLine(depth);
    out.append('}');
  }

  private static String key(Object key) {
    return switch (key) {
      case String text -> text;
      case None none -> "null";
      case Boolean b -> b ? "true" : "false";
      case Number number -> number(number);
      default ->
          throw new TemplateException(
              "tojson(): keys must be str, int, float, bool or None, not " + Values.typeName(key));
    };
  }

  private void newLine(int depth) {
    if (indent != null) {
      rendering.spend((long) depth * indent.length());
      out.append('\n').repeat(indent, depth);
    }
  }

  private void quote(String text) {
    out.append('"');
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      switch (c) {
        case '"' -> out.append("\\\"");
        case '\\' -> out.append("\\\\");
        case '\n' -> out.append("\\n");
        case '\r' -> out.append("\\r");
        case '\t' -> out.append("\\t");
        case '\f' -> out.append("\\f");
        case '\b' -> out.append("\\b");
        default -> {
          if (c < ' ' || (ascii && c > '~')) {
            Printing.hex("\\u", c, 4, out);
          } else {
            out.append(c);
          }
        }
      }
    }
    out.append('"');
  }
}
