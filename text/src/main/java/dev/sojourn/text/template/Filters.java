package dev.sojourn.text.template;

import java.util.HashMap;
import java.util.Map;

/** The filters by name: jinja2's, with transformers' {@code tojson}. */
final class Filters {

  /** A filter. */
  interface Function {

    /** Filters a value. */
    Object apply(Object value, Arguments arguments, Rendering rendering);
  }

  static final Map<String, Function> BY_NAME = all();

  private Filters() {}

  private static Map<String, Function> all() {
    Map<String, Function> all = new HashMap<>();
    all.putAll(TextFilters.BY_NAME);
    all.putAll(SequenceFilters.BY_NAME);
    all.putAll(SelectionFilters.BY_NAME);
    all.putAll(ValueFilters.BY_NAME);
    return Map.copyOf(all);
  }
}
