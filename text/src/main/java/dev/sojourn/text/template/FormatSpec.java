package dev.sojourn.text.template;

/**
 * What stands behind the colon of a field: {@code
 * [[fill]align][sign][#][0][width][,][.digits][type]}. Characters that are not given are 0.
 *
 * @param text as written
 * @param fill what fills up to the width
 * @param align one of {@code < > ^ =}
 * @param sign one of {@code + -} and blank
 * @param alternate whether {@code #} was given
 * @param width least width
 * @param grouping comma or underscore between thousands
 * @param precision digits; -1 if not given
 * @param type of presentation
 */
record FormatSpec(
    String text,
    String fill,
    char align,
    char sign,
    boolean alternate,
    int width,
    char grouping,
    int precision,
    char type) {

  /** Reads a form. */
  static FormatSpec parse(String text) {
    Reader reader = new Reader(text);
    String fill = " ";
    char align = 0;
    int second = text.offsetByCodePoints(0, 1);
    if (second < text.length() && "<>^=".indexOf(text.charAt(second)) >= 0) {
      fill = text.substring(0, second);
      align = text.charAt(second);
      reader.at = second + 1;
    } else {
      align = reader.take("<>^=");
    }
    char sign = reader.take("+- ");
    boolean alternate = reader.take("#") != 0;
    if (reader.take("0") != 0 && align == 0) {
      fill = "0";
      align = '=';
    }
    int width = reader.number(0);
    char grouping = reader.take(",_");
    int precision = reader.take(".") != 0 ? reader.number(-2) : -1;
    char type = reader.at < text.length() ? text.charAt(reader.at++) : 0;
    if (reader.at < text.length() || precision == -2) {
      throw new TemplateException("invalid format specifier " + Printing.repr(text));
    }
    return new FormatSpec(text, fill, align, sign, alternate, width, grouping, precision, type);
  }

  private static final class Reader {
    private final String text;
    private int at;

    private Reader(String text) {
      this.text = text;
    }

    private char take(String any) {
      boolean there = at < text.length() && any.indexOf(text.charAt(at)) >= 0;
      return there ? text.charAt(at++) : 0;
    }

    private int number(int otherwise) {
      long number = 0;
      int from = at;
      for (; at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '9'; at++) {
        number = Math.min(number * 10 + (text.charAt(at) - '0'), Rendering.LARGEST + 1L);
      }
      return at == from ? otherwise : (int) number;
    }
  }
}
