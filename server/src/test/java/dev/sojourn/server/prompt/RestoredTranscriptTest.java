package dev.sojourn.server.prompt;

import static dev.sojourn.server.prompt.Fixture.CLOCK;
import static dev.sojourn.server.prompt.Fixture.END;
import static dev.sojourn.server.prompt.Fixture.TOKENIZER;
import static dev.sojourn.server.prompt.Fixture.encode;
import static dev.sojourn.server.prompt.Fixture.said;
import static dev.sojourn.server.prompt.Fixture.spelled;
import static dev.sojourn.server.prompt.Fixture.user;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sojourn.core.FaultException;
import dev.sojourn.core.History;
import dev.sojourn.core.Incarnation;
import dev.sojourn.core.SessionControl.Input;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.SessionTokens;
import dev.sojourn.core.Tenant;
import dev.sojourn.core.Tokens;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Deltas to sessions with tools, of which only an engine knew what they had said. */
class RestoredTranscriptTest {

  private static final SessionId SESSION = new SessionId(Tenant.DEFAULT, "s");
  private static final Incarnation LIFE = new Incarnation(1);
  private static final ChatTerms TOOLS = terms(TemplateStyle.TOOLS, new ToolChoice.Auto());
  private static final String CALL =
      "<tool_call>\n{\"name\": \"probe_tool\", \"arguments\": {\"a\": 1}}\n</tool_call>";

  private final PromptBuilder builder = ToolLoopTest.builder("qwen25_tools");
  private final Transcripts transcripts = new Transcripts(TOKENIZER, Long.MAX_VALUE, CLOCK);

  @Test
  void delta_withTheToolsThatTheContextNames_goesOn() {
    Transcript held = restored(TOOLS, CALL, true);
    Prompt prompt = delta(held, TOOLS);
    assertThat(prompt.extendsCommitted()).isTrue();
    assertThat(calls(held, prompt, CALL)).isNotNull();
    assertThat(delta(held, ChatTerms.NONE).extendsCommitted()).isTrue();
  }

  @Test
  void delta_withToolsThatTheContextDoesNotName_isContextLost() {
    Transcript held = restored(ChatTerms.NONE, "low", true);
    assertThatThrownBy(() -> delta(held, TOOLS))
        .isInstanceOf(FaultException.class)
        .hasMessageContaining("send the full conversation");
    assertThat(calls(held, delta(held, ChatTerms.NONE), "low")).isNull();
  }

  /** Nothing tells whether the template was given them before. */
  @Test
  void delta_withOtherOptionsThanTools_isContextLost() {
    Transcript held = restored(TOOLS, CALL, true);
    for (List<Map<String, ?>> tools : List.of(List.<Map<String, ?>>of(), TOOLS.tools())) {
      ChatTerms thinking =
          new ChatTerms(
              Map.of("enable_thinking", false),
              tools,
              new ToolChoice.Auto(),
              true,
              History.AS_RENDERED);
      assertThatThrownBy(() -> delta(held, thinking))
          .isInstanceOf(FaultException.class)
          .hasMessageContaining("send the full conversation");
    }
  }

  @Test
  void delta_withoutTools_isAnsweredWithCalls() {
    Transcript held = restored(TOOLS, CALL, true);
    assertThat(calls(held, delta(held, ChatTerms.NONE), CALL)).isNotNull();
    assertThat(calls(held, delta(held, ChatTerms.NONE), CALL)).isNotNull();
  }

  @Test
  void delta_thatRequiresACallOfUnknownTools_beginsOne() {
    Transcript held = restored(TOOLS, CALL, true);
    Prompt required = delta(held, terms(List.of(), new ToolChoice.Required()));
    assertThat(spelled(required.context())).endsWith("<tool_call>\n{\"name\": \"");
    Prompt named = delta(held, terms(List.of(), new ToolChoice.Named("probe_tool")));
    assertThat(spelled(named.context())).endsWith("\"probe_tool\", \"arguments\":");
  }

  @Test
  void transcriptThatIsReplaced_leavesItsTools() {
    Transcript held = restored(TOOLS, CALL, false);
    assertThat(held.options()).isEqualTo(TOOLS.variables());
    assertThat(delta(held, TOOLS).extendsCommitted()).isTrue();
    ChatTerms others =
        terms(
            List.of(Map.of("type", "function", "function", Map.of("name", "type"))),
            new ToolChoice.Auto());
    assertThatThrownBy(() -> delta(held, others)).hasMessageContaining("full conversation");
  }

  @Test
  void conversationBehindAnotherSystemMessage_beginsAnewOnceItGoesOnFromAnAnswerGivenAside() {
    Transcript held = restored(ChatTerms.NONE, "low", true);
    List<Map<String, ?>> said =
        new ArrayList<>(List.of(said("system", "one"), user("the"), said("assistant", "low")));
    Prompt first = full(held, said);
    assertThat(first.restarts()).isFalse();
    held.servedAside(first, said("assistant", "lower"));
    List<Map<String, ?>> other =
        List.of(said("system", "two"), user("and"), said("assistant", "lower"));
    assertThat(full(held, other).restarts()).isFalse();
    said.add(said("assistant", "lower"));
    assertThat(full(held, said).restarts()).isTrue();
  }

  @Test
  void conversationUnderWay_thatBeginsWithTheFirstMessage_isTheSessions() {
    Transcript held = restored(ChatTerms.NONE, "low", true);
    Prompt other = full(held, List.of(user("the"), said("assistant", "lower")));
    assertThat(other.restarts()).isTrue();
    Prompt title = full(held, List.of(user("and"), said("assistant", "low")));
    assertThat(title.restarts()).isFalse();
    Prompt subagent = full(held, List.of(user("user"), said("assistant", "low")));
    assertThat(subagent.restarts()).as("a word of the template").isFalse();
  }

  @Test
  void compactedConversation_goesOnFromTheAnswerItGotAside() {
    Transcript held = restored(ChatTerms.NONE, "low", true);
    List<Map<String, ?>> said = new ArrayList<>(List.of(user("and")));
    Prompt first = full(held, said);
    assertThat(first.mayBeAside()).isTrue();
    held.servedAside(first, said("assistant", "lower"));
    said.addAll(List.of(said("assistant", "lower"), user("the")));
    assertThat(full(held, said).restarts()).isTrue();
  }

  @Test
  void wholePrompt_ofWhichTooLittleIsKnown_mayBeAside() {
    Transcript held = restored(ChatTerms.NONE, "low", true);
    Prompt title = full(held, List.of(user("lower")));
    assertThat(title.mayBeAside()).isTrue();
    assertThat(title.aside()).isFalse();
    assertThat(title.rewindFloor()).isEqualTo(1);
    Prompt next = full(held, List.of(user("the"), said("assistant", "low"), user("and")));
    assertThat(next.extendsCommitted()).isTrue();
    assertThat(next.mayBeAside()).isFalse();
    Prompt edited = full(held, List.of(user("the"), said("assistant", "lower"), user("and")));
    assertThat(edited.extendsCommitted()).isFalse();
    assertThat(edited.mayBeAside()).isFalse();
    assertThat(edited.rewindFloor()).isZero();
  }

  @Test
  void wholePromptAsSampled_whereWhatWasSaidIsForgotten_isAsRendered_andSaysWhy() {
    ChatTerms asSampled =
        new ChatTerms(Map.of(), List.of(), new ToolChoice.Auto(), true, History.AS_SAMPLED);
    List<Map<String, ?>> said = List.of(user("the"), said("assistant", "low"), user("and"));
    Transcript fragment = restored(ChatTerms.NONE, "low", true);
    Prompt goesOn = builder.chat(said, Input.FULL, asSampled, Optional.of(fragment));
    assertThat(goesOn.extendsCommitted()).isTrue();
    transcripts.remove(SESSION, LIFE);
    Transcript nothing = transcripts.openForgotten(SESSION, LIFE);
    Prompt whole = builder.chat(said, Input.FULL, asSampled, Optional.of(nothing));
    for (Prompt prompt : List.of(goesOn, whole)) {
      assertThat(prompt.rendering().notAsSampled().orElseThrow())
          .contains("not held here any more");
    }
  }

  private Prompt full(Transcript held, List<? extends Map<String, ?>> messages) {
    return builder.chat(messages, Input.FULL, ChatTerms.NONE, Optional.of(held));
  }

  /** Returns what is known of a session after a turn, from its engine alone or not. */
  private Transcript restored(ChatTerms terms, String answer, boolean forgotten) {
    Transcript before = transcripts.open(SESSION, LIFE);
    Prompt first = builder.chat(List.of(user("the")), Input.FULL, terms, Optional.of(before));
    var _ = calls(before, first, answer);
    SessionTokens tokens = new SessionTokens(before.tokens(), first.length(), before.digest());
    if (forgotten) {
      transcripts.remove(SESSION, LIFE);
    }
    return transcripts.restore(SESSION, LIFE, tokens);
  }

  private Prompt delta(Transcript held, ChatTerms terms) {
    return builder.chat(List.of(user("low")), Input.DELTA, terms, Optional.of(held));
  }

  /** Commits an answer; returns the calls that the client is told. */
  private static @Nullable Object calls(Transcript held, Prompt prompt, String answer) {
    Tokens sampled = encode(answer).concat(Tokens.of(END));
    Fixture.Ended ended = Fixture.end(prompt, sampled, Optional.empty());
    Map<String, ?> message = ended.message(prompt);
    held.commit(prompt, Fixture.mode(held, prompt), ended.end(), message);
    return message.get("tool_calls");
  }

  private static ChatTerms terms(List<Map<String, ?>> tools, ToolChoice choice) {
    return new ChatTerms(Map.of(), tools, choice, true, History.AS_RENDERED);
  }
}
