package dev.sojourn.text.template;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Reads expressions, in jinja2's order of precedence: {@code … if … else}, {@code or}, {@code and},
 * {@code not}, comparisons, {@code + -}, {@code ~}, {@code * / // %}, {@code **}, signs, and
 * closest to a value its subscripts, calls, filters and tests.
 *
 * <p>Longer than other classes because it is one grammar: a method for each level, each calling the
 * next, and cut apart it would have to be read in two places.
 */
final class ExpressionParser {

  /** Names that are values, and so cannot be assigned to. */
  static final Set<String> LITERALS = Set.of("true", "false", "none", "True", "False", "None");

  /** Brackets inside each other. */
  private static final int DEPTH = 50;

  /** Operators, calls and filters of one expression: each may be evaluated inside the next. */
  private static final int LENGTH = 1000;

  private static final Map<String, Comparison> COMPARISONS =
      Map.of(
          "==", Comparison.EQUAL,
          "!=", Comparison.NOT_EQUAL,
          "<", Comparison.LESS,
          "<=", Comparison.LESS_OR_EQUAL,
          ">", Comparison.GREATER,
          ">=", Comparison.GREATER_OR_EQUAL);

  private final Tokens tokens;
  private Scope scope = Scope.outermost();
  private int depth;
  private int length;

  ExpressionParser(Tokens tokens) {
    this.tokens = tokens;
  }

  /** Sets the scope that names are read in from here on. */
  void enter(Scope entered) {
    scope = entered;
  }

  /** Reads an expression; with commas outside brackets, a tuple. */
  Expression tuple() {
    return tuple(true, "");
  }

  /** Reads what a statement names before an {@code if} of its own. */
  Expression tupleWithoutIf(String... end) {
    return tuple(false, end.length == 0 ? "" : end[0]);
  }

  private Expression tuple(boolean conditional, String end) {
    List<Expression> items = new ArrayList<>();
    boolean comma = false;
    while (!tupleEnds(end)) {
      items.add(conditional ? expression() : withoutIf());
      if (!tokens.skip(",")) {
        break;
      }
      comma = true;
    }
    if (items.isEmpty()) {
      throw tokens.error("expected an expression, found " + tokens.peek().spoken());
    }
    return comma ? new Expression.TupleOf(items) : items.getFirst();
  }

  private boolean tupleEnds(String end) {
    Token token = tokens.peek();
    return token.kind() == Token.Kind.PRINT_END
        || token.kind() == Token.Kind.BLOCK_END
        || token.is(")")
        || token.isName(end);
  }

  /** Reads an expression. */
  Expression expression() {
    enterBrackets();
    Expression value = or();
    while (tokens.skipName("if")) {
      chain();
      Expression test = or();
      Expression otherwise = tokens.skipName("else") ? expression() : null;
      value = new Expression.Conditional(test, value, otherwise);
    }
    depth--;
    return value;
  }

  private Expression withoutIf() {
    enterBrackets();
    Expression value = or();
    depth--;
    return value;
  }

  private void enterBrackets() {
    if (++depth == 1) {
      length = 0;
    }
    if (depth > DEPTH) {
      throw tokens.error("an expression nested more than " + DEPTH + " deep");
    }
  }

  private void chain() {
    if (++length > LENGTH) {
      throw tokens.error("an expression of more than " + LENGTH + " operators");
    }
  }

  private Expression or() {
    Expression left = and();
    while (tokens.skipName("or")) {
      chain();
      left = new Expression.Or(left, and());
    }
    return left;
  }

  private Expression and() {
    Expression left = not();
    while (tokens.skipName("and")) {
      chain();
      left = new Expression.And(left, not());
    }
    return left;
  }

  private Expression not() {
    int negations = 0;
    while (tokens.skipName("not")) {
      negations++;
    }
    Expression value = comparison();
    if (negations == 0) {
      return value;
    }
    Expression not = new Expression.Not(value);
    return negations % 2 == 1 ? not : new Expression.Not(not);
  }

  private Expression comparison() {
    Expression first = sum();
    List<Expression.Operand> operands = new ArrayList<>();
    while (true) {
      Token token = tokens.peek();
      Comparison comparison =
          token.kind() == Token.Kind.OPERATOR ? COMPARISONS.get(token.text()) : null;
      if (comparison != null) {
        tokens.next();
      } else if (tokens.skipName("in")) {
        comparison = Comparison.IN;
      } else if (token.isName("not") && tokens.peekSecond().isName("in")) {
        tokens.next();
        tokens.next();
        comparison = Comparison.NOT_IN;
      } else {
        break;
      }
      chain();
      operands.add(new Expression.Operand(comparison, sum()));
    }
    return operands.isEmpty() ? first : new Expression.Compare(first, operands);
  }

  private Expression sum() {
    Expression left = concatenation();
    while (true) {
      Operator operator =
          tokens.skip("+") ? Operator.ADD : tokens.skip("-") ? Operator.SUBTRACT : null;
      if (operator == null) {
        return left;
      }
      chain();
      left = new Expression.Binary(operator, left, concatenation());
    }
  }

  private Expression concatenation() {
    Expression first = product();
    if (!tokens.peek().is("~")) {
      return first;
    }
    List<Expression> parts = new ArrayList<>(List.of(first));
    while (tokens.skip("~")) {
      parts.add(product());
    }
    return new Expression.Concat(parts);
  }

  private Expression product() {
    Expression left = power();
    while (true) {
      Operator operator =
          tokens.skip("*")
              ? Operator.MULTIPLY
              : tokens.skip("/")
                  ? Operator.DIVIDE
                  : tokens.skip("//")
                      ? Operator.FLOOR_DIVIDE
                      : tokens.skip("%") ? Operator.MODULO : null;
      if (operator == null) {
        return left;
      }
      chain();
      left = new Expression.Binary(operator, left, power());
    }
  }

  /** Unlike Python's, jinja2's power binds to the left. */
  private Expression power() {
    Expression left = signed(true);
    while (tokens.skip("**")) {
      chain();
      left = new Expression.Binary(Operator.POWER, left, signed(true));
    }
    return left;
  }

  private Expression signed(boolean filters) {
    Expression value;
    if (tokens.peek().is("-") || tokens.peek().is("+")) {
      boolean minus = tokens.next().is("-");
      enterBrackets();
      value = new Expression.Sign(minus, signed(false));
      depth--;
    } else {
      value = primary();
    }
    value = subscripts(value);
    return filters ? filtersAndTests(value) : value;
  }

  private Expression primary() {
    Token token = tokens.next();
    return switch (token.kind()) {
      case NAME -> named(token);
      case STRING -> {
        StringBuilder text = new StringBuilder(token.text());
        while (tokens.peek().kind() == Token.Kind.STRING) {
          text.append(tokens.next().text());
        }
        yield new Expression.Constant(text.toString());
      }
      case INTEGER -> new Expression.Constant(integer(token));
      case FLOAT -> new Expression.Constant(Double.valueOf(token.text()));
      default -> bracketed(token);
    };
  }

  private Expression named(Token token) {
    return switch (token.text()) {
      case "true", "True" -> new Expression.Constant(true);
      case "false", "False" -> new Expression.Constant(false);
      case "none", "None" -> new Expression.Constant(None.NONE);
      default -> new Expression.Name(scope.read(token.text()));
    };
  }

  private Object integer(Token token) {
    String digits = token.text();
    int radix =
        digits.length() < 2
            ? 10
            : switch (digits.charAt(1)) {
              case 'x', 'X' -> 16;
              case 'o', 'O' -> 8;
              case 'b', 'B' -> 2;
              default -> 10;
            };
    if (digits.length() > 4300) {
      throw tokens.error("a number of " + digits.length() + " digits", token);
    }
    try {
      BigInteger value = new BigInteger(radix == 10 ? digits : digits.substring(2), radix);
      return value.bitLength() < Long.SIZE ? (Object) value.longValue() : value;
    } catch (NumberFormatException e) {
      throw tokens.error("malformed number " + digits, token);
    }
  }

  private Expression bracketed(Token token) {
    if (token.is("(")) {
      if (tokens.skip(")")) {
        return new Expression.TupleOf(List.of());
      }
      Expression inner = tuple();
      tokens.expect(")");
      return inner;
    }
    if (token.is("[")) {
      List<Expression> items = new ArrayList<>();
      while (!tokens.peek().is("]")) {
        items.add(expression());
        if (!tokens.skip(",")) {
          break;
        }
      }
      tokens.expect("]");
      return new Expression.ListOf(items);
    }
    if (token.is("{")) {
      List<Expression> keys = new ArrayList<>();
      List<Expression> values = new ArrayList<>();
      while (!tokens.peek().is("}")) {
        keys.add(expression());
        tokens.expect(":");
        values.add(expression());
        if (!tokens.skip(",")) {
          break;
        }
      }
      tokens.expect("}");
      return new Expression.DictOf(keys, values);
    }
    throw tokens.error("expected an expression, found " + token.spoken(), token);
  }

  private Expression subscripts(Expression start) {
    Expression value = start;
    while (true) {
      Token token = tokens.peek();
      if (token.is(".")) {
        chain();
        tokens.next();
        Token name = tokens.next();
        value =
            switch (name.kind()) {
              case NAME -> new Expression.Attribute(value, name.text());
              case INTEGER -> new Expression.Item(value, new Expression.Constant(integer(name)));
              default ->
                  throw tokens.error(
                      "expected a name or a number after '.', found " + name.spoken(), name);
            };
      } else if (token.is("[")) {
        chain();
        tokens.next();
        value = subscript(value);
      } else if (token.is("(")) {
        chain();
        value = new Expression.Call(value, arguments());
      } else {
        return value;
      }
    }
  }

  private Expression subscript(Expression of) {
    Expression start = tokens.peek().is(":") ? null : expression();
    if (!tokens.skip(":")) {
      if (start == null) {
        throw tokens.error("expected an index");
      }
      List<Expression> keys = new ArrayList<>(List.of(start));
      while (tokens.skip(",")) {
        keys.add(expression());
      }
      tokens.expect("]");
      return new Expression.Item(of, keys.size() == 1 ? start : new Expression.TupleOf(keys));
    }
    Expression stop = tokens.peek().is(":") || tokens.peek().is("]") ? null : expression();
    Expression step = tokens.skip(":") && !tokens.peek().is("]") ? expression() : null;
    tokens.expect("]");
    return new Expression.Slice(of, start, stop, step);
  }

  private Expression filtersAndTests(Expression start) {
    Expression value = start;
    while (true) {
      Token token = tokens.peek();
      if (token.is("|")) {
        tokens.next();
        value = filter(value);
      } else if (token.isName("is")) {
        chain();
        tokens.next();
        value = test(value);
      } else if (token.is("(")) {
        chain();
        value = new Expression.Call(value, arguments());
      } else {
        return value;
      }
    }
  }

  /** Reads a filter behind its bar; without an input, that of a block. */
  Expression.Filter filter(@Nullable Expression input) {
    chain();
    Token name = tokens.expect(Token.Kind.NAME);
    ArgumentList arguments = tokens.peek().is("(") ? arguments() : ArgumentList.NONE;
    return new Expression.Filter(input, name.text(), Filters.BY_NAME.get(name.text()), arguments);
  }

  /** Reads the filters that follow a block's first word, each with its bar. */
  List<Expression.Filter> blockFilters() {
    List<Expression.Filter> filters = new ArrayList<>();
    while (tokens.skip("|")) {
      filters.add(filter(null));
    }
    return filters;
  }

  private Expression test(Expression value) {
    boolean negated = tokens.skipName("not");
    Token name = tokens.expect(Token.Kind.NAME);
    Token next = tokens.peek();
    ArgumentList arguments = ArgumentList.NONE;
    if (next.is("(")) {
      arguments = arguments();
    } else if (testArgumentFollows(next)) {
      if (next.isName("is")) {
        throw tokens.error("tests cannot be chained with 'is'");
      }
      arguments = ArgumentList.of(subscripts(primary()));
    }
    Expression test =
        new Expression.Test(value, name.text(), Tests.BY_NAME.get(name.text()), arguments);
    return negated ? new Expression.Not(test) : test;
  }

  private static boolean testArgumentFollows(Token next) {
    return switch (next.kind()) {
      case NAME -> !next.isName("else") && !next.isName("or") && !next.isName("and");
      case STRING, INTEGER, FLOAT -> true;
      default -> next.is("[") || next.is("{");
    };
  }

  private ArgumentList arguments() {
    tokens.expect("(");
    List<Expression> positional = new ArrayList<>();
    List<ArgumentList.Named> named = new ArrayList<>();
    Expression spread = null;
    Expression spreadNamed = null;
    while (!tokens.peek().is(")")) {
      if (spreadNamed != null) {
        throw tokens.error("an argument after '**'");
      }
      if (tokens.peek().is("*") && spread == null) {
        tokens.next();
        spread = expression();
      } else if (tokens.skip("**")) {
        spreadNamed = expression();
      } else if (tokens.peek().kind() == Token.Kind.NAME && tokens.peekSecond().is("=")) {
        String name = tokens.next().text();
        tokens.next();
        named.add(new ArgumentList.Named(name, expression()));
      } else if (named.isEmpty() && spread == null) {
        positional.add(expression());
      } else {
        throw tokens.error("a positional argument after a named one");
      }
      if (!tokens.peek().is(")")) {
        tokens.expect(",");
      }
    }
    tokens.next();
    return new ArgumentList(positional, named, spread, spreadNamed);
  }
}
