package dev.sojourn.text.template;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;

/** Filters that apply a filter or a test to each item. What they return can be walked once. */
final class SelectionFilters {

  static final Map<String, Filters.Function> BY_NAME =
      Map.of(
          "map", SelectionFilters::map,
          "select", (v, a, r) -> select("select", v, a, r, false, true),
          "reject", (v, a, r) -> select("reject", v, a, r, false, false),
          "selectattr", (v, a, r) -> select("selectattr", v, a, r, true, true),
          "rejectattr", (v, a, r) -> select("rejectattr", v, a, r, true, false));

  private SelectionFilters() {}

  private static Object map(Object value, Arguments arguments, Rendering rendering) {
    List<Object> mapped = new ArrayList<>();
    if (Values.truth(value)) {
      UnaryOperator<Object> mapping = mapping(arguments, rendering);
      for (Object item : Values.list(value, rendering)) {
        rendering.step();
        mapped.add(mapping.apply(item));
      }
    }
    return new Generator(mapped);
  }

  private static UnaryOperator<Object> mapping(Arguments arguments, Rendering rendering) {
    if (arguments.positional().isEmpty()) {
      Arguments.Bound bound = arguments.bind("map", 0, "attribute", "default");
      if (bound.or(0, new Undefined("none")) instanceof Undefined) {
        throw new TemplateException("map needs a filter or an attribute");
      }
      return Paths.of(bound.at(0), bound.at(1));
    }
    String name = Printing.str(arguments.positional().getFirst());
    Filters.Function filter = Filters.BY_NAME.get(name);
    if (filter == null) {
      throw new TemplateException("no filter named '" + name + "'");
    }
    Arguments rest = arguments.from(1);
    return item -> rendering.spent(filter.apply(item, rest, rendering));
  }

  private static Object select(
      String filter,
      Object value,
      Arguments arguments,
      Rendering rendering,
      boolean byAttribute,
      boolean wanted) {
    List<Object> selected = new ArrayList<>();
    if (Values.truth(value)) {
      if (byAttribute && arguments.positional().isEmpty()) {
        throw new TemplateException(filter + " needs the name of an attribute");
      }
      UnaryOperator<Object> part =
          byAttribute ? Paths.of(arguments.positional().getFirst()) : UnaryOperator.identity();
      Predicate<Object> test = test(byAttribute ? arguments.from(1) : arguments, rendering);
      for (Object item : Values.list(value, rendering)) {
        rendering.step();
        if (test.test(part.apply(item)) == wanted) {
          selected.add(item);
        }
      }
    }
    return new Generator(selected);
  }

  private static Predicate<Object> test(Arguments arguments, Rendering rendering) {
    if (arguments.positional().isEmpty()) {
      return Values::truth;
    }
    String name = Printing.str(arguments.positional().getFirst());
    Tests.Function test = Tests.BY_NAME.get(name);
    if (test == null) {
      throw new TemplateException("no test named '" + name + "'");
    }
    Arguments rest = arguments.from(1);
    return item -> test.test(item, rest, rendering);
  }
}
