package dev.sojourn.server.prompt;

import dev.sojourn.core.Fault;
import dev.sojourn.text.Tokenizer;
import dev.sojourn.text.template.ChatTemplate;
import dev.sojourn.text.template.TemplateException;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * A model's chat template with the variables that transformers gives it. What messages spell of
 * control tokens is protected: only the template itself writes them. Immutable, thread-safe.
 */
final class ChatRenderer {

  private final ChatTemplate template;
  private final Tokenizer tokenizer;
  private final MessageForm form;

  private ChatRenderer(ChatTemplate template, Tokenizer tokenizer, MessageForm form) {
    this.template = template;
    this.tokenizer = tokenizer;
    this.form = form;
  }

  ChatRenderer(ChatTemplate template, Tokenizer tokenizer) {
    this(template, tokenizer, MessageForm.PLAIN);
  }

  /** Returns a renderer that gives messages to the template in another form. */
  ChatRenderer in(MessageForm other) {
    return new ChatRenderer(template, tokenizer, other);
  }

  /**
   * Renders a conversation up to where the model is to answer.
   *
   * @param messages in canonical form
   * @throws dev.sojourn.core.FaultException if the template refuses the conversation
   */
  String render(List<Map<String, ?>> messages, Map<String, ?> options, LocalDateTime now) {
    return render(messages, options, now, true);
  }

  /** As {@link #render}, but without what begins the answer. */
  String renderUnanswered(
      List<Map<String, ?>> messages, Map<String, ?> options, LocalDateTime now) {
    return render(messages, options, now, false);
  }

  private String render(
      List<Map<String, ?>> messages, Map<String, ?> options, LocalDateTime now, boolean answer) {
    Map<String, @Nullable Object> variables = new HashMap<>();
    variables.put("tools", null);
    variables.put("documents", null);
    variables.put("bos_token", spelled(tokenizer.vocabulary().bos()));
    variables.put("eos_token", spelled(tokenizer.vocabulary().eos()));
    options.forEach((name, value) -> variables.put(name, protect(value)));
    variables.put("messages", protect(form.of(messages)));
    variables.put("add_generation_prompt", answer);
    try {
      return template.render(variables, now);
    } catch (TemplateException e) {
      throw Fault.invalid(
              "messages", "the model's chat template refuses the conversation: " + e.getMessage())
          .asException();
    }
  }

  /** Returns how templates write the tokens that end a turn. */
  List<String> endsOfTurn() {
    return tokenizer.vocabulary().endOfTurn().stream().map(tokenizer.spelling()::text).toList();
  }

  private String spelled(OptionalInt id) {
    return id.isPresent() ? tokenizer.spelling().text(id.getAsInt()) : "";
  }

  private @Nullable Object protect(@Nullable Object tree) {
    return switch (tree) {
      case String text -> tokenizer.protect(text);
      case List<?> list -> {
        List<@Nullable Object> copy = new ArrayList<>(list.size());
        list.forEach(item -> copy.add(protect(item)));
        yield copy;
      }
      case Map<?, ?> map -> {
        // Templates write tools and arguments, keys and all, in the order of their keys.
        Map<@Nullable Object, @Nullable Object> copy = LinkedHashMap.newLinkedHashMap(map.size());
        map.forEach((name, value) -> copy.put(protect(name), protect(value)));
        yield copy;
      }
      case null -> null;
      default -> tree;
    };
  }
}
