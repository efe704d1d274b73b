package dev.sojourn.text.template;

import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/** The comparing operators, with Python's rules of equality, order and membership. */
enum Comparison {
  EQUAL("=="),
  NOT_EQUAL("!="),
  LESS("<"),
  LESS_OR_EQUAL("<="),
  GREATER(">"),
  GREATER_OR_EQUAL(">="),
  IN("in"),
  NOT_IN("not in");

  private final String symbol;

  Comparison(String symbol) {
    this.symbol = symbol;
  }

  /** Applies the operator; what it reads of the operands is paid for. */
  boolean test(Object a, Object b, Rendering rendering) {
    return switch (this) {
      case EQUAL -> equal(a, b, rendering);
      case NOT_EQUAL -> !equal(a, b, rendering);
      case IN -> contains(b, a, rendering);
      case NOT_IN -> !contains(b, a, rendering);
      case LESS, LESS_OR_EQUAL, GREATER, GREATER_OR_EQUAL -> {
        int order = order(a, b, symbol, rendering);
        yield !Numbers.isNan(a)
            && !Numbers.isNan(b)
            && switch (this) {
              case LESS -> order < 0;
              case LESS_OR_EQUAL -> order <= 0;
              case GREATER -> order > 0;
              default -> order >= 0;
            };
      }
    };
  }

  /** Python's {@code a == b}. */
  static boolean equal(Object a, Object b, Rendering rendering) {
    if (a instanceof String x && b instanceof String y) {
      rendering.spend(Math.min(x.length(), y.length()));
      return x.equals(y);
    }
    if (Numbers.numeric(a) && Numbers.numeric(b)) {
      return !Numbers.isNan(a) && !Numbers.isNan(b) && Numbers.compare(a, b) == 0;
    }
    return switch (a) {
      case String x -> x.equals(Values.text(b));
      case Markup x -> x.text().equals(Values.text(b));
      case Range x -> b instanceof Range y && equalLists(x, y, rendering);
      case List<?> x ->
          b instanceof List<?> y
              && a instanceof Tuple == b instanceof Tuple
              && !(b instanceof Range)
              && equalLists(x, y, rendering);
      case Map<?, ?> x -> b instanceof Map<?, ?> y && equalMaps(x, y, rendering);
      case Undefined x -> b instanceof Undefined;
      default -> a.equals(b);
    };
  }

  private static boolean equalLists(List<?> x, List<?> y, Rendering rendering) {
    if (x.size() != y.size()) {
      return false;
    }
    Iterator<?> other = y.iterator();
    for (Object element : x) {
      rendering.spendItems(1);
      if (!equal(Values.of(element), Values.of(other.next()), rendering)) {
        return false;
      }
    }
    return true;
  }

  private static boolean equalMaps(Map<?, ?> x, Map<?, ?> y, Rendering rendering) {
    if (x.size() != y.size()) {
      return false;
    }
    for (Map.Entry<?, ?> entry : x.entrySet()) {
      rendering.spendItems(1);
      Object value = Values.lookUp(y, Values.of(entry.getKey()));
      if (value == null || !equal(Values.of(entry.getValue()), value, rendering)) {
        return false;
      }
    }
    return true;
  }

  /** Python's {@code item in container}. */
  static boolean contains(Object container, Object item, Rendering rendering) {
    String text = Values.text(container);
    if (text != null) {
      String part = Values.text(item);
      if (part == null) {
        throw new TemplateException(
            "'in <string>' requires string as left operand, not " + Values.typeName(item));
      }
      rendering.spend(text.length());
      return text.contains(part);
    }
    if (container instanceof Map<?, ?> map) {
      return Values.lookUp(map, item) != null;
    }
    if (container instanceof DictView view && view.kind() == DictView.Kind.dict_keys) {
      return Values.lookUp(view.map(), item) != null;
    }
    Iterator<Object> items = Values.iteratorOrNone(container);
    if (items == null) {
      throw new TemplateException(
          "argument of type '" + Values.typeName(container) + "' is not iterable");
    }
    while (items.hasNext()) {
      rendering.spendItems(1);
      if (equal(items.next(), item, rendering)) {
        return true;
      }
    }
    return false;
  }

  /** Returns the order that sorting uses. */
  static Comparator<Object> order(Rendering rendering) {
    return (a, b) -> order(a, b, "<", rendering);
  }

  private static int order(Object a, Object b, String symbol, Rendering rendering) {
    if (Numbers.numeric(a) && Numbers.numeric(b)) {
      return Numbers.compare(a, b);
    }
    String x = Values.text(a);
    String y = Values.text(b);
    if (x != null && y != null) {
      rendering.spend(Math.min(x.length(), y.length()));
      return compareText(x, y);
    }
    if (a instanceof List<?> p
        && b instanceof List<?> q
        && a instanceof Tuple == b instanceof Tuple
        && !(a instanceof Range)
        && !(b instanceof Range)) {
      for (int i = 0; i < Math.min(p.size(), q.size()); i++) {
        Object left = Values.of(p.get(i));
        Object right = Values.of(q.get(i));
        rendering.spendItems(1);
        if (!equal(left, right, rendering)) {
          return order(left, right, symbol, rendering);
        }
      }
      return Integer.compare(p.size(), q.size());
    }
    for (Object operand : new Object[] {a, b}) {
      if (operand instanceof Undefined undefined) {
        throw undefined.failure();
      }
    }
    throw new TemplateException(
        "'"
            + symbol
            + "' not supported between instances of '"
            + Values.typeName(a)
            + "' and '"
            + Values.typeName(b)
            + "'");
  }

  /** Compares by code points, which UTF-16 units do not where surrogates are involved. */
  private static int compareText(String x, String y) {
    int end = Math.min(x.length(), y.length());
    for (int i = 0; i < end; i++) {
      char c = x.charAt(i);
      char d = y.charAt(i);
      if (c != d) {
        boolean surrogate = Character.isSurrogate(c);
        return surrogate == Character.isSurrogate(d) ? Character.compare(c, d) : surrogate ? 1 : -1;
      }
    }
    return Integer.compare(x.length(), y.length());
  }
}
