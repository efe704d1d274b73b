package dev.sojourn.server.openai;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Checks the messages of a chat, so that what a template gets to see is well-formed. */
final class ChatMessages {

  private static final Set<String> ROLES =
      Set.of("system", "developer", "user", "assistant", "tool", "function");

  private ChatMessages() {}

  /**
   * Returns the messages as JSON trees. The role {@code developer} becomes {@code system}, which is
   * what models' templates know it as.
   */
  static List<Map<String, ?>> of(Fields body) {
    List<Fields> messages = body.objects("messages");
    if (messages.isEmpty()) {
      throw body.wrong("messages", "must hold at least one message");
    }
    List<Map<String, ?>> checked = new ArrayList<>(messages.size());
    for (Fields message : messages) {
      checked.add(check(message));
    }
    return checked;
  }

  private static Map<String, @Nullable Object> check(Fields message) {
    String role = message.requiredText("role");
    if (!ROLES.contains(role)) {
      throw message.wrong(
          "role",
          "must be one of system, developer, user, assistant, tool, function, but is "
              + Fields.shown(role));
    }
    checkContent(message, role);
    Map<String, @Nullable Object> tree = new LinkedHashMap<>();
    message.values().forEach((name, value) -> tree.put(String.valueOf(name), value));
    if (role.equals("developer")) {
      tree.put("role", "system");
    }
    return tree;
  }

  private static void checkContent(Fields message, String role) {
    switch (message.raw("content")) {
      case null -> {
        if (!role.equals("assistant")) {
          throw message.wrong("content", "is required");
        }
      }
      case String _ -> {}
      case List<?> _ -> {
        for (Fields part : message.objects("content")) {
          String type = part.requiredText("type");
          if (!type.equals("text")) {
            throw part.wrong("type", "must be text, but is " + Fields.shown(type));
          }
          if (part.text("text").isEmpty()) {
            throw part.wrong("text", "is required");
          }
        }
      }
      case Object other ->
          throw message.wrong(
              "content", "must be a string or a list of text parts, but is " + Fields.kind(other));
    }
  }
}
