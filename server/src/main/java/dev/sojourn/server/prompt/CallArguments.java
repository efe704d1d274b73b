package dev.sojourn.server.prompt;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.json.JsonMapper;

/**
 * The arguments of calls, which clients and models write as the text of a JSON object, or as no
 * text where there are none.
 */
final class CallArguments {

  private static final int MAX_DEPTH = 64;

  private static final JsonMapper JSON =
      JsonMapper.builder(
              JsonFactory.builder()
                  .streamReadConstraints(
                      StreamReadConstraints.builder()
                          .maxNestingDepth(MAX_DEPTH)
                          .maxStringLength(32 << 20)
                          .maxNumberLength(100)
                          .build())
                  .build())
          .build();

  private CallArguments() {}

  /**
   * Returns a JSON tree in a form in which equal numbers are equal, however they are written: some
   * clients write {@code 20.0} as {@code 20}.
   */
  static Object compared(Object tree) {
    return switch (tree) {
      case Map<?, ?> map -> {
        Map<Object, @Nullable Object> copy = HashMap.newHashMap(map.size());
        map.forEach((key, value) -> copy.put(key, value == null ? null : compared(value)));
        yield copy;
      }
      case List<?> list -> {
        List<@Nullable Object> copy = new ArrayList<>(list.size());
        list.forEach(item -> copy.add(item == null ? null : compared(item)));
        yield copy;
      }
      case Double large when large.isInfinite() -> large;
      case Number number -> new BigDecimal(number.toString()).stripTrailingZeros();
      default -> tree;
    };
  }

  /** Returns the object, its keys in the order of the text; nothing if the text is none. */
  static Optional<Map<?, ?>> parse(String text) {
    if (text.isBlank()) {
      return Optional.of(Map.of());
    }
    try {
      return JSON.readValue(text, Object.class) instanceof Map<?, ?> object
          ? Optional.of(object)
          : Optional.empty();
    } catch (JacksonException e) {
      return Optional.empty();
    }
  }
}
