package dev.sojourn.text.template;

/** Resolves the escapes of a string literal as Python does; unknown ones stay as they are. */
final class Escapes {

  private final String literal;
  private final int line;
  private final StringBuilder out = new StringBuilder();
  private int at;

  /**
   * @param literal what stands between the quotes
   * @param line for messages
   */
  Escapes(String literal, int line) {
    this.literal = literal;
    this.line = line;
  }

  String decode() {
    if (literal.indexOf('\\') < 0) {
      return literal;
    }
    while (at < literal.length()) {
      char c = literal.charAt(at++);
      if (c == '\\') {
        escape(literal.charAt(at++));
      } else {
        out.append(c);
      }
    }
    return out.toString();
  }

  private void escape(char c) {
    switch (c) {
      case '\n' -> {}
      case '\\', '\'', '"' -> out.append(c);
      case 'a' -> out.append('\u0007');
      case 'b' -> out.append('\b');
      case 'f' -> out.append('\f');
      case 'n' -> out.append('\n');
      case 'r' -> out.append('\r');
      case 't' -> out.append('\t');
      case 'v' -> out.append('\u000b');
      case 'x' -> number(2);
      case 'u' -> number(4);
      case 'U' -> number(8);
      case 'N' -> named();
      case '0', '1', '2', '3', '4', '5', '6', '7' -> octal();
      default -> out.append('\\').append(c);
    }
  }

  private void number(int digits) {
    if (at + digits > literal.length()) {
      throw new TemplateException("truncated character escape in a string", line);
    }
    try {
      out.appendCodePoint(Integer.parseUnsignedInt(literal, at, at + digits, 16));
    } catch (IllegalArgumentException e) {
      throw new TemplateException(
          "no character " + literal.substring(at - 2, at + digits) + " in a string", line);
    }
    at += digits;
  }

  private void named() {
    int end = literal.startsWith("{", at) ? literal.indexOf('}', at) : -1;
    if (end < 0) {
      throw new TemplateException("malformed \\N{…} in a string", line);
    }
    String name = literal.substring(at + 1, end);
    try {
      out.appendCodePoint(Character.codePointOf(name));
    } catch (IllegalArgumentException e) {
      throw new TemplateException("no character is named " + name, line);
    }
    at = end + 1;
  }

  private void octal() {
    int value = 0;
    int from = at - 1;
    at = from;
    while (at < literal.length() && at < from + 3 && Character.digit(literal.charAt(at), 8) >= 0) {
      value = value * 8 + Character.digit(literal.charAt(at++), 8);
    }
    out.appendCodePoint(value);
  }
}
