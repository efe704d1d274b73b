package dev.sojourn.text.template;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

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
    plain(all, "defined", v -> !(v instanceof Undefined));
    plain(all, "undefined", v -> v instanceof Undefined);
    plain(all, "none", v -> v == None.NONE);
    plain(all, "boolean", v -> v instanceof Boolean);
    plain(all, "true", v -> v.equals(true));
    plain(all, "false", v -> v.equals(false));
    plain(all, "integer", v -> v instanceof Number && Numbers.integer(v) != null);
    plain(all, "float", v -> v instanceof Number && Numbers.integer(v) == null);
    plain(all, "number", v -> Numbers.numeric(v));
    plain(all, "string", v -> Values.text(v) != null);
    plain(all, "mapping", v -> v instanceof Map<?, ?>);
    plain(all, "sequence", v -> sequence(v));
    plain(all, "iterable", v -> v instanceof Loop || Values.iteratorOrNone(v) != null);
    plain(all, "callable", v -> v instanceof Callable || v instanceof Undefined);
    plain(all, "escaped", v -> v instanceof Markup);
    plain(all, "lower", v -> Casing.isLower(Printing.str(v)));
    plain(all, "upper", v -> Casing.isUpper(Printing.str(v)));
    plain(all, "odd", v -> remainder(v, 2L) == 1);
    plain(all, "even", v -> remainder(v, 2L) == 0);
    all.put("divisibleby", (v, a, r) -> remainder(v, other("divisibleby", a)) == 0);
    all.put("sameas", (v, a, r) -> Values.same(v, other("sameas", a)));
    plain(all, "filter", v -> Filters.BY_NAME.containsKey(Printing.str(v)));
    plain(all, "test", v -> Tests.BY_NAME.containsKey(Printing.str(v)));
    compares(all, Comparison.IN, "in");
    compares(all, Comparison.EQUAL, "==", "eq", "equalto");
    compares(all, Comparison.NOT_EQUAL, "!=", "ne");
    compares(all, Comparison.LESS, "<", "lt", "lessthan");
    compares(all, Comparison.LESS_OR_EQUAL, "<=", "le");
    compares(all, Comparison.GREATER, ">", "gt", "greaterthan");
    compares(all, Comparison.GREATER_OR_EQUAL, ">=", "ge");
    return Map.copyOf(all);
  }

  private static void plain(Map<String, Function> all, String name, Predicate<Object> test) {
    all.put(
        name,
        (v, a, r) -> {
          a.bind(name, 0);
          return test.test(v);
        });
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
    return value instanceof List<?>
        || value instanceof Undefined
        || value instanceof Map<?, ?>
        || Values.text(value) != null;
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
