package dev.sojourn.text.template;

import java.util.Locale;
import java.util.function.IntPredicate;

/** Python's upper, lower and title case. */
final class Casing {

  private Casing() {}

  static String upper(String text) {
    return text.toUpperCase(Locale.ROOT);
  }

  static String lower(String text) {
    return text.toLowerCase(Locale.ROOT);
  }

  /** Case folding, of which lower case after upper case is all but the rarest letters. */
  static String fold(String text) {
    return lower(upper(text)).replace('ς', 'σ');
  }

  static String capitalize(String text) {
    if (text.isEmpty()) {
      return text;
    }
    int first = Character.charCount(text.codePointAt(0));
    return titled(text.codePointAt(0)) + lower(text.substring(first));
  }

  /** Every run of letters begins with a title-case one. */
  static String title(String text) {
    StringBuilder out = new StringBuilder(text.length());
    boolean inWord = false;
    for (int i = 0; i < text.length(); ) {
      int c = text.codePointAt(i);
      i += Character.charCount(c);
      out.append(inWord ? lower(Character.toString(c)) : titled(c));
      inWord = Characters.cased(c);
    }
    return out.toString();
  }

  private static String titled(int c) {
    int title = Character.toTitleCase(c);
    String upper = upper(Character.toString(c));
    // Letters such as ß have no title case of one character, but an upper case of two.
    if (title != c || upper.length() <= Character.charCount(c)) {
      return Character.toString(title);
    }
    return upper.charAt(0) + lower(upper.substring(1));
  }

  static String swap(String text) {
    StringBuilder out = new StringBuilder(text.length());
    text.codePoints()
        .forEach(c -> {
          String one = Character.toString(c);
          out.append(
              Character.isUpperCase(c) ? lower(one) : Character.isLowerCase(c) ? upper(one) : one);
        });
    return out.toString();
  }

  static boolean isLower(String text) {
    return cased(text, c -> Character.isUpperCase(c) || Character.isTitleCase(c));
  }

  static boolean isUpper(String text) {
    return cased(text, c -> Character.isLowerCase(c) || Character.isTitleCase(c));
  }

  private static boolean cased(String text, IntPredicate wrong) {
    return text.codePoints().anyMatch(Characters::cased) && text.codePoints().noneMatch(wrong);
  }

  static boolean isTitle(String text) {
    boolean any = false;
    boolean inWord = false;
    for (int c : text.codePoints().toArray()) {
      boolean capital = Character.isUpperCase(c) || Character.isTitleCase(c);
      if (capital ? inWord : Character.isLowerCase(c) && !inWord) {
        return false;
      }
      inWord = Characters.cased(c);
      any |= inWord;
    }
    return any;
  }
}
