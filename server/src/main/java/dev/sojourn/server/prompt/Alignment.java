package dev.sojourn.server.prompt;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.sojourn.core.Counted;
import dev.sojourn.core.SessionControl.Input;
import dev.sojourn.core.TokenBuffer;
import dev.sojourn.core.Tokens;
import dev.sojourn.server.prompt.Piece.Kind;
import dev.sojourn.server.prompt.Prompt.Draft;
import dev.sojourn.server.prompt.Prompt.Said;
import dev.sojourn.text.Tokenizer;
import dev.sojourn.text.Tokenizer.Position;
import dev.sojourn.text.Tokenizer.Segment;
import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * Lays a prompt's text along a transcript: the ids of those pieces that the text begins with are
 * kept, the rest is tokenised. Of a sampled answer that was changed, as many tokens are kept as
 * spell its unchanged beginning; of other text whole pieces, up to a special token, since ids in
 * the middle of a text depend on what follows them. Immutable, thread-safe.
 */
final class Alignment {

  static final String OTHER_OPTIONS =
      "the tools or the template's options are not those of the turn before";

  private final Tokenizer tokenizer;

  Alignment(Tokenizer tokenizer) {
    this.tokenizer = tokenizer;
  }

  /**
   * Returns the prompt of a text that nothing is held of.
   *
   * @param transcript of its session, in which is nothing
   */
  Prompt begin(String text, Said said, Optional<Transcript> transcript) {
    boolean forgotten = transcript.filter(Transcript::isForgotten).isPresent();
    // Who is asked for the whole conversation sends one with answers.
    boolean doubtful = forgotten && said.chat() && !isUnderWay(said);
    return begin(text, Position.START, said, doubtful ? Claim.DOUBTFUL : Claim.GOES_ON);
  }

  /** Returns the prompt of a text behind something that is not held. */
  Prompt behind(String text, Said said) {
    return begin(text, Position.AFTER_SPECIAL, said, Claim.GOES_ON);
  }

  /** Returns ids without a first one that begins contexts. */
  Tokens behind(Tokens ids) {
    OptionalInt bos = tokenizer.vocabulary().bos();
    boolean begins =
        tokenizer.vocabulary().addBos()
            && ids.length() > 0
            && bos.equals(OptionalInt.of(ids.get(0)));
    return begins ? ids.from(1) : ids;
  }

  private Prompt begin(String text, Position position, Said said, Claim claim) {
    Tail tail = tokenise(text, position, 0, 0);
    Draft draft = new Draft(0, tail.pieces, said);
    return new Prompt(Tokens.EMPTY, tail.ids, 0, claim, Optional.empty(), draft);
  }

  /** Returns whether a transcript begins with a text, as far as a special token ends it. */
  boolean begins(Transcript held, String text) {
    Tail tail = tokenise(text, Position.START, 0, 0);
    int end =
        tail.pieces.stream()
            .filter(piece -> piece.kind() == Kind.TO_SPECIAL)
            .mapToInt(Piece::tokenEnd)
            .max()
            .orElse(0);
    return end > 0 && tail.ids.slice(0, end).mismatch(held.tokens()) == end;
  }

  /** Returns the prompt of all that a transcript holds, followed by {@code rest}. */
  Prompt extend(Transcript held, String rest, Said said) {
    return join(held, held.pieces().size(), Optional.empty(), rest, said);
  }

  /** Returns the prompt of a text that may begin with what a transcript holds. */
  Prompt match(Transcript held, String text, Said said) {
    return match(held, 0, text, said);
  }

  /**
   * Returns the prompt of what a transcript holds up to some place, and a text behind that, which
   * may go on like what is held there.
   *
   * @param at where in the transcript's text
   */
  Prompt match(Transcript held, int at, String behind, Said said) {
    List<Piece> pieces = held.pieces();
    int same = pieces.size();
    while (held.textEnd(same) > at) {
      same--;
    }
    int from = held.textEnd(same);
    String text = at == from ? behind : pieces.get(same).text().substring(0, at - from) + behind;
    while (same < pieces.size()
        && text.startsWith(pieces.get(same).text(), held.textEnd(same) - from)) {
      same++;
    }
    Optional<Piece> changed =
        same < pieces.size() && pieces.get(same).kind() == Kind.SAMPLED
            ? held.sampledPrefix(same, from, text)
            : Optional.empty();
    int end = changed.map(Piece::textEnd).orElse(held.textEnd(same));
    return join(held, same, changed, text.substring(end - from), said);
  }

  /** Returns the prompt of given ids, whole or behind what is held. */
  Prompt ids(Optional<Transcript> transcript, Tokens ids, Input input) {
    if (transcript.isEmpty()) {
      String text = spelled(ids);
      Piece piece = new Piece(text, text.length(), ids.length(), Kind.TEXT);
      Draft draft = new Draft(0, List.of(piece), Said.NOTHING);
      return new Prompt(Tokens.EMPTY, ids, 0, Claim.GOES_ON, Optional.empty(), draft);
    }
    Transcript held = transcript.get();
    int base = input == Input.DELTA ? held.committed() : held.tokens().mismatch(ids);
    Tokens fresh = input == Input.DELTA ? ids : ids.from(base);
    int kept = held.pieces().size();
    while (held.tokenEnd(kept) > base) {
      kept--;
    }
    int from = held.tokenEnd(kept);
    Tokens behind = held.tokens().slice(from, base).concat(fresh);
    String text = spelled(behind);
    Piece piece =
        new Piece(text, held.textEnd(kept) + text.length(), from + behind.length(), Kind.TEXT);
    return relate(held, base, fresh, new Draft(kept, List.of(piece), Said.NOTHING));
  }

  private Prompt join(Transcript held, int kept, Optional<Piece> changed, String rest, Said said) {
    int textEnd = changed.map(Piece::textEnd).orElse(held.textEnd(kept));
    int tokenEnd = changed.map(Piece::tokenEnd).orElse(held.tokenEnd(kept));
    Position position =
        tokenEnd == 0 ? Position.START : tokenizer.behind(held.tokens().get(tokenEnd - 1));
    Tail tail = tokenise(rest, position, textEnd, tokenEnd);
    changed.ifPresent(piece -> tail.pieces.addFirst(piece));
    return relate(held, tokenEnd, tail.ids, new Draft(kept, tail.pieces, said));
  }

  /**
   * Finds the first id that differs, which may lie behind the point from which on we tokenised, and
   * says what that means for the session.
   *
   * @param base how many committed ids stay
   * @param behind the ids that follow them
   */
  private static Prompt relate(Transcript held, int base, Tokens behind, Draft draft) {
    Tokens committed = held.tokens();
    int same = base + behind.mismatch(committed.from(base));
    Tokens fresh = behind.from(same - base);
    if (same == committed.length()) {
      return new Prompt(committed, fresh, same, Claim.GOES_ON, Optional.empty(), draft);
    }
    return new Prompt(
        committed.slice(0, same),
        fresh,
        committed.length(),
        claim(held, same, draft.said()),
        Optional.of(new Divergence(same, cause(held, draft.said()))),
        draft);
  }

  /** Returns what a prompt that leaves the session at some id is to it. */
  private static Claim claim(Transcript held, int same, Said said) {
    if (!held.isFragment()) {
      // A template may write the very first message anew, before the end of any turn.
      boolean belongs = sharesAMessage(held, same, said) || (held.givesWay() && isUnderWay(said));
      return belongs ? Claim.RESTARTS : Claim.ASIDE;
    }
    if (goesOnFromAnAnswer(held, said)) {
      return Claim.RESTARTS;
    }
    // The first prompt that is known of a fragment has all before it; of a life that was begun with
    // a replay, the engine need not know its end.
    boolean shared = held.firstPrompt() > 0 && same >= held.firstPrompt();
    return shared ? Claim.RESTARTS : Claim.DOUBTFUL;
  }

  /**
   * Returns whether a prompt goes on from some message of the session after the system message; of
   * completions, which have no messages, whether it goes on from the first prompt. Else it may
   * carry the conversation on without what was said first. Behind another system message, what has
   * answers of the session may be a summary of it, until it goes on from the answer that it got
   * aside.
   */
  private static boolean sharesAMessage(Transcript held, int same, Said said) {
    if (!said.chat() || held.messages().isEmpty()) {
      return same >= held.firstPrompt();
    }
    return !held.messages().subList(0, said.kept()).stream().allMatch(Conversation::isSystem)
        || carriesOn(held, said)
        || (held.goesOnAside(said.added()) && sharesAnAnswer(held, said));
  }

  /**
   * Returns whether a prompt under the session's own system message and tools is the conversation
   * after it was compacted, or a window of it: it goes on from the answer that it got aside, or
   * from the session's last one. Where the last turn was a delta, its client speaks in deltas, and
   * who sends all is another one.
   */
  private static boolean carriesOn(Transcript held, Said said) {
    List<Map<String, ?>> added = said.added();
    List<Map<String, ?>> before = held.messages();
    boolean sameStage =
        !added.isEmpty()
            && !Conversation.isSystem(added.getFirst())
            && said.kept() < before.size()
            && !Conversation.isSystem(before.get(said.kept()))
            && held.wasGiven(said.options());
    return sameStage
        && held.lastTurn().isEmpty()
        && (held.goesOnAside(added) || Conversation.answersLast(added, before.getLast()));
  }

  /** Returns whether a prompt whose first message is another one goes on from a held answer. */
  private static boolean sharesAnAnswer(Transcript held, Said said) {
    List<Map<String, ?>> before =
        Conversation.said(held.messages().subList(said.kept(), held.messages().size()));
    List<Map<String, ?>> now = Conversation.said(said.added());
    return before.subList(0, Conversation.equalMessages(before, now)).stream()
        .anyMatch(Conversation::isAnswer);
  }

  /**
   * Returns whether a prompt that got an answer aside goes on from that, and from the only message,
   * an answer, that is known of a fragment.
   */
  private static boolean goesOnFromAnAnswer(Transcript held, Said said) {
    return held.goesOnAside(said.added())
        && Conversation.contains(said.added(), held.messages().getFirst());
  }

  /** Returns whether a conversation has an answer in it already. */
  static boolean isUnderWay(Said said) {
    return said.chat() && said.added().stream().anyMatch(Conversation::isAnswer);
  }

  private static String cause(Transcript held, Said said) {
    if (!said.chat() || held.messages().isEmpty() || held.isFragment()) {
      return "the prompt is not what the session holds";
    }
    if (said.kept() == held.messages().size()) {
      return held.wasGiven(said.options())
          ? "the template writes an earlier message in another way than it was written before"
          : OTHER_OPTIONS;
    }
    if (said.added().isEmpty()) {
      return "the conversation ends before the session does, after "
          + new Counted(said.kept(), "message");
    }
    return "message %d (%s) is not the one that the session holds"
        .formatted(said.kept(), said.added().getFirst().get("role"));
  }

  /** Ids and the pieces that they belong to. */
  private record Tail(Tokens ids, List<Piece> pieces) {}

  private Tail tokenise(String text, Position position, int textEnd, int tokenEnd) {
    TokenBuffer ids = new TokenBuffer(text.length() / 3);
    List<Piece> pieces = new ArrayList<>();
    int begun = 0;
    int end = 0;
    List<Segment> segments = tokenizer.segments(text, position);
    for (int i = 0; i < segments.size(); i++) {
      Segment segment = segments.get(i);
      ids.append(segment.ids());
      end += segment.text().length();
      if (segment.special() || i == segments.size() - 1) {
        Kind kind = segment.special() ? Kind.TO_SPECIAL : Kind.TEXT;
        pieces.add(
            new Piece(text.substring(begun, end), textEnd + end, tokenEnd + ids.length(), kind));
        begun = end;
      }
    }
    return new Tail(ids.view(), pieces);
  }

  private String spelled(Tokens ids) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    ids.stream().forEach(id -> bytes.writeBytes(tokenizer.spelling().raw(id)));
    return bytes.toString(UTF_8);
  }
}
