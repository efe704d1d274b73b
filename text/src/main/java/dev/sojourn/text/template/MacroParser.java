package dev.sojourn.text.template;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Reads the parameters of one macro or call block. */
final class MacroParser {

  private final Tokens tokens;
  private final ExpressionParser expressions;
  private final List<MacroDefinition.Parameter> parameters = new ArrayList<>();
  private final Set<String> names = new HashSet<>();

  MacroParser(Tokens tokens, ExpressionParser expressions) {
    this.tokens = tokens;
    this.expressions = expressions;
  }

  /** Reads parameters in parentheses into the macro's scope. */
  void read(Scope scope) {
    tokens.expect("(");
    boolean defaults = false;
    while (!tokens.peek().is(")")) {
      if (!parameters.isEmpty()) {
        tokens.expect(",");
      }
      Token name = tokens.expect(Token.Kind.NAME);
      if (ExpressionParser.LITERALS.contains(name.text()) || !names.add(name.text())) {
        throw tokens.error("'" + name.text() + "' cannot be a parameter here", name);
      }
      int slot = scope.declare(name.text());
      Expression value = tokens.skip("=") ? expressions.expression() : null;
      if (value == null && defaults) {
        throw tokens.error("parameter '" + name.text() + "' needs a default like those before");
      }
      defaults |= value != null;
      parameters.add(new MacroDefinition.Parameter(name.text(), slot, value));
    }
    tokens.next();
  }

  /** Closes the scope once the body is read. */
  MacroDefinition finish(String name, Body body, Scope scope) {
    for (MacroDefinition.Parameter parameter : parameters) {
      if (parameter.name().equals("caller")
          && parameter.value() == null
          && scope.mentions("caller")) {
        throw tokens.error("the parameter 'caller' of '" + name + "' needs a default");
      }
    }
    int caller = special("caller", scope);
    int varargs = special("varargs", scope);
    int kwargs = special("kwargs", scope);
    scope.close();
    return new MacroDefinition(
        name,
        List.copyOf(parameters),
        caller,
        varargs,
        kwargs,
        new Statement.Scoped(body, scope.inherited()),
        scope.frameSize());
  }

  /** A macro that mentions one of these names without declaring it is given it. */
  private int special(String name, Scope scope) {
    return names.contains(name) || !scope.mentions(name) ? -1 : scope.declare(name);
  }
}
