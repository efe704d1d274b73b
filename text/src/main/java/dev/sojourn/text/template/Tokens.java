package dev.sojourn.text.template;

import java.util.List;

/** The tokens of a template, read once from front to back. */
final class Tokens {

  private final List<Token> tokens;
  private int at;

  Tokens(List<Token> tokens) {
    this.tokens = tokens;
  }

  Token peek() {
    return tokens.get(at);
  }

  /** Returns the token after the next. */
  Token peekSecond() {
    return tokens.get(Math.min(at + 1, tokens.size() - 1));
  }

  /** Takes a token; the end can be taken again and again. */
  Token next() {
    Token token = tokens.get(at);
    if (token.kind() != Token.Kind.END) {
      at++;
    }
    return token;
  }

  boolean skip(String operator) {
    boolean there = peek().is(operator);
    if (there) {
      at++;
    }
    return there;
  }

  boolean skipName(String name) {
    boolean there = peek().isName(name);
    if (there) {
      at++;
    }
    return there;
  }

  Token expect(Token.Kind kind) {
    Token token = next();
    if (token.kind() != kind) {
      throw error("expected " + kind.spoken + ", found " + token.spoken(), token);
    }
    return token;
  }

  void expect(String operator) {
    if (!skip(operator)) {
      throw error("expected '" + operator + "', found " + peek().spoken());
    }
  }

  void expectName(String name) {
    if (!skipName(name)) {
      throw error("expected '" + name + "', found " + peek().spoken());
    }
  }

  TemplateException error(String message) {
    return error(message, peek());
  }

  TemplateException error(String message, Token where) {
    return new TemplateException(message, where.line());
  }
}
