package dev.sojourn.text.template;

import java.util.List;
import java.util.Map;

/** Python's {@code format % values}. Used once. */
final class PercentFormat {

  /** Digits that may be asked of a number. */
  private static final int PRECISION = 1000;

  private final String format;
  private final Object values;
  private final Rendering rendering;
  private final StringBuilder out = new StringBuilder();
  private int at;
  private int used;

  /**
   * @param values a tuple of them, a dict for {@code %(name)s}, or a single one
   */
  PercentFormat(String format, Object values, Rendering rendering) {
    this.format = format;
    this.values = values;
    this.rendering = rendering;
  }

  String render() {
    while (at < format.length()) {
      char c = format.charAt(at++);
      if (c != '%') {
        out.append(c);
      } else if (format.startsWith("%", at)) {
        out.append('%');
        at++;
      } else {
        conversion();
        if (out.length() > Rendering.LARGEST) {
          rendering.spend(out.length());
        }
      }
    }
    boolean keyed = values instanceof Map<?, ?>;
    if (values instanceof Tuple tuple
        ? used < tuple.size()
        : used == 0 && !keyed && !(values instanceof List<?>)) {
      throw new TemplateException("not all arguments converted during string formatting");
    }
    return out.toString();
  }

  private char peek() {
    if (at >= format.length()) {
      throw new TemplateException("incomplete format");
    }
    return format.charAt(at);
  }

  private void conversion() {
    String key = null;
    if (peek() == '(') {
      int end = format.indexOf(')', at);
      if (end < 0) {
        throw new TemplateException("incomplete format key");
      }
      key = format.substring(at + 1, end);
      at = end + 1;
    }
    boolean left = false;
    boolean plus = false;
    boolean blank = false;
    boolean zero = false;
    boolean alternate = false;
    for (; "-+ 0#".indexOf(peek()) >= 0; at++) {
      switch (format.charAt(at)) {
        case '-' -> left = true;
        case '+' -> plus = true;
        case ' ' -> blank = true;
        case '0' -> zero = true;
        default -> alternate = true;
      }
    }
    int width = count(0);
    if (width < 0) {
      left = true;
      width = -width;
    }
    int precision = -1;
    if (peek() == '.') {
      at++;
      precision = Math.max(0, count(0));
    }
    while ("hlL".indexOf(peek()) >= 0) {
      at++;
    }
    char form = format.charAt(at++);
    Object value = key == null ? next() : named(key);
    String sign = "";
    String body;
    boolean number = false;
    switch (form) {
      case 's', 'r', 'a' -> {
        body = form == 's' ? Printing.str(value) : Printing.repr(value);
        if (precision >= 0 && precision < Values.length(body)) {
          body = Attributes.substring(body, 0, precision);
        }
      }
      case 'c' -> body = character(value);
      case 'd', 'i', 'u', 'x', 'X', 'o' -> {
        Number integer = integer(value, form);
        body = NumberFormat.integer(Numbers.big(integer), form, alternate);
        body = "0".repeat(Math.clamp(precision - body.length(), 0, PRECISION)) + body;
        sign = sign(Numbers.big(integer).signum() < 0, plus, blank);
        number = true;
      }
      case 'e', 'E', 'f', 'F', 'g', 'G' -> {
        if (!Numbers.numeric(value)) {
          throw new TemplateException("must be real number, not " + Values.typeName(value));
        }
        double real = Numbers.real(value);
        body =
            NumberFormat.real(
                real, form, precision < 0 ? 6 : Math.min(precision, PRECISION), alternate);
        sign = sign(real < 0 || (real == 0 && 1 / real < 0), plus, blank);
        number = true;
      }
      default -> throw new TemplateException("unsupported format character '" + form + "'");
    }
    boolean zeros = zero && number && !left;
    out.append(
        NumberFormat.padded(
            sign, body, zeros ? "0" : " ", left ? '<' : zeros ? '=' : '>', width, rendering));
  }

  private static String sign(boolean negative, boolean plus, boolean blank) {
    return negative ? "-" : plus ? "+" : blank ? " " : "";
  }

  private int count(int otherwise) {
    if (peek() == '*') {
      at++;
      Number number = Numbers.integer(next());
      if (number == null) {
        throw new TemplateException("* wants int");
      }
      return Math.clamp(Numbers.clamp(number), -Rendering.LARGEST, Rendering.LARGEST);
    }
    long count = otherwise;
    for (; peek() >= '0' && peek() <= '9'; at++) {
      count = Math.min(count * 10 + (peek() - '0'), Rendering.LARGEST + 1L);
    }
    return (int) count;
  }

  private Object next() {
    if (values instanceof Tuple tuple) {
      if (used >= tuple.size()) {
        throw new TemplateException("not enough arguments for format string");
      }
      return tuple.get(used++);
    }
    if (used++ > 0) {
      throw new TemplateException("not enough arguments for format string");
    }
    return values;
  }

  private Object named(String key) {
    if (!(values instanceof Map<?, ?> map)) {
      throw new TemplateException("format requires a mapping");
    }
    Object value = Values.lookUp(map, key);
    if (value == null) {
      throw new TemplateException("no value named " + Printing.repr(key) + " to format");
    }
    return value;
  }

  private static String character(Object value) {
    Number number = Numbers.integer(value);
    if (number != null && Character.isValidCodePoint(Numbers.clamp(number))) {
      return Character.toString(Numbers.clamp(number));
    }
    String text = Values.text(value);
    if (text == null || Values.length(text) != 1) {
      throw new TemplateException("the format c requires an int or a character");
    }
    return text;
  }

  private static Number integer(Object value, char form) {
    Number integer = Numbers.integer(value);
    if (integer != null) {
      return integer;
    }
    if (!Numbers.numeric(value) || "xXo".indexOf(form) >= 0) {
      throw new TemplateException(
          "the format " + form + " requires a number, not " + Values.typeName(value));
    }
    return Numbers.truncate(Numbers.real(value));
  }
}
