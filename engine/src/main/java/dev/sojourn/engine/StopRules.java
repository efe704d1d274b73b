package dev.sojourn.engine;

import java.util.List;
import java.util.Set;

/**
 * What ends a generation before its token limit.
 *
 * @param strings ends it, and is cut from what the client sees
 * @param tokens end-of-turn ids: end it and show nothing, and belong to the committed context
 */
public record StopRules(List<String> strings, Set<Integer> tokens) {

  /** Only the token limit. */
  public static final StopRules NONE = new StopRules(List.of(), Set.of());

  public StopRules {
    strings = List.copyOf(strings);
    tokens = Set.copyOf(tokens);
    if (strings.contains("")) {
      throw new IllegalArgumentException("a stop string is not empty");
    }
  }
}
