package dev.sojourn.text.template;

import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * The {@code attribute} of filters: what to look at in each item, such as {@code "function.name"};
 * numbers in it are indices. None is the item itself.
 */
final class Paths {

  private Paths() {}

  static UnaryOperator<Object> of(Object attribute) {
    return of(attribute, None.NONE);
  }

  /** Returns a path that puts a default where it finds nothing; None is no default. */
  static UnaryOperator<Object> of(Object attribute, Object otherwise) {
    List<Object> parts = parts(attribute);
    return item -> {
      Object value = item;
      for (Object part : parts) {
        value = Attributes.item(value, part);
        if (value instanceof Undefined && otherwise != None.NONE) {
          value = otherwise;
        }
      }
      return value;
    };
  }

  /** Returns a path whose strings ignore case unless that matters. */
  static UnaryOperator<Object> folded(Object attribute, boolean caseSensitive) {
    UnaryOperator<Object> path = of(attribute);
    return caseSensitive ? path : item -> ignoreCase(path.apply(item));
  }

  /** Returns several paths, which commas separate. */
  static List<UnaryOperator<Object>> list(Object attribute, boolean caseSensitive) {
    if (!(attribute instanceof String text)) {
      return List.of(folded(attribute, caseSensitive));
    }
    List<UnaryOperator<Object>> paths = new ArrayList<>();
    for (String one : text.split(",", -1)) {
      paths.add(folded(one, caseSensitive));
    }
    return paths;
  }

  static Object ignoreCase(Object value) {
    String text = Values.text(value);
    return text == null ? value : Casing.lower(text);
  }

  private static List<Object> parts(Object attribute) {
    if (attribute == None.NONE) {
      return List.of();
    }
    String text = Values.text(attribute);
    if (text == null) {
      return List.of(attribute);
    }
    List<Object> parts = new ArrayList<>();
    for (String part : text.split("\\.", -1)) {
      boolean index =
          !part.isEmpty() && part.length() < 10 && part.chars().allMatch(c -> c >= '0' && c <= '9');
      parts.add(index ? (Object) Long.valueOf(part) : part);
    }
    return parts;
  }
}
