package dev.sojourn.text.template;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Reads the statements of a template. Names are bound on the way ({@link Scope}), so that rendering
 * looks up nothing by name but the variables of the caller.
 *
 * <p>Not part of chat templates and refused: other templates ({@code include}, {@code import},
 * {@code extends}, {@code block}) and {@code autoescape}.
 */
final class Parser {

  /** Blocks inside each other. */
  private static final int DEPTH = 100;

  private static final Set<String> REFUSED =
      Set.of("include", "import", "from", "extends", "block", "autoescape");

  private final Tokens tokens;
  private final ExpressionParser expressions;
  private Scope scope = Scope.outermost();
  private int depth;

  /** Loops around the statement, within the same macro; what break and continue need. */
  private int loops;

  private Parser(List<Token> tokens) {
    this.tokens = new Tokens(tokens);
    this.expressions = new ExpressionParser(this.tokens);
    expressions.enter(scope);
  }

  /** Reads a whole template. */
  static Program parse(String source) {
    Parser parser = new Parser(Lexer.tokens(source));
    Body body = parser.body(Set.of());
    parser.scope.close();
    return new Program(body, parser.scope.slots(), parser.scope.frameSize());
  }

  /** Reads statements up to one of some tags, whose name is then the next token. */
  private Body body(Set<String> ends) {
    if (++depth > DEPTH) {
      throw tokens.error("blocks nested more than " + DEPTH + " deep");
    }
    List<Statement> statements = new ArrayList<>();
    while (true) {
      Token token = tokens.next();
      switch (token.kind()) {
        case DATA -> statements.add(new Statement.Text(token.text(), token.line()));
        case PRINT_BEGIN -> {
          Expression value = expressions.tuple();
          tokens.expect(Token.Kind.PRINT_END);
          statements.add(new Statement.Print(value, token.line()));
        }
        case BLOCK_BEGIN -> {
          Token name = tokens.peek();
          if (name.kind() == Token.Kind.NAME && ends.contains(name.text())) {
            depth--;
            return new Body(statements);
          }
          tokens.expect(Token.Kind.NAME);
          statements.add(statement(name));
          tokens.expect(Token.Kind.BLOCK_END);
        }
        default -> {
          if (!ends.isEmpty()) {
            throw tokens.error("the template ends where it needs one of " + ends, token);
          }
          depth--;
          return new Body(statements);
        }
      }
    }
  }

  /** Reads the body of a block and the tag that ends it. */
  private Body block(String end) {
    Body body = openBlock(Set.of(end));
    tokens.next();
    return body;
  }

  private Body openBlock(Set<String> ends) {
    tokens.skip(":");
    tokens.expect(Token.Kind.BLOCK_END);
    return body(ends);
  }

  private Statement statement(Token tag) {
    return switch (tag.text()) {
      case "if" -> conditional(tag);
      case "for" -> loop(tag);
      case "set" -> set(tag);
      case "macro" -> macro(tag);
      case "call" -> call(tag);
      case "filter" -> filter(tag);
      case "with" -> with(tag);
      case "generation" -> generation(tag);
      case "print" -> print(tag);
      case "break" -> jump(tag, Statement.Flow.BREAK);
      case "continue" -> jump(tag, Statement.Flow.CONTINUE);
      default ->
          throw tokens.error(
              REFUSED.contains(tag.text())
                  ? "'" + tag.text() + "' is not part of chat templates"
                  : "unknown tag '" + tag.text() + "'",
              tag);
    };
  }

  private Statement conditional(Token tag) {
    List<Statement.Branch> branches = new ArrayList<>();
    Token part = tag;
    while (!part.isName("endif")) {
      Expression test =
          part.isName("else") ? new Expression.Constant(true) : expressions.tupleWithoutIf();
      Body body =
          openBlock(part.isName("else") ? Set.of("endif") : Set.of("elif", "else", "endif"));
      branches.add(new Statement.Branch(test, body, part.line()));
      part = tokens.next();
    }
    return new Statement.If(branches, tag.line());
  }

  private Statement loop(Token tag) {
    Scope outer = scope;
    Function<Scope, Target> target = target(false);
    tokens.expectName("in");
    Expression items = expressions.tupleWithoutIf("recursive");

    Statement.@Nullable LoopTest test = null;
    if (tokens.skipName("if")) {
      Scope inner = enter(outer.inner());
      Target tested = target.apply(inner);
      Expression condition = expressions.expression();
      inner.close();
      enter(outer);
      test = new Statement.LoopTest(tested, condition, inner.inherited());
    }
    boolean recursive = tokens.skipName("recursive");

    // A recursive loop calls itself, so that each turn of it needs variables of its own.
    Scope inner = enter(recursive ? outer.callable() : outer.inner());
    Target bound = target.apply(inner);
    int loop = inner.declare("loop");
    loops++;
    Body body = openBlock(Set.of("endfor", "else"));
    loops--;
    inner.close();
    enter(outer);
    Statement.@Nullable Scoped otherwise = null;
    if (tokens.next().isName("else")) {
      otherwise = scoped(() -> block("endfor"));
    }
    return new Statement.For(
        bound,
        items,
        test,
        new Statement.Scoped(body, inner.inherited()),
        otherwise,
        recursive || inner.mentions("loop") ? loop : -1,
        recursive ? inner.frameSize() : -1,
        tag.line());
  }

  private Statement set(Token tag) {
    Function<Scope, Target> target = target(true);
    if (tokens.skip("=")) {
      Expression value = expressions.tuple();
      return new Statement.Set(target.apply(scope), value, tag.line());
    }
    List<Expression.Filter> filters = expressions.blockFilters();
    Statement.Scoped body = scoped(() -> block("endset"));
    return new Statement.SetBlock(target.apply(scope), filters, body, tag.line());
  }

  private Statement filter(Token tag) {
    List<Expression.Filter> filters = new ArrayList<>();
    filters.add(expressions.filter(null));
    filters.addAll(expressions.blockFilters());
    return new Statement.FilterBlock(filters, scoped(() -> block("endfilter")), tag.line());
  }

  private Statement generation(Token tag) {
    return new Statement.Block(scoped(() -> block("endgeneration")), tag.line());
  }

  private Statement with(Token tag) {
    Scope outer = scope;
    Scope inner = outer.inner();
    List<Target> targets = new ArrayList<>();
    List<Expression> values = new ArrayList<>();
    while (tokens.peek().kind() != Token.Kind.BLOCK_END) {
      if (!targets.isEmpty()) {
        tokens.expect(",");
      }
      targets.add(target(false).apply(inner));
      tokens.expect("=");
      values.add(expressions.expression());
    }
    enter(inner);
    Body body = block("endwith");
    inner.close();
    enter(outer);
    return new Statement.With(
        targets, values, new Statement.Scoped(body, inner.inherited()), tag.line());
  }

  private Statement print(Token tag) {
    List<Statement> printed = new ArrayList<>();
    while (tokens.peek().kind() != Token.Kind.BLOCK_END) {
      if (!printed.isEmpty()) {
        tokens.expect(",");
      }
      printed.add(new Statement.Print(expressions.expression(), tag.line()));
    }
    return new Statement.Block(new Statement.Scoped(new Body(printed), List.of()), tag.line());
  }

  private Statement jump(Token tag, Statement.Flow flow) {
    if (loops == 0) {
      throw tokens.error("'" + tag.text() + "' outside a loop", tag);
    }
    return new Statement.Jump(flow, tag.line());
  }

  private Statement macro(Token tag) {
    Token name = tokens.expect(Token.Kind.NAME);
    Variable variable = scope.set(name.text());
    return new Statement.MacroStatement(variable, definition(name.text()), tag.line());
  }

  private Statement call(Token tag) {
    Scope outer = scope;
    MacroParser parameters = new MacroParser(tokens, expressions);
    Scope inner = enter(outer.callable());
    if (tokens.peek().is("(")) {
      parameters.read(inner);
    }
    enter(outer);
    Expression called = expressions.expression();
    if (!(called instanceof Expression.Call call)) {
      throw tokens.error("expected a call", tag);
    }
    enter(inner);
    MacroDefinition definition = macroBody("caller", parameters, inner, outer, "endcall");
    return new Statement.CallBlock(call, definition, tag.line());
  }

  private MacroDefinition definition(String name) {
    Scope outer = scope;
    MacroParser parameters = new MacroParser(tokens, expressions);
    Scope inner = enter(outer.callable());
    parameters.read(inner);
    return macroBody(name, parameters, inner, outer, "endmacro");
  }

  private MacroDefinition macroBody(
      String name, MacroParser parameters, Scope inner, Scope outer, String end) {
    int loopsOutside = loops;
    loops = 0;
    Body body = block(end);
    loops = loopsOutside;
    MacroDefinition definition = parameters.finish(name, body, inner);
    enter(outer);
    return definition;
  }

  private Statement.Scoped scoped(Supplier<Body> reader) {
    Scope outer = scope;
    Scope inner = enter(outer.inner());
    Body body = reader.get();
    inner.close();
    enter(outer);
    return new Statement.Scoped(body, inner.inherited());
  }

  private Scope enter(Scope entered) {
    scope = entered;
    expressions.enter(entered);
    return entered;
  }

  /**
   * Reads what is assigned to: names, with commas or in parentheses; in {@code set}, attributes of
   * namespaces too. The scope that the names belong to is not open yet.
   */
  private Function<Scope, Target> target(boolean set) {
    List<Function<Scope, Target>> targets = new ArrayList<>();
    boolean many = false;
    do {
      if (!targets.isEmpty()) {
        many = true;
        if (tokens.peek().kind() != Token.Kind.NAME && !tokens.peek().is("(")) {
          break;
        }
        if (tokens.peek().isName("in")) {
          break;
        }
      }
      targets.add(oneTarget(set));
    } while (tokens.skip(","));
    if (!many) {
      return targets.getFirst();
    }
    return s -> new Target.Unpack(targets.stream().map(t -> t.apply(s)).toList());
  }

  private Function<Scope, Target> oneTarget(boolean set) {
    if (tokens.skip("(")) {
      Function<Scope, Target> inner = target(set);
      tokens.expect(")");
      return inner;
    }
    Token token = tokens.expect(Token.Kind.NAME);
    String name = token.text();
    if (ExpressionParser.LITERALS.contains(name) || (name.equals("loop") && loops > 0)) {
      throw tokens.error("cannot assign to '" + name + "'", token);
    }
    if (set && tokens.skip(".")) {
      String attribute = tokens.expect(Token.Kind.NAME).text();
      return s -> new Target.Attribute(s.read(name), attribute);
    }
    return set
        ? s -> new Target.Local(s.set(name))
        : s -> {
          s.declare(name);
          return new Target.Local(s.read(name));
        };
  }
}
