package dev.sojourn.server.prompt;

import dev.sojourn.core.Fault;
import dev.sojourn.text.answer.AnswerParser;
import dev.sojourn.text.answer.AnswerStyle;
import dev.sojourn.text.answer.AnswerStyle.Calls;
import dev.sojourn.text.answer.AnswerStyle.Reasoning;
import java.util.List;
import java.util.Map;

/**
 * How an answer begins, which decides how it is read.
 *
 * @param style how the model marks thoughts and calls
 * @param calls whether calls are looked for
 * @param thinking whether the prompt ends within a thought
 * @param begun what the answer begins with, where a call is required: it is begun for the model, at
 *     the end of its prompt (docs/decisions/0085)
 */
record Opening(AnswerStyle style, boolean calls, boolean thinking, String begun) {

  /** All is text. */
  static final Opening PLAIN = new Opening(AnswerStyle.PLAIN, false, false, "");

  /**
   * Returns how the answer to a chat begins.
   *
   * @param text what the template wrote, to its end
   * @param tools those that the template was given
   */
  static Opening of(TemplateStyle template, String text, List<?> tools, ToolChoice choice) {
    AnswerStyle style = template.answers();
    boolean thinking =
        style.reasoning() == Reasoning.THINK && text.stripTrailing().endsWith("<think>");
    if (tools.isEmpty()) {
      if (choice instanceof ToolChoice.Required || choice instanceof ToolChoice.Named) {
        throw Fault.invalid("tool_choice", "tool_choice asks for a call, but there are no tools")
            .asException();
      }
      return new Opening(style, false, thinking, "");
    }
    template.requireTools();
    String call =
        switch (choice) {
          case ToolChoice.None(), ToolChoice.Auto() -> "";
          case ToolChoice.Required() -> start(style.calls());
          case ToolChoice.Named(String name) -> start(style.calls(), checked(name, tools));
        };
    String begun = thinking && !call.isEmpty() ? "\n</think>\n\n" + call : call;
    return new Opening(style, !(choice instanceof ToolChoice.None), thinking, begun);
  }

  private static String checked(String name, List<?> tools) {
    boolean there =
        tools.stream()
            .anyMatch(tool ->
                tool instanceof Map<?, ?> definition
                    && definition.get("function") instanceof Map<?, ?> function
                    && name.equals(function.get("name")));
    if (!there) {
      throw Fault.invalid(
              "tool_choice.function.name",
              "tool_choice.function.name is \"" + name + "\", which is none of the tools")
          .asException();
    }
    return name;
  }

  private static String start(Calls calls) {
    return calls == Calls.HERMES ? "<tool_call>\n{\"name\": \"" : "{\"name\": \"";
  }

  private static String start(Calls calls, String name) {
    String key = calls == Calls.HERMES ? "arguments" : "parameters";
    return start(calls) + name + "\", \"" + key + "\":"; // tokens begin with the space behind
  }

  /** Returns a parser for the answer, as the model goes on from what was begun. */
  AnswerParser parser(String answerId) {
    AnswerParser parser = style.parser(answerId, calls, thinking);
    var _ = parser.append(begun); // ends before a call's arguments, where nothing is certain yet
    return parser;
  }
}
