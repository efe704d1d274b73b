package dev.sojourn.text.template;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.ObjectMapper;

/** The files that {@code scripts/goldens/template_goldens.py} made. */
record Goldens(Map<String, Object> content) {

  static Goldens constructs() {
    return read("construct_goldens.json");
  }

  static Goldens models() {
    return read("model_goldens.json");
  }

  private static Goldens read(String name) {
    try (InputStream file = Goldens.class.getResourceAsStream(name)) {
      return new Goldens(
          map(new ObjectMapper().readValue(Objects.requireNonNull(file, name), Map.class)));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  Stream<Map<String, Object>> cases() {
    return ((List<?>) Objects.requireNonNull(content.get("cases"))).stream().map(Goldens::map);
  }

  /** Returns one of the maps beside the cases. */
  Map<String, Object> part(String name) {
    return map(content.get(name));
  }

  @SuppressWarnings("unchecked") // JSON objects have strings for keys
  static Map<String, Object> map(@Nullable Object value) {
    return (Map<String, Object>) Objects.requireNonNull(value);
  }

  static String text(Map<String, Object> object, String key) {
    return (String) Objects.requireNonNull(object.get(key), key);
  }
}
