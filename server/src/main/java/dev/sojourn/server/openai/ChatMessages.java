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
      Set.of("system", "developer", "user", "assistant", "tool");

  private static final int MAX_CALLS = 128;

  private ChatMessages() {}

  /**
   * Returns the messages as JSON trees. The role {@code developer} becomes {@code system}, which is
   * what models' templates know it as.
   */
  static List<Map<String, ?>> of(Fields body) {
    List<Fields> messages = body.objects("messages");
    if (!body.has("messages")) {
      throw body.wrong("messages", "is required");
    }
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
          "must be one of system, developer, user, assistant, tool, but is " + Fields.shown(role));
    }
    checkContent(message, role);
    if (!role.equals("assistant") && !message.list("tool_calls").isEmpty()) {
      throw message.wrong(
          "tool_calls", "belongs to a message of the assistant, not of role " + role);
    }
    switch (role) {
      case "assistant" -> checkAnswer(message);
      case "tool" -> checkResult(message);
      default -> {}
    }
    Map<String, @Nullable Object> tree = new LinkedHashMap<>();
    message.values().forEach((name, value) -> tree.put(String.valueOf(name), value));
    if (role.equals("developer")) {
      tree.put("role", "system");
    }
    return tree;
  }

  private static void checkAnswer(Fields message) {
    var _ = message.text("reasoning_content");
    List<Fields> calls = message.objects("tool_calls");
    if (calls.size() > MAX_CALLS) {
      throw message.wrong(
          "tool_calls", "must have at most " + MAX_CALLS + " calls, but has " + calls.size());
    }
    for (Fields call : calls) {
      var _ = call.requiredText("id");
      String type = call.text("type").orElse("function");
      if (!type.equals("function")) {
        throw call.wrong("type", "must be function, but is " + Fields.shown(type));
      }
      Fields function =
          call.object("function").orElseThrow(() -> call.wrong("function", "is required"));
      var _ = function.requiredText("name");
      // What a model writes need not be JSON: it was told, so it is taken back.
      var _ =
          function.text("arguments").orElseThrow(() -> function.wrong("arguments", "is required"));
    }
  }

  /** Whether a call has that id is known only with what the session holds. */
  private static void checkResult(Fields message) {
    var _ = message.requiredText("tool_call_id");
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
