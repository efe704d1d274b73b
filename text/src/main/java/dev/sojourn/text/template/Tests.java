package dev.sojourn.text.template;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The tests by name: what may stand behind {@code is}. */
final class Tests {

  /** A test. */
  interface Function {

    /** Tests a value. */
    boolean test(Object value, Arguments arguments);
  }

  static final Map<String, Function> BY_NAME = all();

  private Tests() {}

  private static Map<String, Function> all() {
    Map<String, Function> all = new HashMap<>();
    all.put("defined", (v, a) -> !(v instanceof Undefined));
    all.put("undefined", (v, a) -> v instanceof Undefined);
    all.put("none", (v, a) -> v == None.NONE);
    all.put("boolean", (v, a) -> v instanceof Boolean);
    all.put("true", (v, a) -> v.equals(true));
    all.put("false", (v, a) -> v.equals(false));
    all.put("integer", (v, a) -> v instanceof Number && Numbers.integer(v) != null);
    all.put("float", (v, a) -> v instanceof Number && Numbers.integer(v) == null);
    all.put("number", (v, a) -> Numbers.numeric(v));
    all.put("string", (v, a) -> Values.text(v) != null);
    all.put("mapping", (v, a) -> v instanceof Map<?, ?>);
    all.put("sequence", (v, a) -> sequence(v));
    all.put("iterable", (v, a) -> v instanceof Loop || Values.iteratorOrNone(v) != null);
    all.put("callable", (v, a) -> v instanceof Callable);
    all.put("escaped", (v, a) -> v instanceof Markup);
    all.put("lower", (v, a) -> Casing.isLower(Printing.str(v)));
    all.put("upper", (v, a) -> Casing.isUpper(Printing.str(v)));
    all.put("odd", (v, a) -> remainder(v, 2L) == 1);
    all.put("even", (v, a) -> remainder(v, 2L) == 0);
    all.put("divisibleby", (v, a) -> remainder(v, other("divisibleby", a)) == 0);
    all.put("sameas", (v, a) -> Values.same(v, other("sameas", a)));
    all.put("filter", (v, a) -> Filters.BY_NAME.containsKey(Printing.str(v)));
    all.put("test", (v, a) -> Tests.BY_NAME.containsKey(Printing.str(v)));
    compares(all, Comparison.IN, "in");
    compares(all, Comparison.EQUAL, "==", "eq", "equalto");
    compares(all, Comparison.NOT_EQUAL, "!=", "ne");
    compares(all, Comparison.LESS, "<", "lt", "lessthan");
    compares(all, Comparison.LESS_OR_EQUAL, "<=", "le");
    compares(all, Comparison.GREATER, ">", "gt", "greaterthan");
    compares(all, Comparison.GREATER_OR_EQUAL, ">=", "ge");
    return Map.copyOf(all);
  }

  private static void compares(Map<String, Function> all, Comparison comparison, String... names) {
    for (String name : names) {
      all.put(name, (v, a) -> comparison.test(v, other(name, a)));
    }
  }

  private static Object other(String test, Arguments arguments) {
    return arguments.bind(test, 1, "other").at(0);
  }

  private static boolean sequence(Object value) {
    return value instanceof List<?> || value instanceof Map<?, ?> || Values.text(value) != null;
  }

  private static double remainder(Object value, Object divisor) {
    if (!Numbers.numeric(value) || !Numbers.numeric(divisor)) {
      if (value instanceof Undefined undefined) {
        throw undefined.failure();
      }
      throw new TemplateException(
          "a number is required, not " + Values.typeName(Numbers.numeric(value) ? divisor : value));
    }
    return Numbers.real(Numbers.calculate(Operator.MODULO, value, divisor));
  }
}
