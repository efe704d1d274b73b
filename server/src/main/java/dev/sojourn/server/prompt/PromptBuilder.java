package dev.sojourn.server.prompt;

import dev.sojourn.core.Clock;
import dev.sojourn.core.Fault;
import dev.sojourn.core.SessionControl.Input;
import dev.sojourn.core.Tokens;
import dev.sojourn.server.prompt.Prompt.Said;
import dev.sojourn.text.Tokenizer;
import dev.sojourn.text.template.ChatTemplate;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Builds the token ids of a turn's prompt.
 *
 * <p>What is the same as in the transcript keeps its ids; only other text is tokenised. Where the
 * template writes an earlier message in another way than the transcript has it, the template wins,
 * and the ids are cut at the first that differs. Where it writes from left to right ({@link
 * SuffixLocality}) and the messages begin with those of the transcript, only what is new is
 * rendered; the ids are the same either way.
 *
 * <p>Thread-safe; a transcript is used by one thread at a time. Faults are {@link
 * dev.sojourn.core.FaultException}s.
 */
public final class PromptBuilder {

  private final Alignment alignment;
  private final Optional<ChatRenderer> renderer;
  private final boolean local;
  private final Clock clock;

  private PromptBuilder(
      Alignment alignment, Optional<ChatRenderer> renderer, boolean local, Clock clock) {
    this.alignment = alignment;
    this.renderer = renderer;
    this.local = local;
    this.clock = clock;
  }

  /**
   * Creates a builder. Tries what the template is like, which takes milliseconds.
   *
   * @param tokenizer stays its owner's
   * @param template of chats; without one, there are only completions
   */
  public static PromptBuilder of(
      Tokenizer tokenizer, Optional<ChatTemplate> template, Clock clock) {
    Optional<ChatRenderer> renderer = template.map(t -> new ChatRenderer(t, tokenizer));
    boolean local = renderer.filter(SuffixLocality::holds).isPresent();
    return new PromptBuilder(new Alignment(tokenizer), renderer, local, clock);
  }

  /** Returns a builder that always renders whole conversations: what the quick way must equal. */
  PromptBuilder renderingAll() {
    return new PromptBuilder(alignment, renderer, false, clock);
  }

  /** Returns whether only what is new in a conversation needs to be rendered. */
  public boolean suffixLocal() {
    return local;
  }

  /**
   * Builds the prompt of a chat turn.
   *
   * @param messages JSON trees as the client sent them, roles checked; not changed later by anyone
   * @param input whether they are the whole conversation or only what is new
   * @param options what else the template is given, by name; JSON trees
   * @param transcript of the session, if it has one
   */
  public Prompt chat(
      List<? extends Map<String, ?>> messages,
      Input input,
      Map<String, ?> options,
      Optional<Transcript> transcript) {
    ChatRenderer chat =
        renderer.orElseThrow(() ->
            Fault.invalid("messages", "this model has no chat template; use /v1/completions")
                .asException());
    Optional<Transcript> held = held(input, transcript);
    if (held.isEmpty()) {
      List<Map<String, ?>> sent = Conversation.canonical(messages);
      LocalDateTime begun = transcript.map(Transcript::begun).orElseGet(this::now);
      return alignment.begin(chat.render(sent, options, begun), new Said(0, sent, options, true));
    }
    return chat(chat, held.get(), said(held.get(), messages, input, options));
  }

  private Prompt chat(ChatRenderer chat, Transcript held, Said said) {
    List<Map<String, ?>> earlier = held.messages().subList(0, said.kept());
    boolean extended = said.kept() > 0 && said.kept() == held.messages().size();
    if (local
        && extended
        && SuffixLocality.covers(said.added())
        && said.options().equals(held.options())) {
      Optional<String> rest =
          SuffixLocality.continuation(
              chat,
              earlier.getLast(),
              held.lastAnswer(),
              said.added(),
              said.options(),
              held.begun());
      if (rest.isPresent()) {
        return alignment.extend(held, rest.get(), said);
      }
    }
    if (held.isFragment() && said.kept() > 0) {
      throw forgotten();
    }
    List<Map<String, ?>> all = new ArrayList<>(earlier);
    all.addAll(said.added());
    return alignment.match(held, chat.render(all, said.options(), held.begun()), said);
  }

  private static Said said(
      Transcript held, List<? extends Map<String, ?>> sent, Input input, Map<String, ?> options) {
    if (input == Input.FULL) {
      int kept = held.isFragment() ? 0 : Conversation.equalMessages(held.messages(), sent);
      List<Map<String, ?>> added = Conversation.canonical(sent.subList(kept, sent.size()));
      return new Said(kept, added, options, true);
    }
    if (held.messages().isEmpty()) {
      throw Fault.invalid(
              "nvext.session_control.input",
              "the session's last turn was a plain completion; there are no messages to add to")
          .asException();
    }
    return new Said(held.messages().size(), Conversation.canonical(sent), options, true);
  }

  /**
   * Builds the prompt of a plain completion; special tokens spelled in it count.
   *
   * @param text the whole context, or what is new
   */
  public Prompt completion(String text, Input input, Optional<Transcript> transcript) {
    Optional<Transcript> held = held(input, transcript);
    if (held.isEmpty()) {
      return alignment.begin(text, Said.NOTHING);
    }
    return input == Input.FULL
        ? alignment.match(held.get(), text, Said.NOTHING)
        : alignment.extend(held.get(), text, Said.NOTHING);
  }

  /**
   * Builds the prompt of a plain completion from ids, which are taken as they are.
   *
   * @param ids the whole context, or what is new
   */
  public Prompt completion(Tokens ids, Input input, Optional<Transcript> transcript) {
    return alignment.ids(held(input, transcript), ids, input);
  }

  /** Returns the transcript if anything is in it. */
  private static Optional<Transcript> held(Input input, Optional<Transcript> transcript) {
    if (input == Input.DELTA && transcript.isEmpty()) {
      throw forgotten();
    }
    return transcript.filter(t -> t.committed() > 0);
  }

  private static RuntimeException forgotten() {
    return new Fault.Conflict(
            "context_lost",
            "what the session said so far is not held here any more; send the full conversation",
            Map.of())
        .asException();
  }

  private LocalDateTime now() {
    return LocalDateTime.ofInstant(clock.now(), ZoneId.systemDefault());
  }
}
