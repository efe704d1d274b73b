package dev.sojourn.text.template;

/**
 * A string marked as safe HTML. Chat templates render without escaping, so only one thing tells it
 * from a string: what is added to it with {@code +} is escaped first. The results of filters and
 * methods are plain strings again.
 */
record Markup(String text) {

  /** Returns a value as HTML: as it is if it is marked already. */
  static Markup escape(Object value) {
    return value instanceof Markup markup ? markup : new Markup(escape(Printing.str(value)));
  }

  static String escape(String text) {
    StringBuilder out = new StringBuilder(text.length() + 16);
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      switch (c) {
        case '&' -> out.append("&amp;");
        case '<' -> out.append("&lt;");
        case '>' -> out.append("&gt;");
        case '\'' -> out.append("&#39;");
        case '"' -> out.append("&#34;");
        default -> out.append(c);
      }
    }
    return out.toString();
  }
}
