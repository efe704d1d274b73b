package dev.sojourn.server.openai;

import dev.sojourn.server.prompt.ToolChoice;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Reads {@code tools} and {@code tool_choice} of a chat. */
final class ToolFields {

  private static final int MAX_TOOLS = 128; // OpenAI's
  private static final Pattern NAME = Pattern.compile("[A-Za-z0-9_-]{1,64}"); // OpenAI's

  private static final String CHOICES = "none, auto, required or an object that names a function";

  private ToolFields() {}

  /** Returns the definitions, as JSON trees; none where there are no tools. */
  static List<Map<String, ?>> tools(Fields body) {
    List<Fields> tools = body.objects("tools");
    if (tools.size() > MAX_TOOLS) {
      throw body.wrong(
          "tools", "must have at most " + MAX_TOOLS + " tools, but has " + tools.size());
    }
    Set<String> names = new HashSet<>();
    List<Map<String, ?>> definitions = new ArrayList<>(tools.size());
    for (Fields tool : tools) {
      Fields function = function(tool);
      String name = function.requiredText("name");
      if (!NAME.matcher(name).matches()) {
        throw function.wrong(
            "name",
            "must be 1 to 64 of the letters a-z, A-Z, 0-9, _ and -, but is " + Fields.shown(name));
      }
      if (!names.add(name)) {
        throw function.wrong("name", "must differ from tool to tool, but two are " + name);
      }
      var _ = function.text("description");
      var _ = function.object("parameters");
      Map<String, @Nullable Object> definition = new LinkedHashMap<>();
      tool.values().forEach((field, value) -> definition.put(String.valueOf(field), value));
      definitions.add(definition);
    }
    return definitions;
  }

  /** Reads whether they are to be called: {@code none}, {@code auto}, {@code required}, or one. */
  static ToolChoice choice(Fields body) {
    body.either("tool_choice", String.class, Map.class, CHOICES);
    if (!(body.raw("tool_choice") instanceof Map<?, ?>)) {
      String choice = body.text("tool_choice").orElse("auto");
      return switch (choice) {
        case "none" -> new ToolChoice.None();
        case "auto" -> new ToolChoice.Auto();
        case "required" -> new ToolChoice.Required();
        default ->
            throw body.wrong(
                "tool_choice", "must be " + CHOICES + ", but is " + Fields.shown(choice));
      };
    }
    return new ToolChoice.Named(
        function(body.object("tool_choice").orElseThrow()).requiredText("name"));
  }

  private static Fields function(Fields tool) {
    String type = tool.requiredText("type");
    if (!type.equals("function")) {
      throw tool.wrong("type", "must be function, but is " + Fields.shown(type));
    }
    return tool.object("function").orElseThrow(() -> tool.wrong("function", "is required"));
  }
}
