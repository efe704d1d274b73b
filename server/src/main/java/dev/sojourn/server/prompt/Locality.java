package dev.sojourn.server.prompt;

import java.time.LocalDateTime;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Of which parts of a conversation a template writes what it would write of the whole, with one set
 * of options. Thread-safe.
 */
final class Locality {

  private final ChatRenderer renderer;
  private final Map<String, ?> variables;
  private final SuffixLocality suffix;
  private final Optional<String> opening;

  /** Tried when it is first needed, as many conversations never do. Guarded by this. */
  private @Nullable QuestionLocality question;

  private Locality(
      ChatRenderer renderer,
      Map<String, ?> variables,
      SuffixLocality suffix,
      Optional<String> opening) {
    this.renderer = renderer;
    this.variables = variables;
    this.suffix = suffix;
    this.opening = opening;
  }

  /** Nothing is known of it. */
  static Locality unknown(ChatRenderer renderer) {
    return new Locality(renderer, Map.of(), SuffixLocality.NONE, Optional.empty());
  }

  /** Tries a template with what it is given beside messages. */
  static Locality of(ChatRenderer renderer, Map<String, ?> variables) {
    return new Locality(
        renderer,
        variables,
        SuffixLocality.of(renderer, variables),
        QuestionLocality.opening(renderer, variables, LocalDateTime.of(2000, 1, 1, 0, 0)));
  }

  /** Returns in which cases it is local behind an answer. */
  SuffixLocality suffix() {
    return suffix;
  }

  /** Returns with what it begins an answer, if questions end before that. */
  Optional<String> opening() {
    return opening;
  }

  /** Returns whether it is local behind a question that these messages follow. */
  boolean coversQuestion(List<Map<String, ?>> behind) {
    return opening.isPresent() && question().covers(behind);
  }

  private synchronized QuestionLocality question() {
    if (question == null) {
      question = QuestionLocality.of(renderer, variables);
    }
    return question;
  }
}
