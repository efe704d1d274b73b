package dev.sojourn.text.template;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;

/** What {@code %} and {@code format()} have in common: numbers in a given form. */
final class NumberFormat {

  private NumberFormat() {}

  /**
   * Spells the size of a double, without its sign.
   *
   * @param form one of {@code e f g} or their capitals
   * @param precision digits after the point; for {@code g}, digits in all
   * @param alternate whether {@code g} keeps trailing zeros
   */
  static String real(double value, char form, int precision, boolean alternate) {
    double size = Math.abs(value);
    String text;
    if (Double.isNaN(size)) {
      text = "nan";
    } else if (Double.isInfinite(size)) {
      text = "inf";
    } else {
      text =
          switch (Character.toLowerCase(form)) {
            case 'f' -> fixed(size, precision);
            case 'e' -> scientific(size, precision);
            default -> general(size, Math.max(1, precision), alternate);
          };
    }
    return Character.isUpperCase(form) ? Casing.upper(text) : text;
  }

  private static String fixed(double size, int precision) {
    return new BigDecimal(size).setScale(precision, RoundingMode.HALF_EVEN).toPlainString();
  }

  private static String scientific(double size, int precision) {
    BigInteger digits = BigInteger.ZERO;
    int exponent = 0;
    if (size != 0) {
      BigDecimal exact = new BigDecimal(size);
      BigDecimal rounded =
          exact.round(new java.math.MathContext(precision + 1, RoundingMode.HALF_EVEN));
      exponent = rounded.precision() - rounded.scale() - 1;
      digits = rounded.setScale(precision - exponent).unscaledValue();
    }
    String text = digits.toString();
    text = text + "0".repeat(Math.max(0, precision + 1 - text.length()));
    return text.charAt(0)
        + (precision > 0 ? "." + text.substring(1) : "")
        + (exponent < 0 ? "e-" : "e+")
        + (Math.abs(exponent) < 10 ? "0" : "")
        + Math.abs(exponent);
  }

  private static String general(double size, int precision, boolean alternate) {
    String scientific = scientific(size, precision - 1);
    int mark = scientific.indexOf('e');
    int exponent = Integer.parseInt(scientific.substring(mark + 1));
    if (exponent < -4 || exponent >= precision) {
      return trimmed(scientific.substring(0, mark), alternate) + scientific.substring(mark);
    }
    return trimmed(fixed(size, precision - 1 - exponent), alternate);
  }

  private static String trimmed(String digits, boolean alternate) {
    if (alternate || digits.indexOf('.') < 0) {
      return digits;
    }
    int end = digits.length();
    while (digits.charAt(end - 1) == '0') {
      end--;
    }
    return digits.substring(0, digits.charAt(end - 1) == '.' ? end - 1 : end);
  }

  /** Spells the size of an integer, without its sign, in the radix of {@code d x X o b}. */
  static String integer(BigInteger value, char form, boolean alternate) {
    BigInteger size = value.abs();
    return switch (form) {
      case 'x' -> (alternate ? "0x" : "") + size.toString(16);
      case 'X' -> (alternate ? "0X" : "") + Casing.upper(size.toString(16));
      case 'o' -> (alternate ? "0o" : "") + size.toString(8);
      case 'b' -> (alternate ? "0b" : "") + size.toString(2);
      default -> size.toString();
    };
  }

  /** Puts separators between groups of digits before the point. */
  static String grouped(String number, char separator) {
    int end = 0;
    while (end < number.length() && Character.isDigit(number.charAt(end))) {
      end++;
    }
    StringBuilder out = new StringBuilder(number);
    for (int i = end - 3; i > 0; i -= 3) {
      out.insert(i, separator);
    }
    return out.toString();
  }

  /**
   * Fills a value up to a width.
   *
   * @param sign before the digits; empty for text
   * @param align one of {@code < > ^ =}; the last fills between sign and digits
   */
  static String padded(
      String sign, String body, String fill, char align, int width, Rendering rendering) {
    int length = sign.length() + body.codePointCount(0, body.length());
    int missing = width - length;
    if (missing <= 0) {
      return sign + body;
    }
    rendering.spend(width);
    return switch (align) {
      case '<' -> sign + body + fill.repeat(missing);
      case '^' -> fill.repeat(missing / 2) + sign + body + fill.repeat(missing - missing / 2);
      case '=' -> sign + fill.repeat(missing) + body;
      default -> fill.repeat(missing) + sign + body;
    };
  }
}
