package dev.sojourn.text.template;

import java.util.Iterator;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What {@code keys()}, {@code values()} and {@code items()} of a dict return: a view that has a
 * length and can be walked again, but has no elements by number.
 */
record DictView(Kind kind, Map<?, ?> map) implements Iterable<Object> {

  /** Which part of the entries is shown; the constant's name is what Python prints. */
  enum Kind {
    dict_keys,
    dict_values,
    dict_items
  }

  @Override
  public Iterator<Object> iterator() {
    Iterator<? extends Map.Entry<?, ?>> entries = map.entrySet().iterator();
    return new Iterator<>() {
      @Override
      public boolean hasNext() {
        return entries.hasNext();
      }

      @Override
      public Object next() {
        Map.Entry<?, ?> entry = entries.next();
        return switch (kind) {
          case dict_keys -> Values.of(entry.getKey());
          case dict_values -> Values.of(entry.getValue());
          case dict_items -> pair(entry.getKey(), entry.getValue());
        };
      }
    };
  }

  private static Tuple pair(@Nullable Object key, @Nullable Object value) {
    return Tuple.of(Values.of(key), Values.of(value));
  }
}
