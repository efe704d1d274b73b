package dev.sojourn.server.prompt;

import static dev.sojourn.server.prompt.TemplateStyle.tried;

import dev.sojourn.server.prompt.Prompt.Said;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What a template writes behind an answer, whatever it would make of the answer itself: a word that
 * cannot be overlooked is rendered in the answer's place, and what follows it is taken. Where the
 * answer has calls, the template is tried with them, too: it may refuse their results without them,
 * or write what it finds in them.
 */
final class SampledHistory {

  /** What is told where answers were sampled that are not known here. */
  static final String FORGOTTEN = "what the session said so far is not held here any more";

  private static final String ANSWER = "sojourn-answer-5d1f0c";
  private static final String CALLS = "tool_calls";

  private SampledHistory() {}

  /**
   * Returns what the template writes behind the last answer of a session; nothing if the word is
   * not found exactly once, or if that depends on the answer.
   */
  static Continuation behind(
      ChatRenderer renderer,
      Transcript held,
      List<Map<String, ?>> added,
      Map<String, ?> variables) {
    Map<String, Object> word = new HashMap<>(Map.of("role", "assistant", "content", ANSWER));
    Optional<String> text = render(renderer, held, word, added, variables);
    int rendered = text.map(String::length).orElse(0);
    Optional<String> rest = text.flatMap(SampledHistory::behindWord);
    Object calls = held.messages().getLast().get(CALLS);
    if (rest.isPresent() && calls != null) {
      word.put(CALLS, calls);
      Optional<String> calling = render(renderer, held, word, added, variables);
      rendered += calling.map(String::length).orElse(0);
      rest = rest.filter(end -> calling.filter(whole -> whole.endsWith(end)).isPresent());
    }
    return new Continuation(rest.map(end -> withoutEnd(renderer, held, end)), rendered);
  }

  /**
   * Returns why a prompt does not have the answers so far as they were sampled.
   *
   * @param goesOn whether the conversation goes on from all that is held
   */
  static String whyNot(Transcript held, Said said, boolean goesOn) {
    if (goesOn) {
      return "what the template writes behind an answer cannot be told apart from it";
    }
    if (held.isFragment()) {
      return FORGOTTEN;
    }
    return said.kept() == held.messages().size()
        ? Alignment.OTHER_OPTIONS
        : "the conversation does not go on from what the session holds";
  }

  private static Optional<String> render(
      ChatRenderer renderer,
      Transcript held,
      Map<String, ?> answer,
      List<Map<String, ?>> added,
      Map<String, ?> variables) {
    List<Map<String, ?>> messages = new ArrayList<>(SuffixLocality.STAND_IN);
    messages.add(Map.copyOf(answer));
    messages.addAll(added);
    return tried(renderer, messages, variables, held.begun());
  }

  private static Optional<String> behindWord(String text) {
    int at = text.indexOf(ANSWER);
    boolean once = at >= 0 && text.indexOf(ANSWER, at + 1) < 0;
    return once ? Optional.of(text.substring(at + ANSWER.length())) : Optional.empty();
  }

  /** Cuts off the end of an answer that ended itself, with that token or with another one. */
  private static String withoutEnd(ChatRenderer renderer, Transcript held, String rest) {
    return held.ended()
        ? renderer.endsOfTurn().stream()
            .filter(rest::startsWith)
            .findFirst()
            .map(end -> rest.substring(end.length()))
            .orElse(rest)
        : rest;
  }
}
