package dev.sojourn.text.template;

/** What Python takes characters for, where Java differs. */
final class Characters {

  private Characters() {}

  /** Python's {@code isspace}. */
  static boolean space(int c) {
    if (c <= ' ') {
      return c == ' ' || (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x1f);
    }
    return c >= 0x85
        && (c == 0x85
            || c == 0x2028
            || c == 0x2029
            || Character.getType(c) == Character.SPACE_SEPARATOR);
  }

  /** What {@code splitlines} splits at. */
  static boolean lineBreak(int c) {
    return (c >= 10 && c <= 13)
        || (c >= 0x1c && c <= 0x1e)
        || c == 0x85
        || c == 0x2028
        || c == 0x2029;
  }

  /** What {@code \w} matches: part of a word. */
  static boolean word(int c) {
    return c == '_' || Character.isLetterOrDigit(c) || numeric(c);
  }

  /** Whether a character has the case that titles and {@code islower} look at. */
  static boolean cased(int c) {
    return Character.isUpperCase(c) || Character.isLowerCase(c) || Character.isTitleCase(c);
  }

  /** A number, but not of decimal digits alone. */
  static boolean numeric(int c) {
    int type = Character.getType(c);
    return type == Character.DECIMAL_DIGIT_NUMBER
        || type == Character.OTHER_NUMBER
        || type == Character.LETTER_NUMBER;
  }
}
