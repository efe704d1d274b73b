package dev.sojourn.text.template;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The functions that every template can call: jinja2's {@code range}, {@code dict} and {@code
 * namespace}, and transformers' {@code raise_exception} and {@code strftime_now}.
 */
final class Globals {

  static final Map<String, Callable> BY_NAME =
      Map.of(
          "range", (arguments, rendering) -> range(arguments),
          "dict", (arguments, rendering) -> dict("dict", arguments, rendering),
          "namespace",
              (arguments, rendering) ->
                  new NamespaceObject(dict("namespace", arguments, rendering)),
          "raise_exception",
              (arguments, rendering) -> {
                throw TemplateException.refusal(
                    Printing.str(arguments.bind("raise_exception", 1, "message").at(0)));
              },
          "strftime_now",
              (arguments, rendering) ->
                  new Strftime(rendering.now)
                      .format(arguments.bind("strftime_now", 1, "format").text(0)));

  private Globals() {}

  private static Object range(Arguments arguments) {
    Arguments.Bound bound = arguments.bind("range", 1, "start", "stop", "step");
    for (int i = 0; i < arguments.positional().size(); i++) {
      bound.integer(i, 0);
    }
    return arguments.positional().size() < 2
        ? new Range(0, bound.integer(0, 0), 1)
        : new Range(bound.integer(0, 0), bound.integer(1, 0), bound.integer(2, 1));
  }

  private static Map<Object, Object> dict(
      String function, Arguments arguments, Rendering rendering) {
    Map<Object, Object> map = new LinkedHashMap<>();
    if (arguments.positional().size() > 1) {
      throw new TemplateException(function + "() takes one positional argument at most");
    }
    for (Object source : arguments.positional()) {
      if (source instanceof Map<?, ?> entries) {
        rendering.spendItems(entries.size());
        entries.forEach((key, value) -> map.put(Values.of(key), Values.of(value)));
        continue;
      }
      for (Object pair : Values.list(source, rendering)) {
        List<Object> two = Values.list(pair, rendering);
        if (two.size() != 2) {
          throw new TemplateException(function + "() takes pairs, not " + two.size() + " values");
        }
        Values.put(map, two.get(0), two.get(1));
      }
    }
    map.putAll(arguments.named());
    return map;
  }
}
