package dev.sojourn.text.template;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What templates compute with. A value is a JSON tree as the caller made it ({@link Map}, {@link
 * List}, {@link String}, {@link Number}, {@link Boolean}) or one of this package's own: {@link
 * None} for null, {@link Undefined}, {@link Tuple}, {@link Range}, {@link DictView}, {@link
 * Generator}, {@link Markup}, {@link NamespaceObject}, {@link Callable}. Nothing else gets in, and
 * no method of a value is ever found by reflection, so a template reaches nothing that is not
 * listed here.
 */
final class Values {

  private Values() {}

  /** Returns an element of a JSON tree as a value: null is None. */
  static Object of(@Nullable Object element) {
    return element == null ? None.NONE : element;
  }

  /** Returns the characters of a string or markup; null for other values. */
  static @Nullable String text(Object value) {
    return switch (value) {
      case String text -> text;
      case Markup markup -> markup.text();
      default -> null;
    };
  }

  /** Python's {@code bool(value)}. */
  static boolean truth(Object value) {
    return switch (value) {
      case Boolean b -> b;
      case String text -> !text.isEmpty();
      case Undefined u -> false;
      case None none -> false;
      case Map<?, ?> map -> !map.isEmpty();
      case List<?> list -> !list.isEmpty();
      case Number number -> Numbers.truth(number);
      case Markup markup -> !markup.text().isEmpty();
      case DictView view -> !view.map().isEmpty();
      default -> true;
    };
  }

  /** The name of a value's type, as Python's messages have it. */
  static String typeName(Object value) {
    return switch (value) {
      case String s -> "str";
      case Boolean b -> "bool";
      case None none -> "None";
      case Undefined u -> "Undefined";
      case Map<?, ?> map -> "dict";
      case Tuple t -> "tuple";
      case Range r -> "range";
      case List<?> list -> "list";
      case Number number -> Numbers.integer(number) == null ? "float" : "int";
      case Markup markup -> "Markup";
      case DictView view -> view.kind().name();
      case Generator generator -> "generator";
      case NamespaceObject namespace -> "Namespace";
      default -> "function";
    };
  }

  /** Python's {@code len(value)}; -1 if it has none. */
  static int lengthOrNone(Object value) {
    return switch (value) {
      case String text -> text.codePointCount(0, text.length());
      case Markup markup -> lengthOrNone(markup.text());
      case Map<?, ?> map -> map.size();
      case List<?> list -> list.size();
      case DictView view -> view.map().size();
      case Undefined u -> 0;
      case Loop loop -> loop.length();
      default -> -1;
    };
  }

  static int length(Object value) {
    int length = lengthOrNone(value);
    if (length < 0) {
      throw new TemplateException("object of type '" + typeName(value) + "' has no len()");
    }
    return length;
  }

  /** Python's {@code iter(value)}; null if the value cannot be iterated over. */
  static @Nullable Iterator<Object> iteratorOrNone(Object value) {
    return switch (value) {
      case List<?> list -> elements(list.iterator());
      case Map<?, ?> map -> elements(map.keySet().iterator());
      case String text -> characters(text);
      case Markup markup -> characters(markup.text());
      case Undefined u -> List.of().iterator();
      case DictView view -> view.iterator();
      case Generator generator -> generator.iterator();
      default -> null;
    };
  }

  static Iterator<Object> iterator(Object value) {
    Iterator<Object> iterator = iteratorOrNone(value);
    if (iterator == null) {
      throw new TemplateException("'" + typeName(value) + "' object is not iterable");
    }
    return iterator;
  }

  /** Python's {@code list(value)}. */
  static List<Object> list(Object value, Rendering rendering) {
    List<Object> items = new ArrayList<>();
    iterator(value).forEachRemaining(items::add);
    rendering.spendItems(items.size());
    return items;
  }

  private static Iterator<Object> elements(Iterator<?> elements) {
    return new Iterator<>() {
      @Override
      public boolean hasNext() {
        return elements.hasNext();
      }

      @Override
      public Object next() {
        return of(elements.next());
      }
    };
  }

  /** Python's strings consist of code points. */
  private static Iterator<Object> characters(String text) {
    return new Iterator<>() {
      private int at;

      @Override
      public boolean hasNext() {
        return at < text.length();
      }

      @Override
      public Object next() {
        int from = at;
        at = text.offsetByCodePoints(from, 1);
        return text.substring(from, at);
      }
    };
  }

  /**
   * Returns what stands for a value as the key of a dict, so that equal numbers are one key.
   *
   * @throws TemplateException if the value cannot be a key
   */
  static Object key(Object value) {
    return switch (value) {
      case String text -> text;
      case Markup markup -> markup.text();
      case Boolean b -> b;
      case Number number -> {
        Number integer = Numbers.integer(number);
        if (integer == null && number.doubleValue() == Math.rint(number.doubleValue())) {
          integer = Numbers.truncate(number.doubleValue());
        }
        yield integer == null ? number.doubleValue() : integer;
      }
      case Tuple tuple -> new Tuple(tuple.stream().map(Values::key).toList());
      case List<?> list -> throw unhashable(value);
      case Map<?, ?> map -> throw unhashable(value);
      default -> value;
    };
  }

  private static TemplateException unhashable(Object value) {
    return new TemplateException("unhashable type: '" + typeName(value) + "'");
  }

  /** Returns the value of a key of a dict; null if it has no such key. */
  static @Nullable Object lookUp(Map<?, ?> map, Object key) {
    Object plain = key(key);
    Object value = map.get(plain);
    if (value != null) {
      return value;
    }
    Object spelled = plain instanceof String ? plain : spelled(map, plain);
    return map.containsKey(spelled) ? of(map.get(spelled)) : null;
  }

  /** Sets the value of a key of a dict of ours. */
  static void put(Map<Object, Object> map, Object key, Object value) {
    Object plain = key(key);
    Object spelled = spelled(map, plain);
    map.put(spelled == null ? plain : spelled, value);
  }

  /**
   * Returns a key as a dict spells it: a caller's tree may have small integers as Integer and None
   * as null, and to Python true and 1 are one key.
   */
  private static @Nullable Object spelled(Map<?, ?> map, Object plain) {
    if (map.containsKey(plain)) {
      return plain;
    }
    return switch (plain) {
      case None none -> null;
      case Boolean b -> map.containsKey(b ? 1L : 0L) ? (Object) (b ? 1L : 0L) : plain;
      case Long number -> {
        Object small = number.intValue();
        boolean truth = number == 1 || number == 0;
        yield number == number.intValue() && map.containsKey(small)
            ? small
            : truth && map.containsKey(number == 1) ? (Object) (number == 1) : number;
      }
      default -> plain;
    };
  }

  /** Returns whether two values are one object, as far as a template can tell. */
  @SuppressWarnings("ReferenceEquality") // Python's "is" asks for identity
  static boolean same(Object a, Object b) {
    if (a == b) {
      return true;
    }
    return switch (a) {
      case Boolean x -> x.equals(b);
      case String x -> x.equals(b);
      case Long x ->
          b instanceof Number y && !(y instanceof BigInteger) && x.equals(Numbers.integer(y));
      default -> false;
    };
  }
}
