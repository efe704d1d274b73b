package dev.sojourn.server.prompt;

import static dev.sojourn.server.prompt.Fixture.CLOCK;
import static dev.sojourn.server.prompt.Fixture.END;
import static dev.sojourn.server.prompt.Fixture.EOS;
import static dev.sojourn.server.prompt.Fixture.TOKENIZER;
import static dev.sojourn.server.prompt.Fixture.encode;
import static dev.sojourn.server.prompt.Fixture.spelled;
import static dev.sojourn.server.prompt.Fixture.user;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.core.History;
import dev.sojourn.core.Incarnation;
import dev.sojourn.core.SessionControl.Input;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.Tenant;
import dev.sojourn.core.Tokens;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a template has to write again, and histories that it does not get to write again. */
class HistoryTest {

  private static final ChatTerms AS_SAMPLED =
      new ChatTerms(Map.of(), List.of(), new ToolChoice.Auto(), true, History.AS_SAMPLED);

  private static final ChatTerms AS_SAMPLED_TOOLS =
      new ChatTerms(Map.of(), TemplateStyle.TOOLS, new ToolChoice.Auto(), true, History.AS_SAMPLED);
  private static final String CALL =
      "<tool_call>\n{\"name\": \"probe_tool\", \"arguments\": {\"a\": 1}}\n</tool_call>";

  private final Transcript held =
      new Transcripts(TOKENIZER, Long.MAX_VALUE, CLOCK)
          .open(new SessionId(Tenant.DEFAULT, "s"), new Incarnation(1));

  private final List<Map<String, ?>> client = new ArrayList<>();

  @ParameterizedTest
  @ValueSource(strings = {"thoughtful", "qwen3"})
  void asSampled_thoughtsThatTheTemplateForgets_stay(String template) {
    PromptBuilder builder = builder(template);
    for (int turn = 0; turn < 4; turn++) {
      client.add(user("the lower? " + turn));
      Prompt prompt = build(builder, AS_SAMPLED);
      assertThat(turn == 0 || prompt.extendsCommitted()).isTrue();
      assertThat(prompt.divergence()).isEmpty();
      client.add(say(prompt, "<think>\nhm " + turn + "\n</think>\n\nlow", END));
    }
    client.add(user("and?"));
    Prompt last = build(builder, AS_SAMPLED);
    assertThat(last.rendering().notAsSampled()).isEmpty();
    assertThat(last.context()).isEqualTo(held.tokens().concat(last.fresh()));
    assertThat(spelled(last.fresh())).startsWith("\n<|im_start|>user\nand?<|im_end|>");
    assertThat(spelled(last.context())).contains("hm 0", "hm 1", "hm 2", "hm 3");
    assertThat(build(builder, ChatTerms.NONE).extendsCommitted()).isFalse();
  }

  @Test
  void asSampled_answersWithAndWithoutAnEnd_areClosed() {
    PromptBuilder builder = builder("thoughtful");
    client.add(user("one"));
    client.add(say(build(builder, AS_SAMPLED), "low", -1));
    client.add(user("two"));
    Prompt second = build(builder, AS_SAMPLED);
    assertThat(spelled(second.fresh())).startsWith("<|im_end|>\n<|im_start|>user\ntwo");
    client.add(say(second, "low", EOS));
    client.add(user("three"));
    Prompt third = build(builder, AS_SAMPLED);
    assertThat(third.extendsCommitted()).isTrue();
    assertThat(spelled(third.fresh())).startsWith("\n<|im_start|>user\nthree");
  }

  @Test
  void asSampled_editedMessage_stillRewinds_andSaysWhy() {
    PromptBuilder builder = builder("thoughtful");
    client.add(user("one"));
    client.add(say(build(builder, AS_SAMPLED), "<think>hm</think>low", END));
    client.add(user("two"));
    client.add(say(build(builder, AS_SAMPLED), "low", END));
    client.set(2, user("other"));
    client.add(user("three"));
    Prompt edited = build(builder, AS_SAMPLED);
    assertThat(edited.extendsCommitted()).isFalse();
    assertThat(edited.rewindFloor()).isZero();
    assertThat(edited.rendering().notAsSampled().orElseThrow()).contains("does not go on");
  }

  @Test
  void asSampled_otherTools_saysThatItIsThose() {
    PromptBuilder builder = builder("calling");
    client.add(user("one"));
    client.add(say(build(builder, AS_SAMPLED), "low", END));
    client.add(user("two"));
    assertThat(build(builder, AS_SAMPLED_TOOLS).rendering().notAsSampled().orElseThrow())
        .contains("tools or the template's options");
  }

  @Test
  void asSampled_templateThatDoesNotWriteAnswers_isAsRendered() {
    PromptBuilder builder =
        Fixture.builder("{% for m in messages %}[{{ m.role }}]{% endfor %}[assistant]");
    client.add(user("one"));
    client.add(say(build(builder, AS_SAMPLED), "low", END));
    client.add(user("two"));
    assertThat(build(builder, AS_SAMPLED).rendering().notAsSampled().orElseThrow())
        .contains("cannot be told");
  }

  @Test
  void asSampled_resultsOfCalls_follow() {
    PromptBuilder builder = builder("calling");
    client.add(user("one"));
    client.add(say(build(builder, AS_SAMPLED_TOOLS), CALL, END));
    client.add(result());
    Prompt second = build(builder, AS_SAMPLED_TOOLS);
    assertThat(second.rendering().notAsSampled()).isEmpty();
    assertThat(second.extendsCommitted()).isTrue();
    assertThat(spelled(second.fresh())).startsWith("\n<|im_start|>tool\nlow<|im_end|>");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{{ raise_exception('no call') if not calls }}",
        "{{ calls[0].function.name if calls }}"
      })
  void asSampled_resultThatTheTemplateWritesByItsCall_isAsRendered(String result) {
    String template =
        Fixture.CALLING.replace(
            "{% if greeting",
            "{% set calls = messages[loop.index0 - 1].tool_calls %}{% if m.role == 'tool' %}"
                + result
                + "{% endif %}{% if greeting");
    PromptBuilder builder = Fixture.builder(template);
    client.add(user("one"));
    client.add(say(build(builder, AS_SAMPLED_TOOLS), CALL, END));
    client.add(result());
    Prompt second = build(builder, AS_SAMPLED_TOOLS);
    assertThat(second.rendering().notAsSampled().orElseThrow()).contains("cannot be told");
    assertThat(spelled(second.context()))
        .isEqualTo(
            spelled(
                builder.chat(client, Input.FULL, AS_SAMPLED_TOOLS, Optional.empty()).context()));
  }

  @Test
  void asRendered_afterAsSampled_isWhatTheTemplateWrites() {
    PromptBuilder builder =
        Fixture.builder(
            Fixture.CHATML.replace("m.content", "(m.content or '').split('</think>')[-1]"));
    client.add(user("one"));
    client.add(say(build(builder, ChatTerms.NONE), "<think>\nhm\n</think>\n\nlow", END));
    client.add(user("two"));
    client.add(say(build(builder, AS_SAMPLED), "low", END));
    client.add(user("three"));
    Prompt third = build(builder, ChatTerms.NONE);
    Prompt stateless = builder.chat(client, Input.FULL, ChatTerms.NONE, Optional.empty());
    assertThat(spelled(third.context())).isEqualTo(spelled(stateless.context()));
    assertThat(third.divergence().orElseThrow().cause()).contains("template");
    client.add(say(third, "low", END));
    client.add(user("four"));
    assertThat(build(builder, ChatTerms.NONE).rendering().all()).isFalse();
  }

  @Test
  void rendered_inVain_counts() {
    PromptBuilder builder = builder("calling");
    client.add(user("one"));
    client.add(say(build(builder, AS_SAMPLED_TOOLS), CALL.replace("1", "1.10"), END));
    client.add(result());
    ChatTerms tools = ToolLoopTest.TOOLS;
    Prompt second = build(builder, tools);
    assertThat(second.divergence()).isPresent();
    assertThat(second.rendering().characters())
        .isGreaterThan(
            2 * builder.chat(client, Input.FULL, tools, Optional.empty()).rendering().characters());
  }

  @Test
  void rendered_templateFromLeftToRight_isNoMoreAfterAHundredTurns() {
    ChatTerms terms =
        new ChatTerms(
            Map.of("plain", true),
            TemplateStyle.TOOLS,
            new ToolChoice.Auto(),
            true,
            History.AS_RENDERED);
    List<Prompt> turns = converse("calling", terms, 100);
    assertThat(turns.getLast().rendering()).isEqualTo(turns.get(10).rendering());
    assertThat(turns.getLast().rendering().all()).isFalse();
    assertThat(turns.getLast().tokenised()).isEqualTo(turns.get(10).tokenised());
  }

  @Test
  void rendered_templateThatLooksBack_growsAndSaysSo() {
    List<Prompt> turns = converse("system last", ChatTerms.NONE, 30);
    assertThat(turns.getLast().rendering().all()).isTrue();
    assertThat(turns.getLast().rendering().characters())
        .isGreaterThan(2 * turns.get(10).rendering().characters());
    assertThat(turns.getLast().tokenised()).isEqualTo(turns.get(10).tokenised());
  }

  /** A new question changes what was said behind the last one, and nothing before that. */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void rendered_templateThatForgetsThoughts_isNoMoreAfterThreeHundredTurns(boolean thinks) {
    PromptBuilder builder = builder("qwen3");
    Map<String, ?> options = thinks ? Map.of() : Map.of("enable_thinking", false);
    ChatTerms terms =
        new ChatTerms(
            options, TemplateStyle.TOOLS, new ToolChoice.Auto(), true, History.AS_RENDERED);
    String thought = thinks ? "<think>\nhm\n</think>\n\n" : "";
    List<Prompt> questions = new ArrayList<>();
    for (int turn = 0; turn < 300; turn++) {
      client.add(user("the lower?"));
      questions.add(build(builder, terms));
      client.add(say(questions.getLast(), thought + CALL, END));
      client.add(result());
      client.add(say(build(builder, terms), thought + "low", END));
    }
    Prompt tenth = questions.get(10);
    Prompt last = questions.getLast();
    assertThat(last.divergence()).isPresent();
    assertThat(last.rendering()).isEqualTo(tenth.rendering());
    assertThat(last.rendering().all()).isFalse();
    assertThat(last.tokenised()).isEqualTo(tenth.tokenised());
    Prompt stateless = builder.chat(client.subList(0, 1197), Input.FULL, terms, Optional.empty());
    assertThat(spelled(last.context())).isEqualTo(spelled(stateless.context()));
  }

  @Test
  void rendered_optionThatChangesEarlierMessages_isAll() {
    ChatTerms greeting =
        new ChatTerms(
            Map.of("greeting", true), List.of(), new ToolChoice.Auto(), true, History.AS_RENDERED);
    assertThat(converse("calling", greeting, 2).getLast().rendering().all()).isTrue();
  }

  @Test
  void rendered_optionTooLargeToTry_isAll() {
    String large = "x".repeat(300);
    for (Map<String, ?> options : List.of(Map.of("x", large), Map.of(large, "x"))) {
      ChatTerms terms =
          new ChatTerms(options, List.of(), new ToolChoice.Auto(), true, History.AS_RENDERED);
      assertThat(converse("calling", terms, 2).getLast().rendering().all()).isTrue();
    }
  }

  /** Returns the result of the call that was told last. */
  private Map<String, ?> result() {
    String id =
        client.getLast().get("tool_calls") instanceof List<?> calls
                && calls.getFirst() instanceof Map<?, ?> call
            ? String.valueOf(call.get("id"))
            : "none";
    return Map.of("role", "tool", "tool_call_id", id, "content", "low");
  }

  /** Says the same in every turn; returns the prompts. */
  private List<Prompt> converse(String template, ChatTerms terms, int turns) {
    PromptBuilder builder = builder(template);
    List<Prompt> prompts = new ArrayList<>();
    for (int turn = 0; turn < turns; turn++) {
      client.add(user("the lower?"));
      prompts.add(build(builder, terms));
      client.add(say(prompts.getLast(), "low", END));
    }
    return prompts;
  }

  private Prompt build(PromptBuilder builder, ChatTerms terms) {
    return builder.chat(List.copyOf(client), Input.FULL, terms, Optional.of(held));
  }

  /** Commits an answer, ended by a token or by none; returns it as the client is told it. */
  private Map<String, ?> say(Prompt prompt, String answer, int end) {
    Tokens sampled = end < 0 ? encode(answer) : encode(answer).concat(Tokens.of(end));
    Fixture.Ended ended = Fixture.end(prompt, sampled, Optional.empty());
    Map<String, ?> message = ended.message(prompt);
    held.commit(prompt, Fixture.mode(held, prompt), ended.end(), message);
    return message;
  }

  private static PromptBuilder builder(String template) {
    return template.equals("qwen3")
        ? ToolLoopTest.builder(template)
        : Fixture.builder(Fixture.template(template));
  }
}
