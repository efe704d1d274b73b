package dev.sojourn.server.prompt;

import dev.sojourn.core.Clock;
import dev.sojourn.core.Fault;
import dev.sojourn.core.FaultException;
import dev.sojourn.core.History;
import dev.sojourn.core.SessionControl.Input;
import dev.sojourn.core.Tokens;
import dev.sojourn.server.prompt.Prompt.Said;
import dev.sojourn.text.Tokenizer;
import dev.sojourn.text.answer.AnswerStyle;
import dev.sojourn.text.answer.ParserChoice;
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
 * rendered; where it leaves alone what is before the last question ({@link QuestionLocality}), what
 * is behind that. The ids are the same either way.
 *
 * <p>Thread-safe; a transcript is used by one thread at a time. Faults are {@link FaultException}s.
 */
public final class PromptBuilder {

  private final Alignment alignment;
  private final Optional<Chat> chat;
  private final Clock clock;

  private PromptBuilder(Alignment alignment, Optional<Chat> chat, Clock clock) {
    this.alignment = alignment;
    this.chat = chat;
    this.clock = clock;
  }

  /**
   * What chats need.
   *
   * @param local whether what is new is rendered alone where it can be
   */
  private record Chat(
      ChatRenderer renderer, TemplateStyle style, Localities localities, boolean local) {

    static Chat of(ChatTemplate template, Tokenizer tokenizer, ParserChoice parsers) {
      ChatRenderer plain = new ChatRenderer(template, tokenizer);
      TemplateStyle style = TemplateStyle.of(plain, parsers);
      ChatRenderer renderer = plain.in(MessageForm.of(style));
      return new Chat(renderer, style, new Localities(renderer), true);
    }

    Chat renderingAll() {
      return new Chat(renderer, style, localities, false);
    }
  }

  /**
   * Creates a builder. Tries what the template is like, which takes milliseconds.
   *
   * @param tokenizer stays its owner's
   * @param template of chats; without one, there are only completions
   * @param parsers how answers are read, where that is not to be found out from the template
   */
  public static PromptBuilder of(
      Tokenizer tokenizer, Optional<ChatTemplate> template, ParserChoice parsers, Clock clock) {
    Optional<Chat> chat = template.map(t -> Chat.of(t, tokenizer, parsers));
    return new PromptBuilder(new Alignment(tokenizer), chat, clock);
  }

  /** Returns a builder that always renders whole conversations: what the quick way must equal. */
  PromptBuilder renderingAll() {
    return new PromptBuilder(alignment, chat.map(Chat::renderingAll), clock);
  }

  /**
   * Returns whether only what is new in a conversation needs to be rendered, where the user speaks
   * behind an answer that has neither thoughts nor calls, and the template is given nothing but
   * messages.
   */
  public boolean suffixLocal() {
    Map<String, ?> answer = Map.of("role", "assistant", "content", "Yes.");
    List<Map<String, ?>> asks = List.of(Map.of("role", "user", "content", "Really?"));
    return chat.map(c -> c.localities.of(Map.of()))
        .filter(known ->
            known.suffix().covers(answer, asks)
                || known.coversQuestion(List.of(answer, asks.getFirst())))
        .isPresent();
  }

  /** Returns how answers to chats are read. */
  public AnswerStyle answers() {
    return chat.map(c -> c.style.answers()).orElse(AnswerStyle.PLAIN);
  }

  /**
   * Builds the prompt of a chat turn.
   *
   * @param messages JSON trees as the client sent them, roles checked; not changed later by anyone
   * @param input whether they are the whole conversation or only what is new
   * @param terms what the turn says besides
   * @param transcript of the session, if it has one
   */
  public Prompt chat(
      List<? extends Map<String, ?>> messages,
      Input input,
      ChatTerms terms,
      Optional<Transcript> transcript) {
    Chat model =
        chat.orElseThrow(() ->
            Fault.invalid("messages", "this model has no chat template; use /v1/completions")
                .asException());
    Optional<Transcript> held = held(input, transcript);
    if (held.isEmpty()) {
      List<Map<String, ?>> sent = Conversation.canonical(messages);
      Conversation.checkResults(List.of(), sent, 0);
      LocalDateTime begun = transcript.map(Transcript::begun).orElseGet(this::now);
      String text = model.renderer.render(sent, terms.variables(), begun);
      boolean forgotten = transcript.filter(Transcript::isForgotten).isPresent();
      Optional<String> notAsSampled =
          forgotten && terms.history() == History.AS_SAMPLED
              ? Optional.of(SampledHistory.FORGOTTEN)
              : Optional.empty();
      Rendering done = new Rendering(true, false, text.length(), notAsSampled);
      Said chat = Said.chat(0, sent, terms.variables());
      Said opened = opened(model, chat, text, terms, done, false);
      Said said = opened.asking(asking(model, opened, text, text.length(), Optional.empty()));
      return alignment.begin(text + said.opening().begun(), said, transcript);
    }
    return chat(model, held.get(), said(held.get(), messages, input, terms), terms);
  }

  private Prompt chat(Chat model, Transcript held, Said said, ChatTerms terms) {
    boolean goesOn =
        said.kept() > 0 && said.kept() == held.messages().size() && held.wasGiven(said.options());
    boolean fragment = held.isFragment() && said.kept() > 0;
    boolean asSampled = terms.history() == History.AS_SAMPLED;
    Continuation sampled =
        goesOn && asSampled
            ? SampledHistory.behind(model.renderer, held, said.added(), said.options())
            : Continuation.UNTRIED;
    boolean sampledAgain = sampled.text().isPresent();
    Optional<String> notAsSampled =
        asSampled && !sampledAgain
            ? Optional.of(SampledHistory.whyNot(held, said, goesOn))
            : Optional.empty();
    // What a template would write of answers that were kept as sampled is yet to be seen.
    Continuation local =
        goesOn && !sampledAgain && !held.isAsSampled()
            ? continuation(model, held, said)
            : Continuation.UNTRIED;
    int rendered = sampled.rendered() + local.rendered();
    Optional<String> rest = sampled.text().or(local::text);
    if (rest.isPresent()) {
      Rendering done = new Rendering(false, sampledAgain, rendered, notAsSampled);
      Said opened = opened(model, said, rest.get(), terms, done, fragment);
      int end = held.textEnd(held.pieces().size()) + rest.get().length();
      boolean asRendered = !fragment && !sampledAgain;
      return alignment.extend(
          held,
          rest.get() + opened.opening().begun(),
          asRendered
              ? opened.asking(asking(model, opened, rest.get(), end, earlier(held, said)))
              : opened);
    }
    if (fragment) {
      throw forgotten();
    }
    Optional<Question> last = model.local ? earlier(held, said) : Optional.empty();
    Continuation behind =
        last.map(question -> behind(model, held, said, question)).orElse(Continuation.UNTRIED);
    rendered += behind.rendered();
    if (behind.text().isPresent()) {
      String text = behind.text().get();
      int at = last.orElseThrow().textEnd();
      Rendering done = new Rendering(false, false, rendered, notAsSampled);
      Said opened = opened(model, said, text, terms, done, false);
      return alignment.match(
          held,
          at,
          text + opened.opening().begun(),
          opened.asking(asking(model, opened, text, at + text.length(), last)));
    }
    List<Map<String, ?>> all = new ArrayList<>(held.messages().subList(0, said.kept()));
    all.addAll(said.added());
    String text = model.renderer.render(all, said.options(), held.begun());
    Rendering done = new Rendering(true, false, rendered + text.length(), notAsSampled);
    Said opened = opened(model, said, text, terms, done, false);
    Prompt prompt =
        alignment.match(
            held,
            text + opened.opening().begun(),
            opened.asking(asking(model, opened, text, text.length(), earlier(held, said))));
    boolean doubtful = prompt.mayBeAside() && !prompt.aside();
    return doubtful && isOfFragment(model, held, said) ? prompt.restarting() : prompt;
  }

  /**
   * Returns whether a conversation that is under way is a fragment's. No messages of that are
   * known, but their text is: it begins with the conversation's first message, or with all before
   * that, where the conversation goes on from the answer that it got aside.
   */
  private boolean isOfFragment(Chat model, Transcript held, Said said) {
    List<Map<String, ?>> sent = said.added();
    int first = 0;
    while (first < sent.size() && Conversation.isSystem(sent.get(first))) {
      first++;
    }
    if (!held.isFragment() || !Alignment.isUnderWay(said) || first == sent.size()) {
      return false;
    }
    String text;
    try {
      List<Map<String, ?>> beginning = sent.subList(0, first + 1);
      text = model.renderer.renderUnanswered(beginning, said.options(), held.begun());
    } catch (FaultException e) {
      return false; // it takes no conversation as short as that
    }
    if (alignment.begins(held, text)) {
      return true;
    }
    String content = String.valueOf(sent.get(first).get("content")).strip();
    int at = content.isEmpty() ? -1 : text.lastIndexOf(content);
    return at > 0 && held.goesOnAside(sent) && alignment.begins(held, text.substring(0, at));
  }

  /** Returns the last question of what is held, if the conversation goes on from it alike. */
  private static Optional<Question> earlier(Transcript held, Said said) {
    return held.question()
        .filter(question -> question.messages() <= said.kept())
        .filter(_ -> said.options().equals(held.options()));
  }

  /** Returns what the template writes behind a question, where that can be told alone. */
  private static Continuation behind(Chat model, Transcript held, Said said, Question question) {
    List<Map<String, ?>> behind =
        new ArrayList<>(held.messages().subList(question.messages(), said.kept()));
    behind.addAll(said.added());
    return model.localities.of(said.options()).coversQuestion(behind)
        ? QuestionLocality.text(model.renderer, behind, said.options(), held.begun())
        : Continuation.UNTRIED;
  }

  /**
   * Returns where the user has asked last when this was said.
   *
   * @param text what the template wrote at the end of the prompt
   * @param end where that ends in the prompt's text
   * @param earlier the last question before, if its place is still the same
   */
  private static Optional<Question> asking(
      Chat model, Said said, String text, int end, Optional<Question> earlier) {
    if (!Question.ends(said.added())) {
      return earlier;
    }
    int messages = said.kept() + said.added().size();
    return model
        .localities
        .of(said.options())
        .opening()
        .filter(text::endsWith)
        .map(opening -> new Question(messages, end - opening.length()));
  }

  /** Adds how the answer begins. Of a fragment that names no tools, nobody knows if it has any. */
  private static Said opened(
      Chat model, Said said, String text, ChatTerms terms, Rendering rendering, boolean fragment) {
    List<?> tools = ChatTerms.tools(said.options());
    Optional<List<?>> known = fragment && tools.isEmpty() ? Optional.empty() : Optional.of(tools);
    return said.with(Opening.of(model.style, text, known, terms), rendering);
  }

  /** Returns what the template writes behind all that is held, where that can be told alone. */
  private static Continuation continuation(Chat model, Transcript held, Said said) {
    Map<String, ?> answer = held.messages().getLast();
    if (!model.local
        || !model.localities.of(said.options()).suffix().covers(answer, said.added())) {
      return Continuation.UNTRIED;
    }
    return SuffixLocality.continuation(
        model.renderer, answer, held.lastAnswer(), said.added(), said.options(), held.begun());
  }

  private static Said said(
      Transcript held, List<? extends Map<String, ?>> sent, Input input, ChatTerms terms) {
    if (input == Input.FULL) {
      int kept = held.isFragment() ? 0 : Conversation.equalMessages(held.messages(), sent);
      return said(held, kept, sent.subList(kept, sent.size()), kept, terms.variables());
    }
    if (held.messages().isEmpty()) {
      throw Fault.invalid(
              "nvext.session_control.input",
              "the session's last turn was a plain completion; there are no messages to add to")
          .asException();
    }
    int kept = held.messages().size();
    return said(held, kept, sent, 0, terms.variablesAfter(held.options()));
  }

  private static Said said(
      Transcript held,
      int kept,
      List<? extends Map<String, ?>> behind,
      int sentBefore,
      Map<String, ?> variables) {
    List<Map<String, ?>> added = Conversation.canonical(behind);
    if (!held.isFragment()) { // else nobody here knows what was called
      Conversation.checkResults(held.messages().subList(0, kept), added, sentBefore);
    }
    return Said.chat(kept, added, variables);
  }

  /**
   * Builds the prompt of a plain completion; special tokens spelled in it count.
   *
   * @param text the whole context, or what is new
   */
  public Prompt completion(String text, Input input, Optional<Transcript> transcript) {
    Optional<Transcript> held = held(input, transcript);
    if (held.isEmpty()) {
      return alignment.begin(text, Said.NOTHING, transcript);
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

  /**
   * Builds the prompt of a plain completion whose text follows an earlier turn that is not known
   * here: as it would begin a context, but for the token that the vocabulary puts before one.
   */
  public Prompt completionBehind(String text) {
    return alignment.behind(text, Said.NOTHING);
  }

  /**
   * Returns ids that follow others: without a first one that the vocabulary puts before a context,
   * since tokenizers put it before every text.
   */
  public Tokens behind(Tokens ids) {
    return alignment.behind(ids);
  }

  /** Returns the transcript if anything is in it. */
  private static Optional<Transcript> held(Input input, Optional<Transcript> transcript) {
    if (input == Input.DELTA && transcript.filter(held -> !held.isForgotten()).isEmpty()) {
      throw forgotten();
    }
    return transcript.filter(t -> t.committed() > 0);
  }

  /** Returns {@code context_lost}: nobody knows any more what a session said. */
  public static FaultException forgotten() {
    return new Fault.Conflict(
            "context_lost", SampledHistory.FORGOTTEN + "; send the full conversation", Map.of())
        .asException();
  }

  private LocalDateTime now() {
    return LocalDateTime.ofInstant(clock.now(), ZoneId.systemDefault());
  }
}
