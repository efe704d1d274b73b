package dev.sojourn.text.template;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The arguments of a call.
 *
 * @param positional in order
 * @param named by keyword, in order
 */
record Arguments(List<Object> positional, Map<String, Object> named) {

  static final Arguments NONE = new Arguments(List.of(), Map.of());

  static Arguments of(Object... positional) {
    return new Arguments(List.of(positional), Map.of());
  }

  /** Returns the positional arguments from one on, with all that are named. */
  Arguments from(int index) {
    return new Arguments(positional.subList(index, positional.size()), named);
  }

  /**
   * Gives the arguments to parameters.
   *
   * @param function for messages
   * @param required how many of the parameters must be given
   * @param parameters in order
   * @throws TemplateException if there are too many, too few or unknown ones
   */
  Bound bind(String function, int required, String... parameters) {
    if (positional.size() > parameters.length) {
      throw new TemplateException(
          function
              + "() takes at most "
              + parameters.length
              + " arguments, got "
              + positional.size());
    }
    @Nullable Object[] values = new Object[parameters.length];
    for (int i = 0; i < positional.size(); i++) {
      values[i] = positional.get(i);
    }
    for (Map.Entry<String, Object> entry : named.entrySet()) {
      int index = List.of(parameters).indexOf(entry.getKey());
      if (index < 0) {
        throw new TemplateException(function + "() has no parameter '" + entry.getKey() + "'");
      }
      if (values[index] != null) {
        throw new TemplateException(function + "() got two values for '" + entry.getKey() + "'");
      }
      values[index] = entry.getValue();
    }
    for (int i = 0; i < required; i++) {
      if (values[i] == null) {
        throw new TemplateException(function + "() needs the argument '" + parameters[i] + "'");
      }
    }
    return new Bound(function, parameters, values);
  }

  /** Arguments that have found their parameters. */
  static final class Bound {

    private final String function;
    private final String[] parameters;
    private final @Nullable Object[] values;

    private Bound(String function, String[] parameters, @Nullable Object[] values) {
      this.function = function;
      this.parameters = parameters;
      this.values = values;
    }

    /** Returns whether an argument was given and is not None. */
    boolean has(int index) {
      return values[index] != null && values[index] != None.NONE;
    }

    /** Returns an argument, or None if it was not given. */
    Object at(int index) {
      return or(index, None.NONE);
    }

    Object or(int index, Object otherwise) {
      Object value = values[index];
      return value == null ? otherwise : value;
    }

    boolean flag(int index) {
      Object value = values[index];
      return value != null && Values.truth(value);
    }

    /** Returns an argument that must be a string. */
    String text(int index) {
      String text = Values.text(at(index));
      if (text == null) {
        throw wrong(index, "str");
      }
      return text;
    }

    String text(int index, String otherwise) {
      return has(index) ? text(index) : otherwise;
    }

    /**
     * Returns an argument that must be an integer; one beyond the bounds of an int becomes the
     * bound.
     */
    int integer(int index, int otherwise) {
      if (values[index] == null) {
        return otherwise;
      }
      Number number = Numbers.integer(at(index));
      if (number == null) {
        throw wrong(index, "int");
      }
      return Numbers.clamp(number);
    }

    private TemplateException wrong(int index, String type) {
      return new TemplateException(
          function
              + "(): "
              + parameters[index]
              + " must be "
              + type
              + ", not "
              + Values.typeName(at(index)));
    }
  }
}
