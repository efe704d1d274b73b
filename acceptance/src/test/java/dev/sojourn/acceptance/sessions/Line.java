package dev.sojourn.acceptance.sessions;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * An operation as one line of a script: the name of its record and its components, such as {@code
 * Steps 0 3}. Components are numbers, truth values and enum constants.
 */
final class Line {

  private Line() {}

  /** Writes an operation down. */
  static String of(Object op) {
    return op.getClass().getSimpleName()
        + Stream.of(op.getClass().getRecordComponents())
            .map(component -> " " + value(op, component))
            .collect(Collectors.joining());
  }

  private static Object value(Object op, RecordComponent component) {
    try {
      return component.getAccessor().invoke(op);
    } catch (IllegalAccessException | InvocationTargetException e) {
      throw new IllegalStateException(e);
    }
  }

  /**
   * Reads what {@link #of} wrote.
   *
   * @param ops the sealed interface of the operations that there are
   */
  static <O> O read(Class<O> ops, String line) {
    List<String> words = List.of(line.strip().split(" "));
    Class<?> kind =
        Stream.of(ops.getPermittedSubclasses())
            .filter(type -> type.getSimpleName().equals(words.getFirst()))
            .findFirst()
            .orElseThrow(() -> new IllegalArgumentException("no operation: " + line));
    RecordComponent[] components = kind.getRecordComponents();
    Class<?>[] types = new Class<?>[components.length];
    List<Object> values = new ArrayList<>();
    for (int i = 0; i < components.length; i++) {
      types[i] = components[i].getType();
      values.add(value(types[i], words.get(i + 1)));
    }
    try {
      return ops.cast(kind.getDeclaredConstructor(types).newInstance(values.toArray()));
    } catch (ReflectiveOperationException e) {
      throw new IllegalArgumentException("no operation: " + line, e);
    }
  }

  private static Object value(Class<?> type, String word) {
    if (type == int.class) {
      return Integer.valueOf(word);
    }
    if (type == boolean.class) {
      return Boolean.valueOf(word);
    }
    return Stream.of(type.getEnumConstants())
        .filter(constant -> constant.toString().equals(word))
        .findFirst()
        .orElseThrow(() -> new IllegalArgumentException("not one of " + type + ": " + word));
  }
}
