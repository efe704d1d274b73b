package dev.sojourn.server.prompt;

import static dev.sojourn.server.prompt.TemplateStyle.tried;

import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * In which cases a template writes a conversation from left to right: rendering what was said, an
 * answer and new messages begins with the rendering of what was said, and goes on in a way that
 * depends on the answer and the new messages alone. Many templates forget the thoughts before the
 * last question, so it matters whether there is a new one. Where it holds, a turn is rendered
 * behind {@link #STAND_IN} instead of behind the whole conversation, in time that does not grow
 * with it.
 *
 * <p>It is found out by trying: a template is a program, and reading it would be no surer. The
 * conversations that are tried have what templates are known to look back or ahead for: a system
 * message, several turns, thoughts, calls and results of tools, blanks at either end, nothing at
 * all. What else a template is given can change all of it, so that is part of what is tried.
 *
 * @param cases those cases
 */
record SuffixLocality(Set<Case> cases) {

  /** In no case. */
  static final SuffixLocality NONE = new SuffixLocality(Set.of());

  /**
   * A way for a conversation to go on.
   *
   * @param answer what the last answer is made of
   * @param question whether the user speaks behind it, and not only tools do
   */
  record Case(Kind answer, boolean question) {

    static Case of(Map<String, ?> answer, List<Map<String, ?>> added) {
      return new Case(
          Kind.of(answer), added.stream().anyMatch(message -> "user".equals(message.get("role"))));
    }
  }

  /** What an answer is made of, as far as templates care. */
  enum Kind {
    WORDS,
    THOUGHTS,
    CALLS,
    THOUGHTS_AND_CALLS;

    static Kind of(Map<String, ?> answer) {
      boolean thinks =
          answer.containsKey("reasoning_content")
              || (answer.get("content") instanceof String text && text.contains("</think>"));
      if (answer.containsKey("tool_calls")) {
        return thinks ? THOUGHTS_AND_CALLS : CALLS;
      }
      return thinks ? THOUGHTS : WORDS;
    }
  }

  /** What stands for all that was said before an answer. */
  static final List<Map<String, ?>> STAND_IN = List.of(said("user", "hello"));

  /** Roles of new messages for which the property was tried. */
  private static final Set<Object> TRIED = Set.of("user", "tool");

  private static final Map<String, ?> CALLING = calling("", "");
  private static final Map<String, ?> THINKING = answer("<think>\nwell\n</think>\n\nThat.");

  private static final List<Map<String, ?>> ANSWERS =
      List.of(
          answer("Yes."),
          answer(" on\nlines \n"),
          answer(""),
          answer("<think>\nhm\n</think>\n\nNo."),
          answer("a </think> b"),
          answer("```x```"),
          new Answer("No.", "Hm.\nHm.", List.of()).message(),
          CALLING,
          calling("On it.", ""),
          calling("", "Which one?"),
          calling("On it.", "Which one?"));

  /**
   * Tries a template.
   *
   * @param variables what it is given beside messages
   */
  static SuffixLocality of(ChatRenderer renderer, Map<String, ?> variables) {
    LocalDateTime now = LocalDateTime.of(2000, 1, 1, 0, 0);
    Optional<String> standIn = tried(renderer, STAND_IN, variables, now);
    Map<List<Map<String, ?>>, Optional<String>> heads = new HashMap<>();
    Set<Case> holds = new HashSet<>();
    Set<Case> fails = new HashSet<>();
    for (Map<String, ?> answer : ANSWERS) {
      for (List<Map<String, ?>> added : continuations()) {
        Case present = Case.of(answer, added);
        Optional<String> tail =
            tried(renderer, concat(STAND_IN, answer, added), variables, now)
                .flatMap(text -> behind(text, standIn));
        for (List<Map<String, ?>> before : conversations()) {
          if (fails.contains(present)) {
            continue;
          }
          Optional<String> whole = tried(renderer, concat(before, answer, added), variables, now);
          // A conversation that the template refuses as a whole proves nothing.
          if (whole.isPresent()) {
            Optional<String> head =
                heads.computeIfAbsent(before, b -> tried(renderer, b, variables, now));
            boolean local = whole.equals(head.flatMap(start -> tail.map(start::concat)));
            var _ = (local ? holds : fails).add(present);
          }
        }
      }
    }
    holds.removeAll(fails);
    return new SuffixLocality(Set.copyOf(holds));
  }

  /** Returns whether it holds for an answer and messages behind it. */
  boolean covers(Map<String, ?> answer, List<Map<String, ?>> added) {
    return !added.isEmpty()
        && cases.contains(Case.of(answer, added))
        && added.stream().allMatch(m -> TRIED.contains(m.get("role")));
  }

  /**
   * Returns what the template writes behind the conversation so far, if it writes the answer as it
   * was given.
   *
   * @param said the answer as the transcript holds it: what its tokens spell
   */
  static Continuation continuation(
      ChatRenderer renderer,
      Map<String, ?> answer,
      String said,
      List<Map<String, ?>> added,
      Map<String, ?> variables,
      LocalDateTime now) {
    String head = renderer.render(STAND_IN, variables, now);
    String text = renderer.render(concat(STAND_IN, answer, added), variables, now);
    return new Continuation(behind(text, Optional.of(head + said)), head.length() + text.length());
  }

  private static Optional<String> behind(String text, Optional<String> head) {
    return head.filter(text::startsWith).map(start -> text.substring(start.length()));
  }

  /** Returns conversations that end with a question. */
  static List<List<Map<String, ?>>> questions() {
    List<List<Map<String, ?>>> questions = new ArrayList<>(conversations());
    questions.removeIf(said -> !Question.ends(said));
    Map<String, ?> user = said("user", "So?");
    questions.add(
        List.of(
            said("system", "Be brief. "),
            user,
            calling("", "Hm."),
            result("5"),
            new Answer("Five.", "Well.", List.of()).message(),
            user));
    return questions;
  }

  /** Returns what may follow a question: answers of each kind, alone and in loops of calls. */
  static List<List<Map<String, ?>>> continuedAnswers() {
    Map<String, ?> user = said("user", "And now?");
    Map<String, ?> tool = result("{\"x\": 1}");
    Map<String, ?> thoughtful = calling("", "Hm.");
    Map<String, ?> thought = new Answer("No.", "Hm.\nHm.", List.of()).message();
    List<List<Map<String, ?>>> all = new ArrayList<>();
    for (Map<String, ?> answer : ANSWERS) {
      boolean calls = answer.containsKey("tool_calls");
      all.add(calls ? List.of(answer, tool, user) : List.of(answer, user));
    }
    all.add(List.of(CALLING, tool, answer("Yes."), user));
    all.add(List.of(thoughtful, tool, calling("On it.", "Which?"), tool, tool, thought, user));
    all.add(List.of(thoughtful, tool, thought, user, answer("So it is."), user));
    all.add(List.of(THINKING, user, THINKING, user, user));
    all.add(List.of(CALLING, tool, CALLING, tool));
    all.add(List.of(thoughtful, tool));
    return all;
  }

  private static List<List<Map<String, ?>>> conversations() {
    Map<String, ?> system = said("system", "Be brief. ");
    Map<String, ?> user = said("user", " What is this?\n");
    Map<String, ?> tool = result("{\"found\": 3}");
    Map<String, ?> plain = answer("This. ");
    return List.of(
        List.of(user),
        List.of(said("user", "")),
        List.of(system, user),
        List.of(user, plain, user),
        List.of(system, user, THINKING, user),
        List.of(user, plain, user, THINKING, user, plain, user),
        List.of(user, THINKING, tool),
        List.of(system, user, plain, tool, THINKING, user, plain, tool),
        List.of(user, CALLING, tool),
        List.of(system, user, calling("", "Hm."), tool, plain, user, CALLING, tool));
  }

  private static List<List<Map<String, ?>>> continuations() {
    Map<String, ?> user = said("user", " And that? ");
    Map<String, ?> tool = result("4\n");
    return List.of(
        List.of(user),
        List.of(tool),
        List.of(tool, tool),
        List.of(tool, user),
        List.of(user, user));
  }

  private static Map<String, ?> calling(String content, String thought) {
    ToolCall call = new ToolCall("call_probe0001", "probe_tool", "{\"a\": 1}");
    return Conversation.canonical(new Answer(content, thought, List.of(call)).message());
  }

  private static Map<String, ?> answer(String content) {
    return said("assistant", content);
  }

  private static Map<String, ?> result(String content) {
    return Map.of("role", "tool", "content", content, "tool_call_id", "call_probe0001");
  }

  private static Map<String, ?> said(String role, String content) {
    return Map.of("role", role, "content", content);
  }

  private static List<Map<String, ?>> concat(
      List<Map<String, ?>> before, Map<String, ?> answer, List<Map<String, ?>> added) {
    List<Map<String, ?>> all = new ArrayList<>(before);
    all.add(answer);
    all.addAll(added);
    return all;
  }
}
