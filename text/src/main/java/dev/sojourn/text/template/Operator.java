package dev.sojourn.text.template;

import java.util.ArrayList;
import java.util.List;

/** The arithmetic operators, with what Python lets them do to strings and lists. */
enum Operator {
  ADD("+"),
  SUBTRACT("-"),
  MULTIPLY("*"),
  DIVIDE("/"),
  FLOOR_DIVIDE("//"),
  MODULO("%"),
  POWER("**");

  private final String symbol;

  Operator(String symbol) {
    this.symbol = symbol;
  }

  /** Applies the operator. */
  Object apply(Object a, Object b, Rendering rendering) {
    if (Numbers.numeric(a) && Numbers.numeric(b)) {
      return Numbers.calculate(this, a, b);
    }
    return switch (this) {
      case ADD -> add(a, b, rendering);
      case MULTIPLY ->
          Numbers.integer(a) != null ? repeat(b, a, rendering) : repeat(a, b, rendering);
      case MODULO -> {
        String format = Values.text(a);
        yield format == null ? fail(a, b) : new PercentFormat(format, b, rendering).render();
      }
      default -> fail(a, b);
    };
  }

  private Object add(Object a, Object b, Rendering rendering) {
    if (a instanceof String x && b instanceof String y) {
      rendering.spend((long) x.length() + y.length());
      return x.concat(y);
    }
    String x = Values.text(a);
    String y = Values.text(b);
    if (x != null && y != null) {
      rendering.spend(6L * ((long) x.length() + y.length()));
      return new Markup(Markup.escape(a).text() + Markup.escape(b).text());
    }
    if (a instanceof List<?> p && b instanceof List<?> q && sameSequence(p, q)) {
      rendering.spendItems((long) p.size() + q.size());
      List<Object> sum = new ArrayList<>(p.size() + q.size());
      p.forEach(e -> sum.add(Values.of(e)));
      q.forEach(e -> sum.add(Values.of(e)));
      return a instanceof Tuple ? new Tuple(sum) : sum;
    }
    return fail(a, b);
  }

  private static boolean sameSequence(List<?> p, List<?> q) {
    return p instanceof Tuple == q instanceof Tuple
        && !(p instanceof Range)
        && !(q instanceof Range);
  }

  private Object repeat(Object what, Object count, Rendering rendering) {
    Number number = Numbers.integer(count);
    if (number == null || what instanceof Range) {
      return fail(what, count);
    }
    int times = Math.max(0, Numbers.clamp(number));
    return switch (what) {
      case String text -> repeat(text, times, rendering);
      case Markup markup -> new Markup(repeat(markup.text(), times, rendering));
      case List<?> list -> {
        rendering.spendItems((long) list.size() * times);
        List<Object> repeated = new ArrayList<>(list.size() * (list.isEmpty() ? 0 : times));
        for (int i = 0; i < times && !list.isEmpty(); i++) {
          list.forEach(e -> repeated.add(Values.of(e)));
        }
        yield what instanceof Tuple ? new Tuple(repeated) : repeated;
      }
      default -> fail(what, count);
    };
  }

  private static String repeat(String text, int times, Rendering rendering) {
    rendering.spend((long) text.length() * times);
    return text.isEmpty() ? text : text.repeat(times);
  }

  private Object fail(Object a, Object b) {
    for (Object operand : new Object[] {a, b}) {
      if (operand instanceof Undefined undefined) {
        throw undefined.failure();
      }
    }
    throw new TemplateException(
        "unsupported operand type(s) for "
            + symbol
            + ": '"
            + Values.typeName(a)
            + "' and '"
            + Values.typeName(b)
            + "'");
  }
}
