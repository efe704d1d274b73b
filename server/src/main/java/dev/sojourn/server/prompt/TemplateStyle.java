package dev.sojourn.server.prompt;

import dev.sojourn.core.Fault;
import dev.sojourn.core.FaultException;
import dev.sojourn.text.answer.AnswerStyle;
import dev.sojourn.text.answer.AnswerStyle.Calls;
import dev.sojourn.text.answer.AnswerStyle.Reasoning;
import dev.sojourn.text.answer.ParserChoice;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.regex.Pattern;

/**
 * What a template does with tools, calls and thoughts, found out by rendering some.
 *
 * @param answers how the model, which knows what its template writes, marks thoughts and calls
 * @param takesTools whether it tells the model what tools there are
 * @param writesReasoning whether it reads {@code reasoning_content} of earlier answers
 */
record TemplateStyle(AnswerStyle answers, boolean takesTools, boolean writesReasoning) {

  private static final Pattern HERMES_CALL =
      Pattern.compile("<tool_call>\\s*\\{\"name\": \"probe_call\"");
  private static final Pattern LLAMA3_CALL =
      Pattern.compile("\\{\"name\": \"probe_call\", \"parameters\": ");

  private static final Map<String, ?> USER = Map.of("role", "user", "content", "hello");
  private static final ToolCall CALL = call("call_probe0001");
  private static final ToolCall OTHER_CALL = call("call_probe0002");
  private static final Map<String, ?> THINKING =
      new Answer("probe_words", "probe_thought", List.of()).message();
  private static final Map<String, ?> MARKED =
      new Answer("<think>\nprobe_thought\n</think>\n\nprobe_words", "", List.of()).message();

  /** A tool to try templates with. */
  static final List<Map<String, ?>> TOOLS =
      List.of(
          Map.of(
              "type",
              "function",
              "function",
              Map.of(
                  "name",
                  "probe_tool",
                  "description",
                  "Probes.",
                  "parameters",
                  Map.of(
                      "type",
                      "object",
                      "properties",
                      Map.of("a", Map.of("type", "integer", "description", "A number."))))));

  /** Tries a template; what the server's owner chose, counts. */
  static TemplateStyle of(ChatRenderer renderer, ParserChoice choice) {
    String calling = render(renderer, calling(List.of(CALL)), Map.of());
    boolean refusesSeveral =
        !calling.isEmpty()
            && render(renderer, calling(List.of(CALL, OTHER_CALL)), Map.of()).isEmpty();
    Calls calls =
        HERMES_CALL.matcher(calling).find()
            ? Calls.HERMES
            : LLAMA3_CALL.matcher(calling).find() ? Calls.LLAMA3_JSON : Calls.NONE;
    String thinking = render(renderer, List.of(USER, THINKING), Map.of());
    String earlier = render(renderer, List.of(USER, MARKED, USER), Map.of());
    boolean writes = thinking.contains("probe_thought");
    boolean strips = earlier.contains("probe_words") && !earlier.contains("probe_thought");
    boolean thinks =
        (writes && thinking.contains("<think>"))
            || strips
            || render(renderer, List.of(USER), Map.of()).stripTrailing().endsWith("<think>");
    return new TemplateStyle(
        new AnswerStyle(
            choice.reasoning().orElse(thinks ? Reasoning.THINK : Reasoning.NONE),
            choice.calls().orElse(calls),
            !refusesSeveral),
        render(renderer, List.of(USER), Map.of(ChatTerms.TOOLS, TOOLS)).contains("probe_tool"),
        writes);
  }

  private static ToolCall call(String id) {
    return new ToolCall(id, "probe_call", "{\"a\": 1}");
  }

  /** Returns a conversation with calls and their results. */
  private static List<Map<String, ?>> calling(List<ToolCall> calls) {
    List<Map<String, ?>> messages = new ArrayList<>();
    messages.add(USER);
    messages.add(Conversation.canonical(new Answer("", "", calls).message()));
    for (ToolCall call : calls) {
      messages.add(Map.of("role", "tool", "tool_call_id", call.id(), "content", "1"));
    }
    return messages;
  }

  private static String render(
      ChatRenderer renderer, List<Map<String, ?>> messages, Map<String, ?> variables) {
    return tried(renderer, messages, variables, LocalDateTime.of(2000, 1, 1, 0, 0)).orElse("");
  }

  /** Renders a conversation that the template may refuse. */
  static Optional<String> tried(
      ChatRenderer renderer,
      List<Map<String, ?>> messages,
      Map<String, ?> variables,
      LocalDateTime now) {
    return tried(() -> renderer.render(messages, variables, now));
  }

  /** Renders what the template may refuse. */
  static Optional<String> tried(Supplier<String> rendering) {
    try {
      return Optional.of(rendering.get());
    } catch (FaultException refused) {
      return Optional.empty();
    }
  }

  /** Refuses tools where the model would not hear of them, or its calls would not be told. */
  void requireTools() {
    if (!takesTools) {
      throw Fault.invalid("tools", "tools has no place in this model's chat template; leave it out")
          .asException();
    }
    if (answers.calls() == Calls.NONE) {
      throw Fault.invalid(
              "tools",
              "tools cannot be used: how this model writes a call is not known here; a server"
                  + " started with --tool-parser knows")
          .asException();
    }
  }
}
