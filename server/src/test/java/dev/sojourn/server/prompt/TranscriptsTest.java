package dev.sojourn.server.prompt;

import static dev.sojourn.server.prompt.Fixture.CLOCK;
import static dev.sojourn.server.prompt.Fixture.TOKENIZER;
import static dev.sojourn.server.prompt.Fixture.user;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.core.History;
import dev.sojourn.core.Incarnation;
import dev.sojourn.core.SessionControl.Input;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.Tenant;
import dev.sojourn.core.Tokens;
import dev.sojourn.core.TurnMode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

class TranscriptsTest {

  private static final Incarnation LIFE = new Incarnation(7);

  private final PromptBuilder builder = Fixture.builder(Fixture.CHATML);

  @Test
  void open_again_returnsTheSameTranscript() {
    Transcripts store = new Transcripts(TOKENIZER, 1 << 20, CLOCK);
    assertThat(store.open(id("a"), LIFE)).isSameAs(store.open(id("a"), LIFE));
    assertThat(store.find(id("a"), LIFE)).contains(store.open(id("a"), LIFE));
  }

  @Test
  void find_anotherIncarnationOrTenant_findsNothing() {
    Transcripts store = new Transcripts(TOKENIZER, 1 << 20, CLOCK);
    store.open(id("a"), LIFE);
    assertThat(store.find(id("a"), new Incarnation(8))).isEmpty();
    assertThat(store.find(new SessionId(new Tenant("other"), "a"), LIFE)).isEmpty();
  }

  @Test
  void remove_allSessions_leavesNothingCounted() {
    Transcripts store = new Transcripts(TOKENIZER, 1 << 20, CLOCK);
    for (String name : List.of("a", "b", "c")) {
      speak(store.open(id(name), LIFE));
    }
    assertThat(store.bytes()).isGreaterThan(3 * 1024);
    for (String name : List.of("a", "b", "c", "c")) {
      store.remove(id(name), LIFE);
    }
    assertThat(store.bytes()).isZero();
    assertThat(store.size()).isZero();
  }

  @Test
  void commit_overTheLimit_forgetsTheLeastRecentlyUsed() {
    Transcripts store = new Transcripts(TOKENIZER, 8 * 1024, CLOCK);
    Transcript first = store.open(id("first"), LIFE);
    speak(first);
    for (int i = 0; i < 20; i++) {
      speak(store.open(id("s" + i), LIFE));
      assertThat(store.bytes()).isLessThanOrEqualTo(8 * 1024);
    }
    assertThat(store.find(id("first"), LIFE)).isEmpty();
    assertThat(store.find(id("s19"), LIFE)).isPresent();
    long before = store.bytes();
    speak(first);
    assertThat(store.bytes()).isEqualTo(before);
  }

  @Test
  void commit_ofWhatTheTemplateDoesNotWrite_counts() {
    Transcripts store = new Transcripts(TOKENIZER, 64 * 1024, CLOCK);
    String large = "x".repeat(20_000);
    Map<String, ?> thinking =
        Map.of("role", "assistant", "content", "low", "reasoning_content", large);
    speak(store.open(id("message"), LIFE), ChatTerms.NONE, List.of(thinking, user("and")));
    assertThat(store.bytes()).isBetween(40_000L, 64_000L);
    ChatTerms options =
        new ChatTerms(
            Map.of("x", large), List.of(), new ToolChoice.Auto(), true, History.AS_RENDERED);
    speak(store.open(id("option"), LIFE), options, List.of(user("and")));
    assertThat(store.bytes()).isBetween(40_000L, 64_000L);
    assertThat(store.find(id("message"), LIFE)).isEmpty();
    Transcript option = store.find(id("option"), LIFE).orElseThrow();
    speak(option, ChatTerms.NONE, List.of(user("other")));
    assertThat(store.bytes()).isLessThan(4_000);
    option.keep(new LastTurn(0, 0, "question", "answer", 70_000));
    assertThat(store.size()).isZero();
  }

  @Test
  void openForgotten_saysSoUntilAWholeConversationIsCommitted() {
    Transcripts store = new Transcripts(TOKENIZER, 1 << 20, CLOCK);
    Transcript forgotten = store.openForgotten(id("a"), LIFE);
    assertThat(forgotten.isForgotten()).isTrue();
    assertThat(store.fork(id("a"), LIFE, id("child"), LIFE).orElseThrow().isForgotten()).isTrue();
    speak(forgotten);
    assertThat(forgotten.isForgotten()).isFalse();
    assertThat(forgotten.isFragment()).isFalse();
    Transcript begun = store.open(id("b"), LIFE);
    assertThat(store.openForgotten(id("b"), LIFE)).isSameAs(begun);
    assertThat(begun.isForgotten()).isFalse();
  }

  @Test
  void copy_whileTurnsAreCommitted_isOfOneTurn() {
    Transcripts store = new Transcripts(TOKENIZER, 1 << 20, CLOCK);
    Transcript said = store.open(id("a"), LIFE);
    List<Map<String, ?>> much = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      much.add(user("lower " + i));
      much.add(Fixture.said("assistant", "low"));
    }
    much.add(user("and"));
    CompletableFuture<Void> turns =
        CompletableFuture.runAsync(() -> {
          for (int i = 0; i < 300; i++) {
            speak(said, ChatTerms.NONE, much);
            speak(said);
          }
        });
    do {
      Transcript copy = store.copy(id("a"), LIFE).orElseThrow();
      int messages = copy.messages().size();
      assertThat(messages).isIn(0, 2, much.size() + 1);
      assertThat(copy.tokenEnd(copy.pieces().size())).isEqualTo(copy.committed());
      if (messages > 0) {
        Prompt prompt =
            builder.chat(List.of(user("the")), Input.DELTA, ChatTerms.NONE, Optional.of(copy));
        assertThat(prompt.extendsCommitted()).isTrue();
        assertThat(prompt.knownPrefix()).isEqualTo(copy.committed());
      }
    } while (!turns.isDone());
    turns.join();
  }

  private void speak(Transcript transcript) {
    speak(transcript, ChatTerms.NONE, List.of(user("the lower")));
  }

  private void speak(Transcript transcript, ChatTerms terms, List<Map<String, ?>> messages) {
    Prompt prompt = builder.chat(messages, Input.FULL, terms, Optional.of(transcript));
    Fixture.Ended ended = Fixture.end(prompt, Tokens.of('a', Fixture.END), Optional.empty());
    TurnMode mode = transcript.committed() == 0 ? TurnMode.OPENED : TurnMode.REWIND;
    transcript.commit(prompt, mode, ended.end(), ended.message(prompt));
  }

  private static SessionId id(String name) {
    return new SessionId(Tenant.DEFAULT, name);
  }
}
