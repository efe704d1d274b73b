package dev.sojourn.text.template;

import java.math.BigDecimal;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/**
 * Python's {@code str()} and {@code repr()}. Everything that a template prints goes through here or
 * through {@link Json}; Java's own spellings never show.
 */
final class Printing {

  /** Containers inside each other; JSON from the wire is not allowed to be as deep. */
  private static final int DEPTH = 200;

  private Printing() {}

  /** Python's {@code str(value)}. */
  static String str(Object value) {
    return switch (value) {
      case String text -> text;
      case Markup markup -> markup.text();
      case Undefined u -> "";
      default -> repr(value);
    };
  }

  /** Python's {@code repr(value)}. */
  static String repr(Object value) {
    StringBuilder out = new StringBuilder();
    repr(value, out, 0);
    return out.toString();
  }

  private static void repr(Object value, StringBuilder out, int depth) {
    if (depth > DEPTH) {
      throw new TemplateException("a value nested more than " + DEPTH + " deep");
    }
    if (out.length() > Rendering.LARGEST) {
      throw new TemplateException("a value too large to print");
    }
    switch (value) {
      case String text -> quote(text, out);
      case Boolean b -> out.append(b ? "True" : "False");
      case None none -> out.append("None");
      case Undefined u -> out.append("Undefined");
      case Number number -> out.append(number(number));
      case Map<?, ?> map -> {
        out.append('{');
        String separator = "";
        for (Map.Entry<?, ?> entry : map.entrySet()) {
          out.append(separator);
          repr(Values.of(entry.getKey()), out, depth + 1);
          out.append(": ");
          repr(Values.of(entry.getValue()), out, depth + 1);
          separator = ", ";
        }
        out.append('}');
      }
      case Range range -> {
        out.append("range(").append(range.start).append(", ").append(range.stop);
        if (range.step != 1) {
          out.append(", ").append(range.step);
        }
        out.append(')');
      }
      case Tuple tuple -> {
        sequence('(', tuple.iterator(), tuple.size() == 1 ? ",)" : ")", out, depth);
      }
      case List<?> list -> sequence('[', list.iterator(), "]", out, depth);
      case DictView view -> {
        out.append(view.kind().name()).append('(');
        sequence('[', view.iterator(), "])", out, depth);
      }
      case Markup markup -> {
        out.append("Markup(");
        quote(markup.text(), out);
        out.append(')');
      }
      case NamespaceObject namespace -> {
        out.append("<Namespace ");
        repr(namespace.attributes, out, depth + 1);
        out.append('>');
      }
      case Macro macro -> {
        out.append("<Macro ");
        quote(macro.name(), out);
        out.append('>');
      }
      // Python prints an address here.
      default -> out.append('<').append(Values.typeName(value)).append(" object>");
    }
  }

  private static void sequence(
      char open, Iterator<?> elements, String close, StringBuilder out, int depth) {
    out.append(open);
    String separator = "";
    while (elements.hasNext()) {
      out.append(separator);
      repr(Values.of(elements.next()), out, depth + 1);
      separator = ", ";
    }
    out.append(close);
  }

  static String number(Number number) {
    Number integer = Numbers.integer(number);
    return integer == null ? real(number.doubleValue()) : integer.toString();
  }

  /**
   * Python's spelling of a double: the shortest digits that read back as the same number, with an
   * exponent below 1e-4 and from 1e16 on.
   */
  static String real(double x) {
    if (Double.isNaN(x)) {
      return "nan";
    }
    if (Double.isInfinite(x)) {
      return x > 0 ? "inf" : "-inf";
    }
    if (x == 0) {
      return 1 / x < 0 ? "-0.0" : "0.0";
    }
    if (x == Math.rint(x) && Math.abs(x) < 1e15) {
      return Long.toString((long) x).concat(".0");
    }
    // Java's digits are the shortest too, except that it always makes two of the smallest
    // denormals.
    BigDecimal shortest =
        Math.abs(x) == Double.MIN_VALUE
            ? new BigDecimal("5e-324")
            : new BigDecimal(Double.toString(Math.abs(x))).stripTrailingZeros();
    String digits = shortest.unscaledValue().toString();
    int exponent = digits.length() - shortest.scale() - 1;
    StringBuilder out = new StringBuilder(x < 0 ? "-" : "");
    if (exponent < -4 || exponent >= 16) {
      out.append(digits.charAt(0));
      if (digits.length() > 1) {
        out.append('.').append(digits, 1, digits.length());
      }
      out.append(exponent < 0 ? "e-" : "e+");
      return out.append(Math.abs(exponent) < 10 ? "0" : "").append(Math.abs(exponent)).toString();
    }
    out.append(shortest.toPlainString());
    return out.append(shortest.scale() <= 0 ? ".0" : "").toString();
  }

  /** Python's {@code repr(text)}: single quotes unless only those occur in the text. */
  private static void quote(String text, StringBuilder out) {
    char quote = text.indexOf('\'') >= 0 && text.indexOf('"') < 0 ? '"' : '\'';
    out.append(quote);
    for (int i = 0; i < text.length(); ) {
      int c = text.codePointAt(i);
      i += Character.charCount(c);
      switch (c) {
        case '\\' -> out.append("\\\\");
        case '\n' -> out.append("\\n");
        case '\r' -> out.append("\\r");
        case '\t' -> out.append("\\t");
        default -> {
          if (c == quote) {
            out.append('\\').append(quote);
          } else if (printable(c)) {
            out.appendCodePoint(c);
          } else if (c < 0x100) {
            hex("\\x", c, 2, out);
          } else if (c < 0x10000) {
            hex("\\u", c, 4, out);
          } else {
            hex("\\U", c, 8, out);
          }
        }
      }
    }
    out.append(quote);
  }

  /** Appends a character's number with leading zeros. */
  static void hex(String prefix, int c, int width, StringBuilder out) {
    String digits = Integer.toHexString(c);
    out.append(prefix).repeat('0', width - digits.length()).append(digits);
  }

  /** Python's {@code isprintable} of one character. */
  static boolean printable(int c) {
    if (c < 0x7f) {
      return c >= ' ';
    }
    return switch (Character.getType(c)) {
      case Character.CONTROL,
          Character.FORMAT,
          Character.SURROGATE,
          Character.PRIVATE_USE,
          Character.UNASSIGNED,
          Character.LINE_SEPARATOR,
          Character.PARAGRAPH_SEPARATOR,
          Character.SPACE_SEPARATOR ->
          false;
      default -> true;
    };
  }
}
