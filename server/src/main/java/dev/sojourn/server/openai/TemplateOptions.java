package dev.sojourn.server.openai;

import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * Reads what a chat gives its model's template besides messages and tools: {@code
 * chat_template_kwargs}, and {@code reasoning_effort}, which is a variable of that name unless they
 * say it themselves, as in vLLM and SGLang.
 */
final class TemplateOptions {

  private static final String EFFORT = "reasoning_effort";

  /** Variables of templates that other fields decide. */
  private static final Set<String> NOT_OPTIONS =
      Set.of("messages", "tools", "add_generation_prompt");

  private enum Effort {
    NONE,
    MINIMAL,
    LOW,
    MEDIUM,
    HIGH,
    XHIGH,
    MAX
  }

  private TemplateOptions() {}

  /** Returns the options by their names; values are JSON trees. */
  static Map<String, Object> of(Fields body) {
    Map<String, Object> options = new LinkedHashMap<>();
    body.choice(EFFORT, Effort.class, EnumSet.allOf(Effort.class))
        .ifPresent(effort -> options.put(EFFORT, Metadata.lower(effort)));
    body.object("chat_template_kwargs")
        .ifPresent(given ->
            given
                .values()
                .forEach((key, value) -> {
                  String name = String.valueOf(key);
                  if (NOT_OPTIONS.contains(name)) {
                    throw given.wrong(name, "is not an option; the request says it elsewhere");
                  }
                  options.put(name, value);
                }));
    return options;
  }
}
