package dev.sojourn.text.template;

import java.math.BigInteger;

/** Python's {@code format.format(…)}: fields in braces, each with a form of its own. */
final class BraceFormat {

  private static final int DEPTH = 2;
  private static final int PRECISION = 1000;

  private final Arguments arguments;
  private final Rendering rendering;
  private int automatic;
  private boolean manual;

  BraceFormat(Arguments arguments, Rendering rendering) {
    this.arguments = arguments;
    this.rendering = rendering;
  }

  String render(String format) {
    return render(format, DEPTH);
  }

  private String render(String format, int depth) {
    StringBuilder out = new StringBuilder();
    for (int i = 0; i < format.length(); ) {
      char c = format.charAt(i);
      if ((c == '{' || c == '}') && format.startsWith(String.valueOf(c), i + 1)) {
        out.append(c);
        i += 2;
      } else if (c == '{') {
        int end = close(format, i);
        out.append(field(format.substring(i + 1, end), depth));
        if (out.length() > Rendering.LARGEST) {
          rendering.spend(out.length());
        }
        i = end + 1;
      } else if (c == '}') {
        throw new TemplateException("single '}' encountered in format string");
      } else {
        out.append(c);
        i++;
      }
    }
    return out.toString();
  }

  private static int close(String format, int open) {
    int depth = 0;
    for (int i = open; i < format.length(); i++) {
      switch (format.charAt(i)) {
        case '{' -> depth++;
        case '}' -> {
          if (--depth == 0) {
            return i;
          }
        }
        default -> {}
      }
    }
    throw new TemplateException("single '{' encountered in format string");
  }

  private String field(String field, int depth) {
    if (depth == 0) {
      throw new TemplateException("max string recursion exceeded");
    }
    int colon = field.indexOf(':');
    String name = colon < 0 ? field : field.substring(0, colon);
    String form = colon < 0 ? "" : field.substring(colon + 1);
    int mark = name.indexOf('!');
    Object value = lookUp(mark < 0 ? name : name.substring(0, mark));
    if (mark >= 0) {
      value =
          switch (name.substring(mark + 1)) {
            case "s" -> Printing.str(value);
            case "r", "a" -> Printing.repr(value);
            default ->
                throw new TemplateException("unknown conversion '" + name.substring(mark) + "'");
          };
    }
    return formatted(value, form.indexOf('{') < 0 ? form : render(form, depth - 1));
  }

  private Object lookUp(String path) {
    int end = 0;
    while (end < path.length() && path.charAt(end) != '.' && path.charAt(end) != '[') {
      end++;
    }
    Object value = first(path.substring(0, end));
    while (end < path.length()) {
      int from = end + 1;
      if (path.charAt(end) == '.') {
        end = from;
        while (end < path.length() && path.charAt(end) != '.' && path.charAt(end) != '[') {
          end++;
        }
        value = Attributes.attribute(value, path.substring(from, end));
      } else {
        int close = path.indexOf(']', from);
        if (path.charAt(end) != '[' || close < 0) {
          throw new TemplateException("malformed field '" + path + "' in format string");
        }
        String key = path.substring(from, close);
        value = Attributes.item(value, number(key) < 0 ? key : (Object) (long) number(key));
        end = close + 1;
      }
    }
    return value;
  }

  private Object first(String name) {
    int index = name.isEmpty() ? automatic++ : number(name);
    if (index < 0) {
      Object value = arguments.named().get(name);
      if (value == null) {
        throw new TemplateException("format(): no argument named " + Printing.repr(name));
      }
      return value;
    }
    manual |= !name.isEmpty();
    if (manual && automatic > 0) {
      throw new TemplateException("format(): numbered and unnumbered fields cannot be mixed");
    }
    if (index >= arguments.positional().size()) {
      throw new TemplateException("format(): no argument " + index);
    }
    return arguments.positional().get(index);
  }

  /** Returns the number that a name is; -1 if it is none. */
  private static int number(String name) {
    if (name.isEmpty() || name.length() > 9 || !name.chars().allMatch(c -> c >= '0' && c <= '9')) {
      return -1;
    }
    return Integer.parseInt(name);
  }

  private String formatted(Object value, String form) {
    if (form.isEmpty()) {
      return Printing.str(value);
    }
    FormatSpec spec = FormatSpec.parse(form);
    String text = Values.text(value);
    if (text != null) {
      return text(text, spec);
    }
    if (!Numbers.numeric(value)) {
      throw new TemplateException("unsupported format string passed to " + Values.typeName(value));
    }
    Number integer = Numbers.integer(value);
    return integer != null && "\0dbxXon".indexOf(spec.type()) >= 0
        ? integer(Numbers.big(integer), spec)
        : real(Numbers.real(value), spec);
  }

  private String text(String text, FormatSpec spec) {
    if ("\0s".indexOf(spec.type()) < 0 || spec.align() == '=' || spec.sign() != 0) {
      throw new TemplateException("a string cannot be formatted as " + Printing.repr(spec.text()));
    }
    String body =
        spec.precision() >= 0 && spec.precision() < Values.length(text)
            ? Attributes.substring(text, 0, spec.precision())
            : text;
    return NumberFormat.padded(
        "", body, spec.fill(), spec.align() == 0 ? '<' : spec.align(), spec.width(), rendering);
  }

  private String integer(BigInteger value, FormatSpec spec) {
    if (spec.precision() >= 0) {
      throw new TemplateException("precision not allowed in integer format specifier");
    }
    return number(
        value.signum() < 0,
        NumberFormat.integer(value, spec.type() == 0 ? 'd' : spec.type(), spec.alternate()),
        spec);
  }

  private String real(double value, FormatSpec spec) {
    int given = Math.min(spec.precision(), PRECISION);
    int precision = given < 0 ? 6 : given;
    String body =
        switch (spec.type()) {
          case 0 ->
              given < 0
                  ? Printing.real(Math.abs(value))
                  : NumberFormat.real(value, 'g', given, spec.alternate());
          case '%' -> NumberFormat.real(value * 100, 'f', precision, false) + "%";
          case 'e', 'E', 'f', 'F', 'g', 'G' ->
              NumberFormat.real(value, spec.type(), precision, spec.alternate());
          default ->
              throw new TemplateException("unknown format code '" + spec.type() + "' for a float");
        };
    return number(value < 0 || (value == 0 && 1 / value < 0), body, spec);
  }

  private String number(boolean negative, String digits, FormatSpec spec) {
    String sign =
        negative
            ? "-"
            : spec.sign() == '+' || spec.sign() == ' ' ? String.valueOf(spec.sign()) : "";
    String body = spec.grouping() == 0 ? digits : NumberFormat.grouped(digits, spec.grouping());
    return NumberFormat.padded(
        sign, body, spec.fill(), spec.align() == 0 ? '>' : spec.align(), spec.width(), rendering);
  }
}
