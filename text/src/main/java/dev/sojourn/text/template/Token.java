package dev.sojourn.text.template;

/**
 * A piece of a template.
 *
 * @param kind what it is
 * @param text data, a name, an operator, or the value of a string; digits of a number
 * @param line where it begins, from 1
 */
record Token(Kind kind, String text, int line) {

  /** What a token is. */
  enum Kind {
    DATA("text"),
    PRINT_BEGIN("'{{'"),
    PRINT_END("'}}'"),
    BLOCK_BEGIN("'{%'"),
    BLOCK_END("'%}'"),
    NAME("a name"),
    STRING("a string"),
    INTEGER("a number"),
    FLOAT("a number"),
    OPERATOR("an operator"),
    END("the end of the template");

    final String spoken;

    Kind(String spoken) {
      this.spoken = spoken;
    }
  }

  boolean is(String operator) {
    return kind == Kind.OPERATOR && text.equals(operator);
  }

  boolean isName(String name) {
    return kind == Kind.NAME && text.equals(name);
  }

  /** What a message calls this token. */
  String spoken() {
    return kind == Kind.NAME || kind == Kind.OPERATOR ? "'" + text + "'" : kind.spoken;
  }
}
