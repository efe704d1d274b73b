package dev.sojourn.server.prompt;

import dev.sojourn.core.FaultException;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Whether a template writes a conversation from left to right: rendering what was said, an answer
 * and new messages begins with the rendering of what was said, and goes on in a way that depends on
 * the answer and the new messages alone. Where that holds, a turn is rendered behind {@link
 * #STAND_IN} instead of behind the whole conversation, in time that does not grow with it.
 *
 * <p>It is found out once, by trying: a template is a program, and reading it would be no surer.
 * The conversations that are tried have what templates are known to look back or ahead for: a
 * system message, several turns, thoughts, results of tools, blanks at either end, nothing at all.
 */
final class SuffixLocality {

  /** What stands for all that was said before an answer. */
  private static final List<Map<String, ?>> STAND_IN = List.of(said("user", "hello"));

  /** Roles of new messages for which the property was tried. */
  private static final Set<Object> TRIED = Set.of("user", "tool");

  private static final List<String> ANSWERS =
      List.of(
          "Yes.", " on\nlines \n", "", "<think>\nhm\n</think>\n\nNo.", "a </think> b", "```x```");

  private SuffixLocality() {}

  /** Tries a template. */
  static boolean holds(ChatRenderer renderer) {
    LocalDateTime now = LocalDateTime.of(2000, 1, 1, 0, 0);
    boolean seen = false;
    for (List<Map<String, ?>> before : conversations()) {
      for (String answer : ANSWERS) {
        for (List<Map<String, ?>> added : continuations()) {
          Optional<String> whole = render(renderer, concat(before, answer, added), now);
          Optional<String> local =
              render(renderer, before, now)
                  .flatMap(head -> {
                    return render(renderer, concat(STAND_IN, answer, added), now)
                        .flatMap(y -> behind(y, render(renderer, STAND_IN, now)))
                        .map(tail -> head + tail);
                  });
          // A conversation that the template refuses as a whole proves nothing.
          if (whole.isPresent() && !whole.equals(local)) {
            return false;
          }
          seen |= whole.isPresent();
        }
      }
    }
    return seen;
  }

  /** Returns whether messages are of the kind that was tried. */
  static boolean covers(List<Map<String, ?>> added) {
    return !added.isEmpty() && added.stream().allMatch(m -> TRIED.contains(m.get("role")));
  }

  /**
   * Returns what the template writes behind the conversation so far, if it writes the answer as it
   * was given.
   *
   * @param said the answer as the transcript holds it: what its tokens spell
   */
  static Optional<String> continuation(
      ChatRenderer renderer,
      Map<String, ?> answer,
      String said,
      List<Map<String, ?>> added,
      Map<String, ?> options,
      LocalDateTime now) {
    List<Map<String, ?>> messages = new ArrayList<>(STAND_IN);
    messages.add(answer);
    messages.addAll(added);
    String head = renderer.render(STAND_IN, options, now);
    return behind(renderer.render(messages, options, now), Optional.of(head + said));
  }

  private static Optional<String> behind(String text, Optional<String> head) {
    return head.filter(text::startsWith).map(start -> text.substring(start.length()));
  }

  private static Optional<String> render(
      ChatRenderer renderer, List<Map<String, ?>> messages, LocalDateTime now) {
    try {
      return Optional.of(renderer.render(messages, Map.of(), now));
    } catch (FaultException refused) {
      return Optional.empty();
    }
  }

  private static List<List<Map<String, ?>>> conversations() {
    Map<String, ?> system = said("system", "Be brief. ");
    Map<String, ?> user = said("user", " What is this?\n");
    Map<String, ?> tool = said("tool", "{\"found\": 3}");
    Map<String, ?> thoughtful = answer("<think>\nwell\n</think>\n\nThat.");
    Map<String, ?> plain = answer("This. ");
    return List.of(
        List.of(user),
        List.of(said("user", "")),
        List.of(system, user),
        List.of(user, plain, user),
        List.of(system, user, thoughtful, user),
        List.of(user, plain, user, thoughtful, user, plain, user),
        List.of(user, thoughtful, tool),
        List.of(system, user, plain, tool, thoughtful, user, plain, tool));
  }

  private static List<List<Map<String, ?>>> continuations() {
    Map<String, ?> user = said("user", " And that? ");
    Map<String, ?> tool = said("tool", "4\n");
    return List.of(
        List.of(user),
        List.of(tool),
        List.of(tool, tool),
        List.of(tool, user),
        List.of(user, user));
  }

  private static Map<String, ?> answer(String content) {
    return said("assistant", content);
  }

  private static Map<String, ?> said(String role, String content) {
    return Map.of("role", role, "content", content);
  }

  private static List<Map<String, ?>> concat(
      List<Map<String, ?>> before, String answer, List<Map<String, ?>> added) {
    List<Map<String, ?>> all = new ArrayList<>(before);
    all.add(answer(answer));
    all.addAll(added);
    return all;
  }
}
