package dev.sojourn.text.template;

import java.math.BigInteger;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Filters of numbers, and of values of any type. */
final class ValueFilters {

  static final Map<String, Filters.Function> BY_NAME =
      Map.ofEntries(
          Map.entry("abs", (v, a, r) -> absolute(v, r)),
          Map.entry("attr", (v, a, r) -> attribute(v, a)),
          Map.entry("d", (v, a, r) -> defaulted(v, a)),
          Map.entry("default", (v, a, r) -> defaulted(v, a)),
          Map.entry("float", (v, a, r) -> toFloat(v, a)),
          Map.entry("int", (v, a, r) -> toInt(v, a)),
          Map.entry("round", (v, a, r) -> round(v, a)),
          Map.entry("string", (v, a, r) -> v instanceof Markup ? v : Printing.str(v)),
          Map.entry("tojson", Json::filter));

  private ValueFilters() {}

  private static Object absolute(Object value, Rendering rendering) {
    if (!Numbers.numeric(value)) {
      throw new TemplateException("bad operand type for abs(): '" + Values.typeName(value) + "'");
    }
    boolean negative =
        Numbers.isNan(value) || Comparison.LESS.test(value, 0L, rendering) || value.equals(-0.0);
    Number negated = Numbers.negate(value);
    return negative ? negated : Numbers.negate(negated);
  }

  /** What a dot finds, but never the key of a dict. */
  private static Object attribute(Object value, Arguments arguments) {
    String name = arguments.bind("attr", 1, "name").text(0);
    if (value instanceof Map<?, ?>) {
      return Attributes.attribute(Map.of(), name);
    }
    return Attributes.attribute(value, name);
  }

  private static Object defaulted(Object value, Arguments arguments) {
    Arguments.Bound bound = arguments.bind("default", 0, "default_value", "boolean");
    boolean missing = value instanceof Undefined || (bound.flag(1) && !Values.truth(value));
    return missing ? bound.or(0, "") : value;
  }

  private static Object toFloat(Object value, Arguments arguments) {
    Object otherwise = arguments.bind("float", 0, "default").or(0, 0.0);
    if (value instanceof Undefined undefined) {
      throw undefined.failure();
    }
    if (Numbers.numeric(value)) {
      return Numbers.real(value);
    }
    Double parsed = parseFloat(value);
    return parsed == null ? otherwise : parsed;
  }

  private static Object toInt(Object value, Arguments arguments) {
    Arguments.Bound bound = arguments.bind("int", 0, "default", "base");
    Object otherwise = bound.or(0, 0L);
    if (value instanceof Undefined undefined) {
      throw undefined.failure();
    }
    if (Numbers.numeric(value)) {
      Number integer = Numbers.integer(value);
      double real = Numbers.real(value);
      if (integer == null && Double.isNaN(real)) {
        return otherwise;
      }
      return integer == null ? Numbers.truncate(real) : integer;
    }
    String text = Values.text(value);
    Number parsed = text == null ? null : parseInt(text, bound.integer(1, 10));
    if (parsed != null) {
      return parsed;
    }
    Double real = parseFloat(value);
    return real == null || real.isNaN() || real.isInfinite() ? otherwise : Numbers.truncate(real);
  }

  private static @Nullable Number parseInt(String text, int base) {
    String digits = StringMethods.strip(text, Characters::space, true, true).replace("_", "");
    boolean negative = digits.startsWith("-");
    if (negative || digits.startsWith("+")) {
      digits = digits.substring(1);
    }
    String prefix = base == 16 ? "0x" : base == 8 ? "0o" : base == 2 ? "0b" : "none";
    if (Casing.lower(digits).startsWith(prefix)) {
      digits = digits.substring(2);
    }
    if (digits.isEmpty() || digits.length() > 4300 || base < 2 || base > 36) {
      return null;
    }
    for (int i = 0; i < digits.length(); i++) {
      if (Character.digit(digits.charAt(i), base) < 0) {
        return null;
      }
    }
    BigInteger value = new BigInteger(digits, base);
    return Numbers.integer(negative ? value.negate() : value);
  }

  private static @Nullable Double parseFloat(Object value) {
    String text = Values.text(value);
    if (text == null) {
      return null;
    }
    String number =
        Casing.lower(StringMethods.strip(text, Characters::space, true, true)).replace("_", "");
    switch (number) {
      case "nan", "+nan", "-nan" -> {
        return Double.NaN;
      }
      case "inf", "+inf", "infinity", "+infinity" -> {
        return Double.POSITIVE_INFINITY;
      }
      case "-inf", "-infinity" -> {
        return Double.NEGATIVE_INFINITY;
      }
      default -> {}
    }
    // Java reads more than Python: type suffixes and hexadecimal digits.
    if (!number.chars().allMatch(c -> "0123456789+-.e".indexOf(c) >= 0)) {
      return null;
    }
    try {
      return Double.valueOf(number);
    } catch (NumberFormatException e) {
      return null;
    }
  }

  private static Object round(Object value, Arguments arguments) {
    Arguments.Bound bound = arguments.bind("round", 0, "precision", "method");
    int precision = bound.integer(0, 0);
    String method = bound.text(1, "common");
    if (value instanceof Undefined undefined) {
      throw undefined.failure();
    }
    if (!Numbers.numeric(value)) {
      throw new TemplateException("type " + Values.typeName(value) + " cannot be rounded");
    }
    return switch (method) {
      case "common" -> Numbers.round(value, precision);
      case "ceil", "floor" -> {
        Number power = Numbers.calculate(Operator.POWER, 10L, (long) precision);
        double scaled = Numbers.real(Numbers.calculate(Operator.MULTIPLY, value, power));
        Number whole =
            Numbers.truncate(method.equals("ceil") ? Math.ceil(scaled) : Math.floor(scaled));
        yield Numbers.calculate(Operator.DIVIDE, whole, power);
      }
      default -> throw new TemplateException("round(): method must be common, ceil or floor");
    };
  }
}
