package dev.sojourn.text.template;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;

/** Filters of lists, dicts and whatever else can be walked. */
final class SequenceFilters {

  static final Map<String, Filters.Function> BY_NAME =
      Map.ofEntries(
          Map.entry("length", (v, a, r) -> (long) Values.length(v)),
          Map.entry("count", (v, a, r) -> (long) Values.length(v)),
          Map.entry("first", (v, a, r) -> first(v)),
          Map.entry("last", (v, a, r) -> last(v, r)),
          Map.entry("list", (v, a, r) -> Values.list(v, r)),
          Map.entry("items", (v, a, r) -> items(v)),
          Map.entry("join", SequenceFilters::join),
          Map.entry("reverse", (v, a, r) -> reverse(v, r)),
          Map.entry("sort", SequenceFilters::sort),
          Map.entry("dictsort", SequenceFilters::dictSort),
          Map.entry("unique", SequenceFilters::unique),
          Map.entry("groupby", SequenceFilters::groupBy),
          Map.entry("min", (v, a, r) -> extreme("min", v, a, r)),
          Map.entry("max", (v, a, r) -> extreme("max", v, a, r)),
          Map.entry("sum", SequenceFilters::sum),
          Map.entry("batch", SequenceFilters::batch),
          Map.entry("slice", SequenceFilters::slice));

  private SequenceFilters() {}

  private static Object first(Object value) {
    Iterator<Object> items = Values.iterator(value);
    return items.hasNext() ? items.next() : new Undefined("no first item: the sequence is empty");
  }

  private static Object last(Object value, Rendering rendering) {
    if (value instanceof Generator) {
      throw new TemplateException("'generator' object is not reversible");
    }
    List<Object> items = Values.list(value, rendering);
    return items.isEmpty() ? new Undefined("no last item: the sequence is empty") : items.getLast();
  }

  private static Object items(Object value) {
    return switch (value) {
      case Undefined undefined -> new Generator(List.of());
      case Map<?, ?> map -> new Generator(new DictView(DictView.Kind.dict_items, map));
      default ->
          throw new TemplateException("items takes a mapping, not " + Values.typeName(value));
    };
  }

  private static Object join(Object value, Arguments arguments, Rendering rendering) {
    Arguments.Bound bound = arguments.bind("join", 0, "d", "attribute");
    String separator = Printing.str(bound.or(0, ""));
    UnaryOperator<Object> part = Paths.of(bound.at(1));
    Iterator<Object> items = Values.iterator(value);
    StringBuilder out = new StringBuilder();
    for (boolean first = true; items.hasNext(); first = false) {
      String text = Printing.str(part.apply(items.next()));
      rendering.spend((long) separator.length() + text.length());
      out.append(first ? "" : separator).append(text);
      if (out.length() > Rendering.LARGEST) {
        rendering.spend(out.length());
      }
    }
    return out.toString();
  }

  private static Object reverse(Object value, Rendering rendering) {
    String text = Values.text(value);
    if (text != null) {
      return new StringBuilder(text).reverse().toString();
    }
    List<Object> items = Values.list(value, rendering);
    Collections.reverse(items);
    return value instanceof Generator ? items : new Generator(items);
  }

  private static Object sort(Object value, Arguments arguments, Rendering rendering) {
    Arguments.Bound bound = arguments.bind("sort", 0, "reverse", "case_sensitive", "attribute");
    List<Object> items = Values.list(value, rendering);
    List<UnaryOperator<Object>> paths = Paths.list(bound.at(2), bound.flag(1));
    UnaryOperator<Object> key = item -> new Tuple(paths.stream().map(p -> p.apply(item)).toList());
    sort(items, key, bound.flag(0), rendering);
    return items;
  }

  /** Sorts by a key that is made once of each item; equal items keep their order. */
  private static void sort(
      List<Object> items, UnaryOperator<Object> key, boolean reverse, Rendering rendering) {
    record Keyed(Object key, Object item) {}

    List<Keyed> keyed = new ArrayList<>(items.size());
    items.forEach(item -> keyed.add(new Keyed(key.apply(item), item)));
    Comparator<Keyed> order = Comparator.comparing(Keyed::key, Comparison.order(rendering));
    keyed.sort(reverse ? order.reversed() : order);
    for (int i = 0; i < keyed.size(); i++) {
      items.set(i, keyed.get(i).item());
    }
  }

  private static Object dictSort(Object value, Arguments arguments, Rendering rendering) {
    Arguments.Bound bound = arguments.bind("dictsort", 0, "case_sensitive", "by", "reverse");
    String by = bound.text(1, "key");
    if (!by.equals("key") && !by.equals("value")) {
      throw new TemplateException("dictsort(): by must be \"key\" or \"value\"");
    }
    if (!(value instanceof Map<?, ?> map)) {
      throw new TemplateException("dictsort takes a mapping, not " + Values.typeName(value));
    }
    List<Object> pairs = Values.list(new DictView(DictView.Kind.dict_items, map), rendering);
    UnaryOperator<Object> fold = bound.flag(0) ? UnaryOperator.identity() : Paths::ignoreCase;
    int part = by.equals("key") ? 0 : 1;
    sort(pairs, pair -> fold.apply(((Tuple) pair).get(part)), bound.flag(2), rendering);
    return pairs;
  }

  private static Object unique(Object value, Arguments arguments, Rendering rendering) {
    Arguments.Bound bound = arguments.bind("unique", 0, "case_sensitive", "attribute");
    UnaryOperator<Object> path = Paths.folded(bound.at(1), bound.flag(0));
    Set<Object> seen = new HashSet<>();
    List<Object> items = Values.list(value, rendering);
    items.removeIf(item -> !seen.add(identity(path.apply(item))));
    return new Generator(items);
  }

  /** In a set, true and 1 are the same. */
  private static Object identity(Object value) {
    Number number = value instanceof Boolean ? Numbers.integer(value) : null;
    return number == null ? Values.key(value) : number;
  }

  private static Object groupBy(Object value, Arguments arguments, Rendering rendering) {
    Arguments.Bound bound = arguments.bind("groupby", 1, "attribute", "default", "case_sensitive");
    UnaryOperator<Object> exact = Paths.of(bound.at(0), bound.at(1));
    UnaryOperator<Object> path =
        bound.flag(2) ? exact : item -> Paths.ignoreCase(exact.apply(item));
    List<Object> items = Values.list(value, rendering);
    sort(items, path, false, rendering);
    List<Object> groups = new ArrayList<>();
    for (int from = 0; from < items.size(); ) {
      Object key = path.apply(items.get(from));
      int to = from + 1;
      while (to < items.size() && Comparison.equal(key, path.apply(items.get(to)), rendering)) {
        to++;
      }
      groups.add(new Group(exact.apply(items.get(from)), new ArrayList<>(items.subList(from, to))));
      from = to;
    }
    return groups;
  }

  private static Object extreme(
      String name, Object value, Arguments arguments, Rendering rendering) {
    Arguments.Bound bound = arguments.bind(name, 0, "case_sensitive", "attribute");
    UnaryOperator<Object> path = Paths.folded(bound.at(1), bound.flag(0));
    Comparison better = name.equals("min") ? Comparison.LESS : Comparison.GREATER;
    Object best = null;
    Object bestKey = None.NONE;
    for (Object item : Values.list(value, rendering)) {
      Object key = path.apply(item);
      if (best == null || better.test(key, bestKey, rendering)) {
        best = item;
        bestKey = key;
      }
    }
    return best == null ? new Undefined("no aggregated item: the sequence is empty") : best;
  }

  private static Object sum(Object value, Arguments arguments, Rendering rendering) {
    Arguments.Bound bound = arguments.bind("sum", 0, "attribute", "start");
    UnaryOperator<Object> path = Paths.of(bound.at(0));
    Object sum = bound.or(1, 0L);
    if (Values.text(sum) != null) {
      throw new TemplateException("sum() cannot add strings; use join");
    }
    for (Object item : Values.list(value, rendering)) {
      sum = Operator.ADD.apply(sum, path.apply(item), rendering);
    }
    return sum;
  }

  private static Object batch(Object value, Arguments arguments, Rendering rendering) {
    Arguments.Bound bound = arguments.bind("batch", 1, "linecount", "fill_with");
    int size = bound.integer(0, 0);
    List<Object> items = Values.list(value, rendering);
    List<Object> batches = new ArrayList<>();
    // A size below 1 never fills up: everything is one batch, or one is empty, as in jinja2.
    if (size == 0 && !items.isEmpty()) {
      throw new TemplateException("batch(): linecount must not be zero");
    }
    int step = size < 0 ? Math.max(1, items.size()) : size;
    for (int from = 0; from < items.size(); from += step) {
      List<Object> batch =
          new ArrayList<>(items.subList(from, Math.min(items.size(), from + step)));
      if (bound.has(1) && batch.size() < size) {
        rendering.spendItems(size);
        batch.addAll(Collections.nCopies(size - batch.size(), bound.at(1)));
      }
      batches.add(batch);
      if (items.size() - from <= step) {
        break;
      }
    }
    return new Generator(batches);
  }

  private static Object slice(Object value, Arguments arguments, Rendering rendering) {
    Arguments.Bound bound = arguments.bind("slice", 1, "slices", "fill_with");
    int slices = bound.integer(0, 0);
    List<Object> items = Values.list(value, rendering);
    if (slices == 0) {
      throw new TemplateException("slice(): slices must not be zero");
    }
    rendering.spendItems(Math.max(slices, 0));
    List<Object> columns = new ArrayList<>();
    int from = 0;
    for (int i = 0; i < slices; i++) {
      boolean extra = i < items.size() % slices;
      int to = from + items.size() / slices + (extra ? 1 : 0);
      List<Object> column = new ArrayList<>(items.subList(from, to));
      if (bound.has(1) && !extra) {
        column.add(bound.at(1));
      }
      columns.add(column);
      from = to;
    }
    return new Generator(columns);
  }
}
