package dev.sojourn.server.prompt;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * Messages in one form, however a client wrote them, so that equal messages are equal maps: null
 * and absent fields are the same, text parts are one string (joined by line breaks), and there is
 * always a {@code content}: "" where there is none, null beside tool calls, which is how templates
 * tell them.
 */
final class Conversation {

  private Conversation() {}

  static List<Map<String, ?>> canonical(List<? extends Map<String, ?>> messages) {
    List<Map<String, ?>> canonical = new ArrayList<>(messages.size());
    messages.forEach(message -> canonical.add(canonical(message)));
    return canonical;
  }

  /** Returns the canonical form of one message: itself, if that is what it is. */
  static Map<String, ?> canonical(Map<String, ?> message) {
    if (message.get("content") instanceof String && !hasNull(message)) {
      return message;
    }
    Map<String, Object> canonical = new TreeMap<>();
    message.forEach((field, value) -> {
      if (value != null) {
        canonical.put(field, value);
      }
    });
    if (canonical.get("content") instanceof List<?> parts) {
      canonical.put("content", joined(parts));
    } else if (!canonical.containsKey("content")) {
      canonical.put("content", canonical.containsKey("tool_calls") ? null : "");
    }
    return canonical;
  }

  /**
   * Returns how many messages at the beginning of the two are the same.
   *
   * @param held in canonical form
   * @param sent in any form; most come back as they were sent before, so that form is tried first
   */
  static int equalMessages(List<Map<String, ?>> held, List<? extends Map<String, ?>> sent) {
    int common = Math.min(held.size(), sent.size());
    for (int i = 0; i < common; i++) {
      Map<String, ?> message = held.get(i);
      if (!message.equals(sent.get(i)) && !message.equals(canonical(sent.get(i)))) {
        return i;
      }
    }
    return common;
  }

  /** Returns whether the message sets the stage rather than being part of what is said. */
  static boolean isSystem(Map<String, ?> message) {
    return "system".equals(message.get("role")) || "developer".equals(message.get("role"));
  }

  /** As {@link Map#containsValue}, which immutable maps refuse to answer for null. */
  private static boolean hasNull(Map<String, ?> message) {
    for (Object value : message.values()) {
      if (value == null) {
        return true;
      }
    }
    return false;
  }

  private static String joined(List<?> parts) {
    return parts.stream()
        .map(part -> part instanceof Map<?, ?> fields ? fields.get("text") : part)
        .filter(Objects::nonNull)
        .map(Object::toString)
        .collect(Collectors.joining("\n"));
  }
}
