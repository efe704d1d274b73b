package dev.sojourn.server.prompt;

import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The {@link Locality} of a template for each set of options that it is given, tried when a set is
 * first used, which takes milliseconds; bounded, in number and size, the least recently used go
 * first. Of tools, only whether there are any counts. Thread-safe.
 */
final class Localities {

  private static final int MAX_SETS = 64;
  private static final int MAX_OPTIONS = 16;
  private static final int MAX_TEXT = 256;

  private final ChatRenderer renderer;
  private final Locality plain;
  private final Locality unknown;

  /** Least recently used first. Guarded by itself. */
  private final Map<Map<String, ?>, Locality> known = new LinkedHashMap<>(16, 0.75f, true);

  /** Tries the template without options. */
  Localities(ChatRenderer renderer) {
    this.renderer = renderer;
    plain = Locality.of(renderer, Map.of());
    unknown = Locality.unknown(renderer);
  }

  /**
   * Returns what holds for a set of options. One that would take long to try, because it is large,
   * is not tried: nothing holds for it.
   */
  Locality of(Map<String, ?> variables) {
    if (variables.isEmpty()) {
      return plain;
    }
    Map<String, Object> set = new HashMap<>(variables);
    boolean tools = set.containsKey(ChatTerms.TOOLS);
    if (tools) {
      set.put(ChatTerms.TOOLS, TemplateStyle.TOOLS);
    }
    if (set.size() > MAX_OPTIONS || !variables.entrySet().stream().allMatch(Localities::isSmall)) {
      return unknown;
    }
    synchronized (known) {
      @Nullable Locality before = known.get(set);
      if (before != null) {
        return before;
      }
    }
    Locality found = Locality.of(renderer, set);
    synchronized (known) {
      known.put(set, found);
      if (known.size() > MAX_SETS) {
        known.remove(known.keySet().iterator().next());
      }
    }
    return found;
  }

  private static boolean isSmall(Map.Entry<String, ?> option) {
    return option.getKey().equals(ChatTerms.TOOLS)
        || (option.getKey().length() <= MAX_TEXT
            && switch (option.getValue()) {
              case String text -> text.length() <= MAX_TEXT;
              case Number _, Boolean _ -> true;
              case null -> true;
              default -> false;
            });
  }
}
