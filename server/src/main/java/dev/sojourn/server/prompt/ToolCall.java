package dev.sojourn.server.prompt;

import java.util.Map;

/**
 * A model's call of a tool.
 *
 * @param id names it to the client, who sends it back with the result
 * @param name the tool's
 * @param arguments a JSON object, as the model wrote it; cut short where the answer was
 */
public record ToolCall(String id, String name, String arguments) {

  /** Returns the call as it stands in a message. */
  public Map<String, ?> field() {
    return Map.of(
        "id", id, "type", "function", "function", Map.of("name", name, "arguments", arguments));
  }
}
