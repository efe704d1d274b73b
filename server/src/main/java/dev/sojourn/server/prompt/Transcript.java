package dev.sojourn.server.prompt;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.sojourn.core.SessionTokens;
import dev.sojourn.core.TokenBuffer;
import dev.sojourn.core.Tokens;
import dev.sojourn.core.TurnMode;
import dev.sojourn.engine.TurnEnd;
import dev.sojourn.server.prompt.Piece.Kind;
import dev.sojourn.text.Detokenizer;
import dev.sojourn.text.Tokenizer;
import java.io.ByteArrayOutputStream;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * What one life of a session has said, as its engine session holds it: the committed ids, the text
 * they stand for, and the messages.
 *
 * <pre>
 *   ids     │ prompt 1 │ answer 1 │ end │ prompt 2 │ answer 2 │ end │
 *   text    │ pieces…  │ SAMPLED  │ …   │ pieces…  │ SAMPLED  │ …   │   what a template must render
 *   said    │ system, user │ assistant │ user      │ assistant      │   what a client must send
 * </pre>
 *
 * <p>The ids of an answer are those that were sampled, whatever its text would be tokenised to. A
 * turn reads the transcript and leaves it alone; only {@link #commit} changes it. Used by one
 * thread at a time: whoever holds the lease on the session; {@link #copyTo} may be called by any.
 *
 * <p>Longer than other classes because ids, text and messages are three views of one thing: every
 * commit, cut and copy changes all of them or none.
 */
public final class Transcript {

  private final Tokenizer tokenizer;
  private LocalDateTime begun;
  private final Consumer<Transcript> grown;

  private final TokenBuffer ids = new TokenBuffer(0);
  private final List<Piece> pieces = new ArrayList<>();
  private final List<Map<String, ?>> messages = new ArrayList<>();
  private final List<Long> messageBytes = new ArrayList<>(); // of each and those before it
  private Map<String, ?> options = Map.of();
  private long optionBytes;
  private String answerBegun = ""; // with which the model went on
  private int firstPrompt;
  private int lastPrompt;
  private long digest;
  private boolean fragment;
  private boolean asSampled;
  private boolean implicit;
  private int turns;
  private Optional<Question> question = Optional.empty();
  private @Nullable LastTurn lastTurn;
  private @Nullable Map<String, ?> asideAnswer; // the last one since the session's last turn

  /**
   * Creates an empty transcript.
   *
   * @param begun when the session began: what templates that tell the date say in all its turns
   * @param grown called after each commit, and when a turn is kept
   */
  Transcript(Tokenizer tokenizer, LocalDateTime begun, Consumer<Transcript> grown) {
    this.tokenizer = tokenizer;
    this.begun = begun;
    this.grown = grown;
  }

  /** Notes that nobody opened the session expressly. */
  public void openedImplicitly() {
    implicit = true;
  }

  /** Notes, while this is empty, that something may have been said that is not known here. */
  void forget() {
    fragment = true;
  }

  /** Returns whether nothing is known of a session that may have said something. */
  public boolean isForgotten() {
    return fragment && committed() == 0;
  }

  /**
   * Returns whether the session may be taken over: nobody opened it expressly, and all it knows is
   * one turn, which may have been a side request.
   */
  boolean givesWay() {
    return implicit && turns == 1;
  }

  /** Returns the last turn, if it was kept. */
  public Optional<LastTurn> lastTurn() {
    return Optional.ofNullable(lastTurn);
  }

  /** Keeps the turn that was just committed, until the next one is. */
  public void keep(LastTurn turn) {
    lastTurn = turn;
    grown.accept(this);
  }

  /** Returns the number of committed tokens. */
  public int committed() {
    return ids.length();
  }

  /** Returns the digest of the committed tokens, as the engine told it. */
  public long digest() {
    return digest;
  }

  /** Returns the committed ids. */
  public Tokens tokens() {
    return ids.view();
  }

  /**
   * Takes over what the engine committed when a turn ended. A turn that was served aside changed
   * nothing, and changes nothing here.
   *
   * @param prompt what the turn was built from; by {@link PromptBuilder}, under the same lease
   * @param mode what the turn did to the session
   * @param end how it ended
   * @param answer the message that the client was told; of a chat's turn
   * @throws IllegalStateException if the engine's session is not what this transcript makes of it
   */
  public void commit(Prompt prompt, TurnMode mode, TurnEnd end, Map<String, ?> answer) {
    if (mode == TurnMode.ASIDE) {
      servedAside(prompt, answer);
    }
    if (mode == TurnMode.ASIDE || mode == TurnMode.NONE) {
      return;
    }
    int length = prompt.length() + end.completion().length();
    if (end.prompt().length() != prompt.length() || end.committed() != length) {
      throw new IllegalStateException(
          "the engine committed %d tokens of a prompt of %d; the transcript has %d of %d"
              .formatted(end.committed(), end.prompt().length(), length, prompt.length()));
    }
    add(prompt, end, answer, end.digest());
  }

  /**
   * Remembers the answer to a side request: a conversation in which it comes back was none.
   *
   * @param answer the message that the client was told; of a chat's turn
   */
  public synchronized void servedAside(Prompt prompt, Map<String, ?> answer) {
    if (prompt.draft().said().chat()) {
      asideAnswer = answer;
      grown.accept(this);
    }
  }

  /** Returns whether messages hold the answer to the last side request. */
  boolean goesOnAside(List<Map<String, ?>> sent) {
    return asideAnswer != null && Conversation.contains(sent, asideAnswer);
  }

  /** Takes over a turn of a session that no engine holds. */
  public void commitUnheld(Prompt prompt, TurnEnd end, Map<String, ?> answer) {
    add(prompt, end, answer, 0);
  }

  /** Takes over, into an empty transcript, what another one of its session knows beside the ids. */
  void goOnFrom(Transcript before) {
    begun = before.begun;
    give(before.options);
  }

  /**
   * Takes over, into an empty transcript, what an engine holds. Of the messages only the last
   * answer can be told.
   */
  synchronized void restore(SessionTokens held) {
    Tokens all = held.ids();
    ids.append(all);
    digest = held.digest();
    lastPrompt = held.lastPrompt();
    firstPrompt = lastPrompt;
    fragment = true;
    if (lastPrompt > 0) {
      addPiece(raw(all.slice(0, lastPrompt)), lastPrompt, Kind.TEXT);
    }
    boolean stopped =
        all.length() > lastPrompt && tokenizer.spelling().special(all.get(all.length() - 1));
    int end = all.length() - (stopped ? 1 : 0);
    String said = text(all.slice(lastPrompt, end));
    if (end > lastPrompt) {
      addPiece(tokenizer.protect(said), end, Kind.SAMPLED);
    }
    if (stopped) {
      addPiece(tokenizer.spelling().text(all.get(end)), all.length(), Kind.TO_SPECIAL);
    }
    addMessage(Map.of("role", "assistant", "content", said));
    grown.accept(this);
  }

  /** Returns a copy as of the last turn, which changes no more. Any thread may. */
  synchronized Transcript copy() {
    Transcript copy = new Transcript(tokenizer, begun, _ -> {});
    copyTo(copy);
    copy.implicit = implicit;
    copy.turns = turns;
    copy.asideAnswer = asideAnswer;
    return copy;
  }

  /** Tells another, empty transcript all that was committed. Any thread may. */
  synchronized void copyTo(Transcript other) {
    other.ids.append(ids.view());
    other.pieces.addAll(pieces);
    other.messages.addAll(messages);
    other.messageBytes.addAll(messageBytes);
    other.answerBegun = answerBegun;
    other.give(options);
    other.asSampled = asSampled;
    other.question = question;
    other.begun = begun;
    other.fragment = fragment;
    other.firstPrompt = firstPrompt;
    other.lastPrompt = lastPrompt;
    other.digest = digest;
    other.grown.accept(other);
  }

  private synchronized void add(Prompt prompt, TurnEnd end, Map<String, ?> answer, long newDigest) {
    digest = newDigest;
    Prompt.Draft draft = prompt.draft();
    int textKept = textEnd(draft.piecesKept());
    // An older question counts only while all its text is there.
    question =
        draft
            .said()
            .question()
            .filter(q -> q.textEnd() <= textKept || !question.equals(Optional.of(q)));
    ids.truncate(prompt.knownPrefix());
    ids.append(prompt.fresh());
    cut(pieces, draft.piecesKept());
    pieces.addAll(draft.pieces());
    lastPrompt = ids.length();
    addAnswer(end);
    if (firstPrompt == 0 || firstPrompt > prompt.knownPrefix()) {
      firstPrompt = prompt.length();
    }
    fragment &= draft.said().kept() > 0;
    cut(messages, draft.said().kept());
    cut(messageBytes, draft.said().kept());
    draft.said().added().forEach(this::addMessage);
    if (draft.said().chat()) {
      addMessage(answer);
    }
    give(draft.said().options());
    asSampled = draft.said().rendering().asSampled();
    turns++;
    lastTurn = null;
    asideAnswer = null;
    answerBegun = draft.said().opening().begun();
    grown.accept(this);
  }

  private void addMessage(Map<String, ?> message) {
    messages.add(message);
    messageBytes.add((messageBytes.isEmpty() ? 0 : messageBytes.getLast()) + JsonSize.of(message));
  }

  private void give(Map<String, ?> variables) {
    options = variables;
    optionBytes = JsonSize.of(variables);
  }

  private void addAnswer(TurnEnd end) {
    int stops = end.stopToken().isPresent() ? 1 : 0;
    Tokens sampled = end.completion().slice(0, end.completion().length() - stops);
    ids.append(end.completion());
    if (!sampled.isEmpty()) {
      addPiece(tokenizer.protect(text(sampled)), ids.length() - stops, Kind.SAMPLED);
    }
    end.stopToken()
        .ifPresent(id -> addPiece(tokenizer.spelling().text(id), ids.length(), Kind.TO_SPECIAL));
  }

  private void addPiece(String text, int tokenEnd, Kind kind) {
    pieces.add(new Piece(text, textEnd(pieces.size()) + text.length(), tokenEnd, kind));
  }

  /** Returns the committed pieces, in order. */
  List<Piece> pieces() {
    return Collections.unmodifiableList(pieces);
  }

  /** Returns where the first {@code count} pieces end in the text. */
  int textEnd(int count) {
    return count == 0 ? 0 : pieces.get(count - 1).textEnd();
  }

  /** Returns where the first {@code count} pieces end in the ids. */
  int tokenEnd(int count) {
    return count == 0 ? 0 : pieces.get(count - 1).tokenEnd();
  }

  /** Returns the committed messages; none after a plain completion. */
  List<Map<String, ?>> messages() {
    return Collections.unmodifiableList(messages);
  }

  /** Returns whether the messages are only the last ones: what was said before is not known. */
  boolean isFragment() {
    return fragment;
  }

  /** Returns what the template was given beside messages. */
  Map<String, ?> options() {
    return options;
  }

  /**
   * Returns whether this is what the template was given beside messages. Of a fragment that nobody
   * knows that of, it may be, if that is tools alone, and they are named in what was said.
   */
  boolean wasGiven(Map<String, ?> variables) {
    return variables.equals(options)
        || (fragment
            && options.isEmpty()
            && variables.keySet().equals(Set.of(ChatTerms.TOOLS))
            && ChatTerms.names(ChatTerms.tools(variables)).stream().allMatch(this::mentions));
  }

  private boolean mentions(String tool) {
    String quoted = "\"" + tool + "\"";
    return pieces.stream().anyMatch(piece -> piece.text().contains(quoted));
  }

  /** Returns whether answers stand as they were sampled, which the template might not write. */
  boolean isAsSampled() {
    return asSampled;
  }

  LocalDateTime begun() {
    return begun;
  }

  /** Returns where the user asked last, if what is before that can be left alone. */
  Optional<Question> question() {
    return question;
  }

  /** Returns the length of the first prompt that still stands. */
  int firstPrompt() {
    return firstPrompt;
  }

  /**
   * Returns what the last answer was begun with and what its tokens spell, the one that ended it
   * included.
   */
  String lastAnswer() {
    int from = pieces.size();
    while (from > 0 && pieces.get(from - 1).tokenEnd() > lastPrompt) {
      from--;
    }
    StringBuilder text = new StringBuilder(answerBegun);
    pieces.subList(from, pieces.size()).forEach(piece -> text.append(piece.text()));
    return text.toString();
  }

  /** Returns whether a token ended the last answer. */
  boolean ended() {
    return !pieces.isEmpty()
        && pieces.getLast().kind() == Kind.TO_SPECIAL
        && pieces.getLast().tokenEnd() > lastPrompt;
  }

  /**
   * Returns that beginning of a sampled piece, in whole tokens, which another text has in its
   * place; nothing if the first token differs already.
   *
   * @param from where the other text begins in the transcript's
   * @param text agrees with the pieces before this one
   */
  Optional<Piece> sampledPrefix(int index, int from, String text) {
    Piece piece = pieces.get(index);
    int start = textEnd(index);
    Detokenizer stream = new Detokenizer(tokenizer.spelling());
    int shown = 0;
    int bytes = 0;
    Optional<Piece> same = Optional.empty();
    for (int at = tokenEnd(index); at < piece.tokenEnd(); at++) {
      bytes += tokenizer.spelling().of(ids.get(at)).length;
      String more = stream.append(ids.get(at), bytes);
      // The piece's text has marks where an answer spells a control token; none are kept behind.
      if (!text.startsWith(more, start - from + shown) || !piece.text().startsWith(more, shown)) {
        break;
      }
      shown += more.length();
      if (!more.isEmpty() && stream.pending() == 0) {
        String kept = piece.text().substring(0, shown);
        same = Optional.of(new Piece(kept, start + shown, at + 1, Kind.SAMPLED));
      }
    }
    return same;
  }

  /**
   * Returns about how many bytes of memory this takes: ids, their text, messages, what else the
   * template was given, the last turn.
   */
  long bytes() {
    long said = messageBytes.isEmpty() ? 0 : messageBytes.getLast();
    long kept = lastTurn == null ? 0 : lastTurn.bytes();
    long text = 64L * pieces.size() + 2L * textEnd(pieces.size());
    long aside = asideAnswer == null ? 0 : JsonSize.of(asideAnswer);
    return 1024 + 8L * ids.length() + text + said + optionBytes + kept + aside;
  }

  private String raw(Tokens tokens) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    tokens.stream().forEach(id -> bytes.writeBytes(tokenizer.spelling().raw(id)));
    return bytes.toString(UTF_8);
  }

  private String text(Tokens sampled) {
    Detokenizer stream = new Detokenizer(tokenizer.spelling());
    StringBuilder text = new StringBuilder();
    int bytes = 0;
    for (int i = 0; i < sampled.length(); i++) {
      bytes += tokenizer.spelling().of(sampled.get(i)).length;
      text.append(stream.append(sampled.get(i), bytes));
    }
    return text.append(stream.finish(bytes)).toString();
  }

  private static void cut(List<?> list, int size) {
    list.subList(size, list.size()).clear();
  }
}
