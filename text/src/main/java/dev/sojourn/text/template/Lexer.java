package dev.sojourn.text.template;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * Cuts a template into tokens, with the whitespace rules that transformers sets: {@code
 * trim_blocks} (the line break after a block or a comment belongs to it), {@code lstrip_blocks} (so
 * do blanks before it, if it begins its line), {@code -} and {@code +} at either end; every kind of
 * line break is {@code \n}, and one at the very end of the template is dropped.
 */
final class Lexer {

  private final String source;
  private final List<Token> tokens = new ArrayList<>();
  private int at;
  private boolean lineStarts = true;
  private int countedTo;
  private int line = 1;

  private Lexer(String source) {
    this.source = source;
  }

  /** Returns the tokens of a template, with an {@link Token.Kind#END} behind the last. */
  static List<Token> tokens(String template) {
    String source = template.replace("\r\n", "\n").replace('\r', '\n');
    Lexer lexer =
        new Lexer(source.endsWith("\n") ? source.substring(0, source.length() - 1) : source);
    lexer.run();
    return lexer.tokens;
  }

  private void run() {
    while (at < source.length()) {
      int tag = nextTag();
      if (tag < 0) {
        add(Token.Kind.DATA, source.substring(at), at);
        at = source.length();
        break;
      }
      int raw = afterRaw(tag);
      data(tag, source.charAt(tag + 1) == '{' && raw < 0);
      if (raw >= 0) {
        at = raw;
        lineStarts = false;
        raw(tag);
        continue;
      }
      at = tag + 2 + (sign(tag + 2) ? 1 : 0);
      switch (source.charAt(tag + 1)) {
        case '#' -> comment(tag);
        case '{' -> tag(tag, Token.Kind.PRINT_BEGIN, Token.Kind.PRINT_END, "}}");
        default -> tag(tag, Token.Kind.BLOCK_BEGIN, Token.Kind.BLOCK_END, "%}");
      }
    }
    add(Token.Kind.END, "", source.length());
  }

  private int nextTag() {
    for (int i = source.indexOf('{', at); i >= 0 && i + 1 < source.length(); ) {
      char next = source.charAt(i + 1);
      if (next == '%' || next == '{' || next == '#') {
        return i;
      }
      i = source.indexOf('{', i + 1);
    }
    return -1;
  }

  /** Adds the text up to a tag, less the blanks that the tag claims. */
  private void data(int end, boolean print) {
    char sign = end + 2 < source.length() ? source.charAt(end + 2) : ' ';
    int to = end;
    if (sign == '-') {
      while (to > at && Characters.space(source.charAt(to - 1))) {
        to--;
      }
    } else if (sign != '+' && !print) {
      int start = end;
      while (start > at
          && source.charAt(start - 1) != '\n'
          && Characters.space(source.charAt(start - 1))) {
        start--;
      }
      boolean beginsLine = start == at ? lineStarts : source.charAt(start - 1) == '\n';
      to = beginsLine ? start : end;
    }
    if (to > at) {
      add(Token.Kind.DATA, source.substring(at, to), at);
    }
  }

  /** Returns where the text of a raw block begins if this tag opens one; otherwise -1. */
  private int afterRaw(int tag) {
    if (source.charAt(tag + 1) != '%') {
      return -1;
    }
    int name = skipSpace(tag + 2 + (sign(tag + 2) ? 1 : 0));
    if (!source.startsWith("raw", name)) {
      return -1;
    }
    int end = skipSpace(name + 3);
    if (source.startsWith("-%}", end)) {
      return skipSpace(end + 3);
    }
    return source.startsWith("%}", end) ? end + 2 : -1;
  }

  private void raw(int opened) {
    if (at == source.length()) {
      return;
    }
    for (int tag = source.indexOf("{%", at); tag >= 0; tag = source.indexOf("{%", tag + 1)) {
      int name = skipSpace(tag + 2 + (sign(tag + 2) ? 1 : 0));
      if (source.startsWith("endraw", name)) {
        int end = afterEnd(skipSpace(name + 6), "%}", true);
        if (end >= 0) {
          data(tag, false);
          closeTag(end);
          return;
        }
      }
    }
    throw new TemplateException("missing end of raw block", lineOf(opened));
  }

  private void comment(int opened) {
    int end = source.indexOf("#}", at);
    if (at == source.length()) {
      return; // jinja2 does not mind a comment that opens at the very end
    }
    if (end < 0) {
      throw new TemplateException("missing end of comment", lineOf(opened));
    }
    closeTag(afterEnd(end > at && sign(end - 1) ? end - 1 : end, "#}", true));
  }

  /** Reads what stands between the ends of a tag. */
  private void tag(int opened, Token.Kind begin, Token.Kind end, String closing) {
    add(begin, "", opened);
    Deque<Character> open = new ArrayDeque<>();
    while (true) {
      int closed = open.isEmpty() ? afterEnd(at, closing, end == Token.Kind.BLOCK_END) : -1;
      if (closed >= 0) {
        add(end, "", at);
        closeTag(closed);
        return;
      }
      if (at == source.length()) {
        throw new TemplateException("missing " + end.spoken, lineOf(opened));
      }
      char c = source.charAt(at);
      if (Characters.space(c)) {
        at = skipSpace(at);
      } else if (c >= '0' && c <= '9') {
        number();
      } else if (c == '_' || Character.isUnicodeIdentifierStart(source.codePointAt(at))) {
        int from = at;
        while (at < source.length() && identifierPart(source.codePointAt(at))) {
          at += Character.charCount(source.codePointAt(at));
        }
        add(Token.Kind.NAME, source.substring(from, at), from);
      } else if (c == '\'' || c == '"') {
        string(c);
      } else {
        operator(open);
      }
    }
  }

  private static boolean identifierPart(int c) {
    return Character.isUnicodeIdentifierPart(c) && !Character.isIdentifierIgnorable(c);
  }

  /**
   * Returns where a tag that closes here leaves off: behind the whitespace after {@code -%}},
   * behind the line break after {@code %}} if blocks are trimmed; -1 if no tag closes here.
   */
  private int afterEnd(int from, String closing, boolean trim) {
    if (source.startsWith("-" + closing, from)) {
      return skipSpace(from + 3);
    }
    if (trim && source.startsWith("+" + closing, from)) {
      return from + 3;
    }
    if (!source.startsWith(closing, from)) {
      return -1;
    }
    return from + 2 + (trim && source.startsWith("\n", from + 2) ? 1 : 0);
  }

  private void closeTag(int end) {
    at = end;
    lineStarts = source.charAt(end - 1) == '\n';
  }

  private void number() {
    int from = at;
    if (source.charAt(at) == '0' && at + 2 < source.length() && radixDigit(at + 1)) {
      at += 2;
      while (at < source.length()
          && (Character.digit(source.charAt(at), 16) >= 0 || source.charAt(at) == '_')) {
        at++;
      }
      add(Token.Kind.INTEGER, source.substring(from, at).replace("_", ""), from);
      return;
    }
    digits();
    boolean real = false;
    // After a dot, digits are an index (a.0.1), not the start of a fraction.
    if (from == 0 || source.charAt(from - 1) != '.') {
      if (at + 1 < source.length() && source.charAt(at) == '.' && digit(at + 1)) {
        at++;
        digits();
        real = true;
      }
      if (at < source.length() && (source.charAt(at) == 'e' || source.charAt(at) == 'E')) {
        int exponent = at + 1;
        if (exponent < source.length() && "+-".indexOf(source.charAt(exponent)) >= 0) {
          exponent++;
        }
        if (digit(exponent)) {
          at = exponent;
          digits();
          real = true;
        }
      }
    }
    String digits = source.substring(from, at).replace("_", "");
    if (!real && digits.length() > 1 && digits.charAt(0) == '0' && !digits.matches("0+")) {
      throw new TemplateException("leading zeros in the number " + digits, lineOf(from));
    }
    add(real ? Token.Kind.FLOAT : Token.Kind.INTEGER, digits, from);
  }

  /** Returns whether a letter names a radix and a digit of it follows. */
  private boolean radixDigit(int letter) {
    int radix =
        switch (source.charAt(letter)) {
          case 'b', 'B' -> 2;
          case 'o', 'O' -> 8;
          case 'x', 'X' -> 16;
          default -> 0;
        };
    char next = source.charAt(letter + 1);
    char digit = next == '_' && letter + 2 < source.length() ? source.charAt(letter + 2) : next;
    return radix > 0 && Character.digit(digit, radix) >= 0;
  }

  private void digits() {
    while (digit(at) || (at < source.length() && source.charAt(at) == '_' && digit(at + 1))) {
      at++;
    }
  }

  private boolean digit(int index) {
    return index < source.length() && source.charAt(index) >= '0' && source.charAt(index) <= '9';
  }

  private void string(char quote) {
    int from = at;
    int end = from + 1;
    while (end < source.length() && source.charAt(end) != quote) {
      end += source.charAt(end) == '\\' ? 2 : 1;
    }
    if (end >= source.length()) {
      throw new TemplateException("string without its closing " + quote, lineOf(from));
    }
    add(
        Token.Kind.STRING,
        new Escapes(source.substring(from + 1, end), lineOf(from)).decode(),
        from);
    at = end + 1;
  }

  private void operator(Deque<Character> open) {
    for (String two : new String[] {"//", "**", "==", "!=", ">=", "<="}) {
      if (source.startsWith(two, at)) {
        add(Token.Kind.OPERATOR, two, at);
        at += 2;
        return;
      }
    }
    char c = source.charAt(at);
    if ("+-/*%~[](){}<>=.:|,;".indexOf(c) < 0) {
      throw new TemplateException(
          "unexpected character " + Printing.repr(String.valueOf(c)), lineOf(at));
    }
    switch (c) {
      case '(' -> open.push(')');
      case '[' -> open.push(']');
      case '{' -> open.push('}');
      case ')', ']', '}' -> {
        if (open.isEmpty() || open.pop() != c) {
          throw new TemplateException("unexpected '" + c + "'", lineOf(at));
        }
      }
      default -> {}
    }
    add(Token.Kind.OPERATOR, String.valueOf(c), at);
    at++;
  }

  private boolean sign(int index) {
    return index < source.length() && (source.charAt(index) == '-' || source.charAt(index) == '+');
  }

  private int skipSpace(int from) {
    int i = from;
    while (i < source.length() && Characters.space(source.charAt(i))) {
      i++;
    }
    return i;
  }

  private void add(Token.Kind kind, String text, int position) {
    tokens.add(new Token(kind, text, lineOf(position)));
  }

  /** Returns the line of a position; asked in rising order, but for the start of an open tag. */
  private int lineOf(int position) {
    if (position < countedTo) {
      countedTo = 0;
      line = 1;
    }
    for (int i = countedTo; i < position; i++) {
      line += source.charAt(i) == '\n' ? 1 : 0;
    }
    countedTo = position;
    return line;
  }
}
