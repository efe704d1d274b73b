package dev.sojourn.text.template;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What {@code a.b}, {@code a[b]} and {@code a[b:c]} find. With a dot, methods come before the keys
 * of a dict; in brackets, keys before methods. Methods that change a value exist only as undefined
 * values that say so.
 */
final class Attributes {

  private Attributes() {}

  /** Returns {@code of.name}. */
  static Object attribute(Object of, String name) {
    Object own = own(of, name);
    if (own != null) {
      return own;
    }
    Object value = of instanceof Map<?, ?> map ? Values.lookUp(map, name) : null;
    return value == null ? Undefined.attribute(of, name) : value;
  }

  /** Returns {@code of[key]}. */
  static Object item(Object of, Object key) {
    Object value =
        switch (of) {
          case Map<?, ?> map -> unhashable(key) ? null : Values.lookUp(map, key);
          case List<?> list -> element(list, key);
          case String text -> character(text, key);
          case Markup markup -> character(markup.text(), key);
          default -> null;
        };
    if (value != null) {
      return value;
    }
    if (of instanceof Undefined undefined) {
      throw undefined.failure();
    }
    String name = Values.text(key);
    if (name == null) {
      return Undefined.element(of, key);
    }
    Object own = own(of, name);
    return own == null ? Undefined.attribute(of, name) : own;
  }

  private static boolean unhashable(Object key) {
    return key instanceof Map<?, ?> || (key instanceof List<?> && !(key instanceof Tuple));
  }

  /** Returns what a value has under a name by its type; null if nothing. */
  private static @Nullable Object own(Object of, String name) {
    return switch (of) {
      case Undefined undefined -> throw undefined.failure();
      case NamespaceObject namespace -> namespace.attributes.get(name);
      case Loop loop -> loop.attribute(name);
      case Map<?, ?> map -> dictMethod(map, name);
      case String text -> textMethod(text, name);
      case Markup markup -> textMethod(markup.text(), name);
      case Group group ->
          switch (name) {
            case "grouper" -> group.get(0);
            case "list" -> group.get(1);
            default -> listMethod(group, name);
          };
      case List<?> list -> listMethod(list, name);
      case Macro macro -> name.equals("name") ? macro.name() : null;
      default -> null;
    };
  }

  private static @Nullable Object textMethod(String text, String name) {
    StringMethods.Method method = StringMethods.BY_NAME.get(name);
    return method == null
        ? null
        : (Callable) (arguments, rendering) -> method.call(text, arguments, rendering);
  }

  private static @Nullable Object dictMethod(Map<?, ?> map, String name) {
    return switch (name) {
      case "items" -> view(map, DictView.Kind.dict_items);
      case "keys" -> view(map, DictView.Kind.dict_keys);
      case "values" -> view(map, DictView.Kind.dict_values);
      case "get" ->
          (Callable)
              (arguments, rendering) -> {
                Arguments.Bound bound = arguments.bind("get", 1, "key", "default");
                Object value = Values.lookUp(map, bound.at(0));
                return value == null ? bound.at(1) : value;
              };
      case "copy" ->
          (Callable)
              (arguments, rendering) -> {
                rendering.spendItems(map.size());
                return new LinkedHashMap<>(map);
              };
      case "clear", "pop", "popitem", "setdefault", "update" -> Undefined.unsafe(map, name);
      default -> null;
    };
  }

  private static Callable view(Map<?, ?> map, DictView.Kind kind) {
    return (arguments, rendering) -> {
      arguments.bind(kind.name(), 0);
      return new DictView(kind, map);
    };
  }

  private static @Nullable Object listMethod(List<?> list, String name) {
    return switch (name) {
      case "index" -> (Callable) (arguments, rendering) -> index(list, arguments, rendering);
      case "count" ->
          (Callable)
              (arguments, rendering) -> {
                Object sought = arguments.bind("count", 1, "value").at(0);
                return list.stream()
                    .filter(e -> Comparison.equal(Values.of(e), sought, rendering))
                    .count();
              };
      case "copy" ->
          list instanceof Tuple || list instanceof Range
              ? null
              : (Callable) (arguments, rendering) -> Values.list(list, rendering);
      case "append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove" ->
          list instanceof Tuple || list instanceof Range ? null : Undefined.unsafe(list, name);
      default -> null;
    };
  }

  private static Object index(List<?> list, Arguments arguments, Rendering rendering) {
    Object sought = arguments.bind("index", 1, "value").at(0);
    for (int i = 0; i < list.size(); i++) {
      if (Comparison.equal(Values.of(list.get(i)), sought, rendering)) {
        return (long) i;
      }
    }
    throw new TemplateException(Printing.repr(sought) + " is not in list");
  }

  private static @Nullable Object element(List<?> list, Object key) {
    Number index = Numbers.integer(key);
    if (index == null) {
      return null;
    }
    long at = Numbers.clamp(index);
    at = at < 0 ? at + list.size() : at;
    return at >= 0 && at < list.size() ? Values.of(list.get((int) at)) : null;
  }

  private static @Nullable Object character(String text, Object key) {
    Number index = Numbers.integer(key);
    if (index == null) {
      return null;
    }
    int length = text.codePointCount(0, text.length());
    long at = Numbers.clamp(index);
    at = at < 0 ? at + length : at;
    return at >= 0 && at < length ? substring(text, (int) at, (int) at + 1) : null;
  }

  /** Returns a part of a string, by code points. */
  static String substring(String text, int from, int to) {
    int start = text.offsetByCodePoints(0, from);
    return text.substring(start, text.offsetByCodePoints(start, to - from));
  }

  /** Returns {@code of[start:stop:step]}; what is not given is None. */
  static Object slice(Object of, Object start, Object stop, Object step, Rendering rendering) {
    return switch (of) {
      case String text -> sliceText(text, start, stop, step);
      case Markup markup -> new Markup(sliceText(markup.text(), start, stop, step));
      case Range range -> {
        Steps steps = Steps.of(range.size(), start, stop, step);
        yield new Range(
            range.start + steps.first * range.step,
            range.start + (steps.first + steps.count * steps.step) * range.step,
            range.step * steps.step);
      }
      case List<?> list -> {
        Steps steps = Steps.of(list.size(), start, stop, step);
        rendering.spendItems(steps.count);
        List<Object> part = new ArrayList<>((int) steps.count);
        for (long i = 0; i < steps.count; i++) {
          part.add(Values.of(list.get((int) (steps.first + i * steps.step))));
        }
        yield of instanceof Tuple ? new Tuple(part) : part;
      }
      case Undefined undefined -> throw undefined.failure();
      default ->
          throw new TemplateException("'" + Values.typeName(of) + "' object cannot be sliced");
    };
  }

  private static String sliceText(String text, Object start, Object stop, Object step) {
    int[] points = text.codePoints().toArray();
    Steps steps = Steps.of(points.length, start, stop, step);
    if (steps.step == 1) {
      return new String(points, (int) steps.first, (int) steps.count);
    }
    StringBuilder out = new StringBuilder();
    for (long i = 0; i < steps.count; i++) {
      out.appendCodePoint(points[(int) (steps.first + i * steps.step)]);
    }
    return out.toString();
  }

  /**
   * The elements that a slice takes.
   *
   * @param first index, within the sequence if any are taken
   * @param step from one to the next
   * @param count of them
   */
  private record Steps(long first, long step, long count) {

    static Steps of(int length, Object start, Object stop, Object step) {
      long by = bound(step, 1);
      if (by == 0) {
        throw new TemplateException("slice step cannot be zero");
      }
      long low = by > 0 ? 0 : -1;
      long high = by > 0 ? length : length - 1;
      long from = clip(bound(start, by > 0 ? low : Integer.MAX_VALUE), length, low, high);
      long to = stop == None.NONE ? (by > 0 ? high : low) : clip(bound(stop, 0), length, low, high);
      long span = by > 0 ? to - from : from - to;
      return new Steps(Math.max(from, 0), by, span <= 0 ? 0 : (span - 1) / Math.abs(by) + 1);
    }

    private static long clip(long index, int length, long low, long high) {
      return Math.clamp(index < 0 ? index + length : index, low, high);
    }

    private static long bound(Object value, long otherwise) {
      if (value == None.NONE) {
        return otherwise;
      }
      Number number = Numbers.integer(value);
      if (number == null) {
        throw new TemplateException(
            "slice indices must be integers or None, not " + Values.typeName(value));
      }
      return Numbers.clamp(number);
    }
  }
}
