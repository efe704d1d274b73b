package dev.sojourn.server.prompt;

import java.util.Map;
import java.util.Optional;
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
