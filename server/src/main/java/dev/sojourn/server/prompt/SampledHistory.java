package dev.sojourn.server.prompt;

import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What a template writes behind an answer, whatever it would make of the answer itself: a word that
 * cannot be overlooked is rendered in the answer's place, and what follows it is taken.
 */
final class SampledHistory {

  private static final String ANSWER = "sojourn-answer-5d1f0c";

  private SampledHistory() {}

  /**
   * Returns what the template writes behind the last answer of a session; nothing if the word is
   * not found exactly once.
   *
   * @throws dev.sojourn.core.FaultException if the template refuses the new messages
   */
  static Optional<Continuation> behind(
      ChatRenderer renderer,
      Transcript held,
      List<Map<String, ?>> added,
      Map<String, ?> variables) {
    LocalDateTime now = held.begun();
    List<Map<String, ?>> messages = new ArrayList<>(SuffixLocality.STAND_IN);
    messages.add(Map.of("role", "assistant", "content", ANSWER));
    messages.addAll(added);
    String text = renderer.render(messages, variables, now);
    int at = text.indexOf(ANSWER);
    if (at < 0 || text.indexOf(ANSWER, at + 1) >= 0) {
      return Optional.empty();
    }
    String rest = text.substring(at + ANSWER.length());
    String end = held.lastEnd();
    return Optional.of(
        new Continuation(
            rest.startsWith(end) ? rest.substring(end.length()) : rest, text.length()));
  }
}
