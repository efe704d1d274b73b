package dev.sojourn.server.prompt;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** About how many bytes of memory JSON trees take. */
public final class JsonSize {

  private static final int OBJECT = 48; // a string without its letters, a number, an entry
  private static final int REFERENCE = 8;

  private JsonSize() {}

  /** Returns about how many bytes a tree takes; what is no JSON counts as one small object. */
  public static long of(@Nullable Object tree) {
    return switch (tree) {
      case String text -> OBJECT + 2L * text.length();
      case List<?> list -> {
        long bytes = OBJECT;
        for (Object item : list) {
          bytes += REFERENCE + of(item);
        }
        yield bytes;
      }
      case Map<?, ?> map -> {
        long bytes = OBJECT;
        for (Map.Entry<?, ?> entry : map.entrySet()) {
          bytes += OBJECT + of(entry.getKey()) + of(entry.getValue());
        }
        yield bytes;
      }
      case null -> 0;
      default -> OBJECT;
    };
  }
}
