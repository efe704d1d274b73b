package dev.sojourn.server.prompt;

import dev.sojourn.core.Fault;
import dev.sojourn.text.answer.AnswerParser;
import dev.sojourn.text.answer.AnswerStyle;
import dev.sojourn.text.answer.AnswerStyle.Calls;
import java.util.List;
import java.util.Optional;

/**
 * How an answer begins, which decides how it is read.
 *
 * @param style how the model marks thoughts and calls
 * @param calls whether calls are looked for
 * @param thinking whether the template ends within a thought
 * @param call the beginning of a call, where one is required: it is begun for the model, at the end
 *     of its prompt (docs/decisions/0085)
 * @param tool the tool that it calls, if that is known
 */
record Opening(
    AnswerStyle style, boolean calls, boolean thinking, String call, Optional<String> tool) {

  /** All is text. */
  static final Opening PLAIN = new Opening(AnswerStyle.PLAIN, false, false, "", Optional.empty());

  /**
   * Returns how the answer to a chat begins.
   *
   * @param text what the template wrote, to its end
   * @param tools those that the template was given; empty if nobody knows whether there were any
   */
  static Opening of(TemplateStyle template, String text, Optional<List<?>> tools, ChatTerms terms) {
    AnswerStyle style = terms.several() ? template.answers() : template.answers().withOneCall();
    ToolChoice choice = terms.choice();
    boolean thinking = text.stripTrailing().endsWith("<think>");
    boolean required = choice instanceof ToolChoice.Required || choice instanceof ToolChoice.Named;
    if (tools.filter(List::isEmpty).isPresent()) {
      if (required) {
        throw Fault.invalid("tool_choice", "tool_choice asks for a call, but there are no tools")
            .asException();
      }
      return new Opening(style, false, thinking, "", Optional.empty());
    }
    if (tools.isPresent() || required) {
      template.requireTools();
    }
    Optional<String> tool =
        choice instanceof ToolChoice.Named(String name) ? Optional.of(name) : Optional.empty();
    tool.ifPresent(name -> tools.ifPresent(known -> check(name, known)));
    return new Opening(
        style,
        !(choice instanceof ToolChoice.None),
        thinking,
        required ? start(style.calls(), tool) : "",
        tool);
  }

  private static void check(String name, List<?> tools) {
    if (!ChatTerms.names(tools).contains(name)) {
      throw Fault.invalid(
              "tool_choice.function.name",
              "tool_choice.function.name is \"" + name + "\", which is none of the tools")
          .asException();
    }
  }

  private static String start(Calls calls, Optional<String> tool) {
    boolean hermes = calls == Calls.HERMES;
    String start = hermes ? "<tool_call>\n{\"name\": \"" : "{\"name\": \"";
    String key = hermes ? "arguments" : "parameters";
    // Tokens begin with the space behind.
    return tool.map(name -> start + name + "\", \"" + key + "\":").orElse(start);
  }

  /** Returns what the answer begins with: a call, and before it the end of a thought. */
  String begun() {
    return thinking && !call.isEmpty() ? "\n</think>\n\n" + call : call;
  }

  /** Returns a parser for the answer, as the model goes on from what was begun. */
  AnswerParser parser(String answerId) {
    return call.isEmpty()
        ? style.parser(answerId, calls, thinking)
        : style.parserBehind(answerId, call, tool);
  }
}
