package dev.sojourn.server.openai;

import dev.sojourn.core.Tokens;
import java.util.ArrayList;
import java.util.List;

/** One prompt of a completion: text, or ids that are taken as they are. */
sealed interface CompletionPrompt {

  /** What a prompt may be, for messages. */
  String FORMS = "a string, a list of token ids, or a list of either";

  /** Text, to be tokenised. */
  record Text(String text) implements CompletionPrompt {}

  /** Token ids. */
  record Ids(Tokens ids) implements CompletionPrompt {}

  /**
   * Reads {@code prompt}: a string, a list of ids, or a list of either.
   *
   * @param vocabulary ids are below it
   */
  static List<CompletionPrompt> of(Fields body, int vocabulary) {
    body.either("prompt", String.class, List.class, FORMS);
    Object prompt = body.raw("prompt");
    if (prompt instanceof String text) {
      return List.of(text(body, "prompt", text));
    }
    List<?> list = body.list("prompt");
    if (list.isEmpty()) {
      throw body.wrong("prompt", "is required: " + FORMS);
    }
    if (list.getFirst() instanceof Number) {
      return List.of(ids(body, "prompt", list, vocabulary));
    }
    if (list.size() > GenerationOptions.MAX_CHOICES) {
      throw body.wrong(
          "prompt",
          "must have at most "
              + GenerationOptions.MAX_CHOICES
              + " prompts, but has "
              + list.size());
    }
    List<CompletionPrompt> prompts = new ArrayList<>();
    for (int i = 0; i < list.size(); i++) {
      String name = "prompt[" + i + "]";
      prompts.add(
          switch (list.get(i)) {
            case String text -> text(body, name, text);
            case List<?> ids -> ids(body, name, ids, vocabulary);
            case null, default ->
                throw body.wrong(
                    name,
                    "must be a string or a list of token ids, but is " + Fields.kind(list.get(i)));
          });
    }
    return prompts;
  }

  private static Text text(Fields body, String name, String text) {
    if (text.isEmpty()) {
      throw body.wrong(name, "is empty; there is nothing to complete");
    }
    return new Text(text);
  }

  private static Ids ids(Fields body, String name, List<?> list, int vocabulary) {
    if (list.isEmpty()) {
      throw body.wrong(name, "is empty; there is nothing to complete");
    }
    int[] ids = new int[list.size()];
    for (int i = 0; i < ids.length; i++) {
      if (!(list.get(i) instanceof Integer id) || id < 0 || id >= vocabulary) {
        throw body.wrong(
            name + "[" + i + "]",
            "must be a token id, 0 to " + (vocabulary - 1) + ", but is " + list.get(i));
      }
      ids[i] = id;
    }
    return new Ids(Tokens.of(ids));
  }
}
