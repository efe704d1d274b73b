package dev.sojourn.server.prompt;

import static dev.sojourn.server.prompt.SuffixLocality.STAND_IN;
import static dev.sojourn.server.prompt.TemplateStyle.tried;

import dev.sojourn.server.prompt.SuffixLocality.Kind;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * For which answers a template leaves alone what stands before a question, whatever is said behind
 * it: rendering a conversation then begins with the rendering of all up to any of its questions,
 * and goes on in a way that depends on what stands behind that alone. This holds for the many
 * templates that forget thoughts before the last question, which are not local behind an answer
 * ({@link SuffixLocality}): a new question changes what was said behind the last one, and nothing
 * else. So a turn is rendered from the last question on, behind {@link SuffixLocality#STAND_IN}.
 *
 * <p>It is found out by trying, as that is.
 *
 * @param kinds what the answers behind the question may be made of
 * @param fails which of those must not come together
 */
record QuestionLocality(Set<Kind> kinds, Set<Set<Kind>> fails) {

  /** For no answers. */
  static final QuestionLocality NONE = new QuestionLocality(Set.of(), Set.of());

  /** Roles of messages behind a question for which it was tried. */
  private static final Set<Object> TRIED = Set.of("user", "tool", "assistant");

  /**
   * Tries a template.
   *
   * @param variables what it is given beside messages
   */
  static QuestionLocality of(ChatRenderer renderer, Map<String, ?> variables) {
    LocalDateTime now = LocalDateTime.of(2000, 1, 1, 0, 0);
    Optional<String> opening = opening(renderer, variables, now);
    if (opening.isEmpty()) {
      return NONE;
    }
    Map<List<Map<String, ?>>, Optional<String>> heads = new HashMap<>();
    for (List<Map<String, ?>> before : SuffixLocality.questions()) {
      Optional<String> head = tried(() -> renderer.renderUnanswered(before, variables, now));
      Optional<String> asking = tried(renderer, before, variables, now);
      if (!asking.equals(head.map(text -> text + opening.get()))) {
        return NONE;
      }
      heads.put(before, head);
    }
    Set<Kind> holds = EnumSet.noneOf(Kind.class);
    Set<Set<Kind>> fails = new HashSet<>();
    for (List<Map<String, ?>> behind : SuffixLocality.continuedAnswers()) {
      Optional<String> tail = text(renderer, behind, variables, now).text();
      heads.forEach((before, head) -> {
        List<Map<String, ?>> all = new ArrayList<>(before);
        all.addAll(behind);
        Optional<String> whole = tried(renderer, all, variables, now);
        // A conversation that the template refuses as a whole proves nothing.
        if (whole.isPresent()) {
          boolean local = whole.equals(head.flatMap(start -> tail.map(start::concat)));
          var _ = local ? holds.addAll(kinds(behind)) : fails.add(kinds(behind));
        }
      });
    }
    return new QuestionLocality(Set.copyOf(holds), Set.copyOf(fails));
  }

  /**
   * Returns what a template writes behind a question where the model is to answer; nothing if it
   * writes the question in another way then.
   */
  static Optional<String> opening(
      ChatRenderer renderer, Map<String, ?> variables, LocalDateTime now) {
    return text(renderer, List.of(), variables, now).text();
  }

  /** Returns whether it holds with these messages behind a question. */
  boolean covers(List<Map<String, ?>> behind) {
    Set<Kind> answers = kinds(behind);
    return !kinds.isEmpty()
        && (behind.isEmpty() || Conversation.isAnswer(behind.getFirst()))
        && kinds.containsAll(answers)
        && fails.stream().noneMatch(answers::containsAll)
        && behind.stream().allMatch(message -> TRIED.contains(message.get("role")));
  }

  /** Returns what the template writes behind a question and all before it. */
  static Continuation text(
      ChatRenderer renderer,
      List<Map<String, ?>> behind,
      Map<String, ?> variables,
      LocalDateTime now) {
    List<Map<String, ?>> all = new ArrayList<>(STAND_IN);
    all.addAll(behind);
    Optional<String> head = tried(() -> renderer.renderUnanswered(STAND_IN, variables, now));
    Optional<String> text = tried(renderer, all, variables, now);
    int rendered = head.map(String::length).orElse(0) + text.map(String::length).orElse(0);
    return new Continuation(
        text.filter(whole -> head.filter(whole::startsWith).isPresent())
            .map(whole -> whole.substring(head.orElseThrow().length())),
        rendered);
  }

  private static Set<Kind> kinds(List<Map<String, ?>> messages) {
    Set<Kind> kinds = EnumSet.noneOf(Kind.class);
    messages.stream().filter(Conversation::isAnswer).forEach(answer -> kinds.add(Kind.of(answer)));
    return kinds;
  }
}
