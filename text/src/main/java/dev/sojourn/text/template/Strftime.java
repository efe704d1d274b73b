package dev.sojourn.text.template;

import java.time.LocalDateTime;
import java.time.temporal.ChronoField;
import java.time.temporal.IsoFields;

/** Python's {@code strftime} in the C locale, of a time without a zone. */
final class Strftime {

  private final LocalDateTime time;

  Strftime(LocalDateTime time) {
    this.time = time;
  }

  /** Formats the time; what is no directive stays as it is. */
  String format(String format) {
    StringBuilder out = new StringBuilder();
    for (int i = 0; i < format.length(); i++) {
      char c = format.charAt(i);
      if (c != '%' || i + 1 == format.length()) {
        out.append(c);
        continue;
      }
      char directive = format.charAt(++i);
      boolean unpadded = directive == '-' && i + 1 < format.length();
      if (unpadded) {
        directive = format.charAt(++i);
      }
      String text = directive(directive);
      out.append(unpadded ? withoutPadding(text) : text);
    }
    return out.toString();
  }

  private static String withoutPadding(String text) {
    int from = 0;
    while (from < text.length() - 1 && (text.charAt(from) == '0' || text.charAt(from) == ' ')) {
      from++;
    }
    return text.substring(from);
  }

  private String directive(char directive) {
    return switch (directive) {
      case 'a' -> name(time.getDayOfWeek()).substring(0, 3);
      case 'A' -> name(time.getDayOfWeek());
      case 'b', 'h' -> name(time.getMonth()).substring(0, 3);
      case 'B' -> name(time.getMonth());
      case 'c' -> format("%a %b %e %H:%M:%S %Y");
      case 'C' -> padded(time.getYear() / 100, 2, '0');
      case 'd' -> padded(time.getDayOfMonth(), 2, '0');
      case 'D', 'x' -> format("%m/%d/%y");
      case 'e' -> padded(time.getDayOfMonth(), 2, ' ');
      case 'f' -> padded(time.getNano() / 1000, 6, '0');
      case 'F' -> format("%Y-%m-%d");
      case 'g' -> padded(time.get(IsoFields.WEEK_BASED_YEAR) % 100, 2, '0');
      case 'G' -> String.valueOf(time.get(IsoFields.WEEK_BASED_YEAR));
      case 'H' -> padded(time.getHour(), 2, '0');
      case 'I' -> padded(time.get(ChronoField.CLOCK_HOUR_OF_AMPM), 2, '0');
      case 'j' -> padded(time.getDayOfYear(), 3, '0');
      case 'k' -> padded(time.getHour(), 2, ' ');
      case 'l' -> padded(time.get(ChronoField.CLOCK_HOUR_OF_AMPM), 2, ' ');
      case 'm' -> padded(time.getMonthValue(), 2, '0');
      case 'M' -> padded(time.getMinute(), 2, '0');
      case 'n' -> "\n";
      case 'p' -> time.getHour() < 12 ? "AM" : "PM";
      case 'P' -> time.getHour() < 12 ? "am" : "pm";
      case 'r' -> format("%I:%M:%S %p");
      case 'R' -> format("%H:%M");
      case 'S' -> padded(time.getSecond(), 2, '0');
      case 't' -> "\t";
      case 'T', 'X' -> format("%H:%M:%S");
      case 'u' -> String.valueOf(time.getDayOfWeek().getValue());
      case 'U' -> padded(weeks(time.getDayOfWeek().getValue() % 7), 2, '0');
      case 'V' -> padded(time.get(IsoFields.WEEK_OF_WEEK_BASED_YEAR), 2, '0');
      case 'w' -> String.valueOf(time.getDayOfWeek().getValue() % 7);
      case 'W' -> padded(weeks(time.getDayOfWeek().getValue() - 1), 2, '0');
      case 'y' -> padded(time.getYear() % 100, 2, '0');
      case 'Y' -> String.valueOf(time.getYear());
      case 'z', 'Z' -> "";
      case '%' -> "%";
      default -> "%" + directive;
    };
  }

  /** The C locale's names are English, as the constants are. */
  private static String name(Enum<?> constant) {
    return Casing.capitalize(constant.name());
  }

  /** Returns the number of full weeks of the year, given the days since this one began. */
  private int weeks(int dayOfWeek) {
    return (time.getDayOfYear() + 6 - dayOfWeek) / 7;
  }

  private static String padded(int number, int width, char padding) {
    String digits = String.valueOf(number);
    return String.valueOf(padding).repeat(Math.max(0, width - digits.length())) + digits;
  }
}
