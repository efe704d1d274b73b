package dev.sojourn.text.template;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The arguments of a call as written.
 *
 * @param positional in order
 * @param named by keyword, in order
 * @param spread after {@code *}: a list of further positional ones
 * @param spreadNamed after {@code **}: a dict of further named ones
 */
record ArgumentList(
    List<Expression> positional,
    List<Named> named,
    @Nullable Expression spread,
    @Nullable Expression spreadNamed) {

  static final ArgumentList NONE = new ArgumentList(List.of(), List.of(), null, null);

  /**
   * One named argument.
   *
   * @param name of the parameter
   * @param value given to it
   */
  record Named(String name, Expression value) {}

  static ArgumentList of(Expression only) {
    return new ArgumentList(List.of(only), List.of(), null, null);
  }

  /** Evaluates the arguments. */
  Arguments evaluate(Frame frame) {
    List<Object> values = new ArrayList<>(positional.size());
    for (Expression argument : positional) {
      values.add(argument.evaluate(frame));
    }
    if (spread != null) {
      values.addAll(Values.list(spread.evaluate(frame), frame.rendering));
    }
    return new Arguments(Collections.unmodifiableList(values), evaluateNamed(frame));
  }

  private Map<String, Object> evaluateNamed(Frame frame) {
    if (named.isEmpty() && spreadNamed == null) {
      return Map.of();
    }
    Map<String, Object> values = new LinkedHashMap<>();
    for (Named argument : named) {
      put(values, argument.name(), argument.value().evaluate(frame));
    }
    if (spreadNamed != null) {
      if (!(spreadNamed.evaluate(frame) instanceof Map<?, ?> map)) {
        throw new TemplateException("argument after ** must be a mapping");
      }
      map.forEach((name, value) -> put(values, Printing.str(Values.of(name)), Values.of(value)));
    }
    return Collections.unmodifiableMap(values);
  }

  private static void put(Map<String, Object> values, String name, Object value) {
    if (values.put(name, value) != null) {
      throw new TemplateException("two values for the argument '" + name + "'");
    }
  }
}
