package dev.sojourn.server.prompt;

import dev.sojourn.text.answer.AnswerStyle.Reasoning;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The form in which a template gets messages: the arguments of calls as objects, which is how
 * templates write them as JSON (as text where they are none, which models write, too), and thoughts
 * where it looks for them: those that it does not know as {@code reasoning_content} are marked at
 * the beginning of the content. Immutable.
 *
 * @param marksReasoning whether thoughts are put into the content
 */
record MessageForm(boolean marksReasoning) {

  static final MessageForm PLAIN = new MessageForm(false);

  static MessageForm of(TemplateStyle style) {
    return new MessageForm(
        style.answers().reasoning() == Reasoning.THINK && !style.writesReasoning());
  }

  /** Returns a message, in canonical form, as the template gets it. */
  Map<String, ?> of(Map<String, ?> message) {
    boolean marks = marksReasoning && message.get("reasoning_content") instanceof String;
    if (!marks && !(message.get("tool_calls") instanceof List<?>)) {
      return message;
    }
    Map<String, @Nullable Object> form = new LinkedHashMap<>(message);
    if (form.get("tool_calls") instanceof List<?> calls) {
      form.put("tool_calls", calls.stream().map(MessageForm::withObject).toList());
    }
    if (marks) {
      Object content = message.get("content");
      String thought = "<think>\n" + form.remove("reasoning_content") + "\n</think>\n\n";
      form.put("content", content == null ? thought : thought + content);
    }
    return form;
  }

  private static Object withObject(Object call) {
    if (call instanceof Map<?, ?> fields
        && fields.get("function") instanceof Map<?, ?> function
        && function.get("arguments") instanceof String text) {
      Map<Object, @Nullable Object> whole = new LinkedHashMap<>(fields);
      Map<Object, @Nullable Object> parsed = new LinkedHashMap<>(function);
      CallArguments.parse(text).ifPresent(object -> parsed.put("arguments", object));
      whole.put("function", parsed);
      return whole;
    }
    return call;
  }

  /** Returns messages as the template gets them. */
  List<Map<String, ?>> of(List<Map<String, ?>> messages) {
    List<Map<String, ?>> forms = new ArrayList<>(messages.size());
    messages.forEach(message -> forms.add(of(message)));
    return forms;
  }
}
