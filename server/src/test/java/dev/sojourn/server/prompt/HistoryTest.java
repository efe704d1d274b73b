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
      new ChatTerms(Map.of(), List.of(), new ToolChoice.Auto(), History.AS_SAMPLED);

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
    assertThat(spelled(third.fresh())).startsWith("<|im_end|>\n<|im_start|>user\nthree");
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
  void rendered_templateFromLeftToRight_isNoMoreAfterAHundredTurns() {
    ChatTerms terms =
        new ChatTerms(
            Map.of("plain", true), TemplateStyle.TOOLS, new ToolChoice.Auto(), History.AS_RENDERED);
    List<Prompt> turns = converse("calling", terms, 100);
    assertThat(turns.getLast().rendering()).isEqualTo(turns.get(10).rendering());
    assertThat(turns.getLast().rendering().all()).isFalse();
    assertThat(turns.getLast().tokenised()).isEqualTo(turns.get(10).tokenised());
  }

  @Test
  void rendered_templateThatLooksBack_growsAndSaysSo() {
    List<Prompt> turns = converse("thoughtful", ChatTerms.NONE, 30);
    assertThat(turns.getLast().rendering().all()).isTrue();
    assertThat(turns.getLast().rendering().characters())
        .isGreaterThan(2 * turns.get(10).rendering().characters());
    assertThat(turns.getLast().tokenised()).isEqualTo(turns.get(10).tokenised());
  }

  @Test
  void rendered_optionThatChangesEarlierMessages_isAll() {
    ChatTerms greeting =
        new ChatTerms(
            Map.of("greeting", true), List.of(), new ToolChoice.Auto(), History.AS_RENDERED);
    assertThat(converse("calling", greeting, 2).getLast().rendering().all()).isTrue();
  }

  @Test
  void rendered_optionTooLargeToTry_isAll() {
    ChatTerms large =
        new ChatTerms(
            Map.of("x", "x".repeat(300)), List.of(), new ToolChoice.Auto(), History.AS_RENDERED);
    assertThat(converse("calling", large, 2).getLast().rendering().all()).isTrue();
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
