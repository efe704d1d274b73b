package dev.sojourn.server.prompt;

import dev.sojourn.core.History;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a chat's turn says besides its messages.
 *
 * @param options what else the template is given, by name; JSON trees
 * @param tools definitions of tools, as OpenAI writes them; JSON trees
 * @param choice whether they are to be called
 * @param several whether an answer may call more than one
 * @param history how the prompt has the answers that were sampled before
 */
public record ChatTerms(
    Map<String, ?> options,
    List<Map<String, ?>> tools,
    ToolChoice choice,
    boolean several,
    History history) {

  /** Nothing. */
  public static final ChatTerms NONE =
      new ChatTerms(Map.of(), List.of(), new ToolChoice.Auto(), true, History.AS_RENDERED);

  /** The template's variable for tools. */
  static final String TOOLS = "tools";

  /** Returns what the template is given, where the tools are these. */
  private Map<String, ?> variables(Object definitions) {
    Map<String, Object> variables = new LinkedHashMap<>(options);
    variables.put(TOOLS, definitions);
    return variables;
  }

  /** Returns what the template is given besides the messages. */
  Map<String, ?> variables() {
    return tools.isEmpty() ? options : variables(tools);
  }

  /** Returns the tools among what a template is given; none if there are none. */
  static List<?> tools(Map<String, ?> variables) {
    return variables.get(TOOLS) instanceof List<?> tools ? tools : List.of();
  }

  /** Returns the names of tools. */
  static List<String> names(List<?> tools) {
    List<String> names = new ArrayList<>();
    for (Object tool : tools) {
      if (tool instanceof Map<?, ?> definition
          && definition.get("function") instanceof Map<?, ?> function) {
        names.add(String.valueOf(function.get("name")));
      }
    }
    return names;
  }

  /** As {@link #variables}; a delta that has no tools has those of the turn before. */
  Map<String, ?> variablesAfter(Map<String, ?> before) {
    Object earlier = before.get(TOOLS);
    return tools.isEmpty() && earlier != null ? variables(earlier) : variables();
  }
}
