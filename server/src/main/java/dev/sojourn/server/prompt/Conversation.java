package dev.sojourn.server.prompt;

import dev.sojourn.core.Fault;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Messages in one form, however a client wrote them, so that equal messages are equal maps: null
 * and absent fields are the same, as are empty calls and reasoning, text parts are one string
 * (joined by line breaks), and there is always a {@code content}: "" where there is none, null
 * beside tool calls, which is how templates tell them.
 */
final class Conversation {

  private static final String CONTENT = "content";
  private static final String CALLS = "tool_calls";
  private static final String REASONING = "reasoning_content";

  private Conversation() {}

  static List<Map<String, ?>> canonical(List<? extends Map<String, ?>> messages) {
    List<Map<String, ?>> canonical = new ArrayList<>(messages.size());
    messages.forEach(message -> canonical.add(canonical(message)));
    return canonical;
  }

  /** Returns the canonical form of one message: itself, if that is what it is. */
  static Map<String, ?> canonical(Map<String, ?> message) {
    if (message.get(CONTENT) instanceof String
        && !message.containsKey(CALLS)
        && !"".equals(message.get(REASONING))
        && !hasNull(message)) {
      return message;
    }
    Map<String, @Nullable Object> canonical = new TreeMap<>();
    message.forEach((field, value) -> {
      boolean none =
          (field.equals(CALLS) && List.of().equals(value))
              || (field.equals(REASONING) && "".equals(value));
      if (value != null && !none) {
        canonical.put(field, value);
      }
    });
    if (canonical.get(CONTENT) instanceof List<?> parts) {
      canonical.put(CONTENT, joined(parts));
    }
    if ("".equals(canonical.getOrDefault(CONTENT, ""))) {
      canonical.put(CONTENT, canonical.containsKey(CALLS) ? null : "");
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
      if (!same(held.get(i), sent.get(i))) {
        return i;
      }
    }
    return common;
  }

  /** Returns whether one of the messages is the held one, which is in canonical form. */
  static boolean contains(List<? extends Map<String, ?>> sent, Map<String, ?> held) {
    return sent.stream().anyMatch(message -> same(held, message));
  }

  /** Returns whether an answer that says something is the last one among messages. */
  static boolean answersLast(List<? extends Map<String, ?>> sent, Map<String, ?> held) {
    boolean says = held.containsKey(CALLS) || !String.valueOf(held.get(CONTENT)).isBlank();
    return isAnswer(held)
        && says
        && sent.reversed().stream()
            .filter(Conversation::isAnswer)
            .findFirst()
            .filter(last -> same(held, last))
            .isPresent();
  }

  private static boolean same(Map<String, ?> held, Map<String, ?> sent) {
    if (held.equals(sent)) {
      return true;
    }
    Map<String, ?> canonical = canonical(sent);
    return held.equals(canonical)
        || (isAnswer(held) && essence(held, canonical).equals(essence(canonical, canonical)));
  }

  /**
   * Returns what an answer says, however it is written: a client may leave out what the model
   * thought, and write the arguments of a call in its own way.
   *
   * @param sent the message as it came from the client
   */
  private static Map<String, ?> essence(Map<String, ?> message, Map<String, ?> sent) {
    Map<String, @Nullable Object> essence = new TreeMap<>(message);
    if (!sent.containsKey(REASONING)) {
      essence.remove(REASONING);
    }
    if (essence.get(CALLS) instanceof List<?> calls) {
      essence.put(CALLS, calls.stream().map(Conversation::essence).toList());
    }
    return essence;
  }

  private static Object essence(Object call) {
    if (!(call instanceof Map<?, ?> fields
        && fields.get("function") instanceof Map<?, ?> function)) {
      return call;
    }
    String arguments = String.valueOf(function.get("arguments"));
    Object parsed = CallArguments.parse(arguments).map(CallArguments::compared).orElse(arguments);
    return List.of(String.valueOf(fields.get("id")), String.valueOf(function.get("name")), parsed);
  }

  /**
   * Refuses a tool's result that answers no call, or one that has its result. An id may be used
   * again: it names the last call that has it.
   *
   * @param earlier what was said before
   * @param added what is said now
   * @param sentBefore how many messages the client sent before these
   */
  static void checkResults(
      List<Map<String, ?>> earlier, List<Map<String, ?>> added, int sentBefore) {
    Set<Object> called = new HashSet<>();
    Set<Object> answered = new HashSet<>();
    // Results follow soon: what was said last is looked at first, and only as far as is needed.
    Iterator<Map<String, ?>> back = earlier.reversed().iterator();
    for (int i = 0; i < added.size(); i++) {
      Object id = added.get(i).get("tool_call_id");
      while (id != null && !called.contains(id) && back.hasNext()) {
        Map<String, ?> message = back.next();
        Object before = message.get("tool_call_id");
        if (before != null && !called.contains(before)) {
          answered.add(before);
        }
        called.addAll(calls(message));
      }
      if (id != null && !called.contains(id)) {
        String field = "messages[%d].tool_call_id".formatted(sentBefore + i);
        throw Fault.invalid(field, field + " is \"" + id + "\", which no earlier message calls")
            .asException();
      }
      if (id != null && !answered.add(id)) {
        String field = "messages[%d].tool_call_id".formatted(sentBefore + i);
        throw Fault.invalid(field, field + " is \"" + id + "\", a call that has its result already")
            .asException();
      }
      Set<Object> calls = calls(added.get(i));
      called.addAll(calls);
      answered.removeAll(calls);
    }
  }

  /** Returns the ids of a message's calls. */
  private static Set<Object> calls(Map<String, ?> message) {
    Set<Object> ids = new HashSet<>();
    if (message.get(CALLS) instanceof List<?> calls) {
      for (Object call : calls) {
        if (call instanceof Map<?, ?> fields && fields.get("id") instanceof String id) {
          ids.add(id);
        }
      }
    }
    return ids;
  }

  /** Returns whether the message sets the stage rather than being part of what is said. */
  static boolean isSystem(Map<String, ?> message) {
    return "system".equals(message.get("role")) || "developer".equals(message.get("role"));
  }

  /** Returns whether the model said it. */
  static boolean isAnswer(Map<String, ?> message) {
    return "assistant".equals(message.get("role"));
  }

  /** Returns the messages that are part of what is said. */
  static List<Map<String, ?>> said(List<Map<String, ?>> messages) {
    List<Map<String, ?>> said = new ArrayList<>(messages);
    said.removeIf(Conversation::isSystem);
    return said;
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
