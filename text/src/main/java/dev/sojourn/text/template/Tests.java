package dev.sojourn.text.template;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The tests by name: what may stand behind {@code is}. */
final class Tests {

  /** A test. */
  interface Function {

    /** Tests a value. */
    boolean test(Object value, Arguments arguments, Rendering rendering);
  }

  static final Map<String, Function> BY_NAME = all();

  private Tests() {}

  private static Map<String, Function> all() {
    Map<String, Function> all = new HashMap<>();
    all.put("defined", (v, a, r) -> !(v instanceof Undefined));
    all.put("undefined", (v, a, r) -> v instanceof Undefined);
    all.put("none", (v, a, r) -> v == None.NONE);
    all.put("boolean", (v, a, r) -> v instanceof Boolean);
    all.put("true", (v, a, r) -> v.equals(true));
    all.put("false", (v, a, r) -> v.equals(false));
    all.put("integer", (v, a, r) -> v instanceof Number && Numbers.integer(v) != null);
    all.put("float", (v, a, r) -> v instanceof Number && Numbers.integer(v) == null);
    all.put("number", (v, a, r) -> Numbers.numeric(v));
    all.put("string", (v, a, r) -> Values.text(v) != null);
    all.put("mapping", (v, a, r) -> v instanceof Map<?, ?>);
    all.put("sequence", (v, a, r) -> sequence(v));
    all.put("iterable", (v, a, r) -> v instanceof Loop || Values.iteratorOrNone(v) != null);
    all.put("callable", (v, a, r) -> v instanceof Callable);
    all.put("escaped", (v, a, r) -> v instanceof Markup);
    all.put("lower", (v, a, r) -> Casing.isLower(Printing.str(v)));
    all.put("upper", (v, a, r) -> Casing.isUpper(Printing.str(v)));
    all.put("odd", (v, a, r) -> remainder(v, 2L) == 1);
    all.put("even", (v, a, r) -> remainder(v, 2L) == 0);
    all.put("divisibleby", (v, a, r) -> remainder(v, other("divisibleby", a)) == 0);
    all.put("sameas", (v, a, r) -> Values.same(v, other("sameas", a)));
    all.put("filter", (v, a, r) -> Filters.BY_NAME.containsKey(Printing.str(v)));
    all.put("test", (v, a, r) -> Tests.BY_NAME.containsKey(Printing.str(v)));
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
      all.put(name, (v, a, r) -> comparison.test(v, other(name, a), r));
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
