package dev.sojourn.server.prompt;

import dev.sojourn.core.Tokens;
import dev.sojourn.text.answer.AnswerParser;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The token ids of one turn's prompt, and how they relate to what its session holds. Immutable.
 *
 * <p>Where {@link #extendsCommitted}, the worker needs {@link #fresh} alone, with the length and
 * digest that the transcript knows; else it needs the whole {@link #context}.
 */
public final class Prompt {

  private final Tokens known;
  private final Tokens fresh;
  private final int committed;
  private final Claim claim;
  private final Optional<Divergence> divergence;
  private final Draft draft;

  Prompt(
      Tokens known,
      Tokens fresh,
      int committed,
      Claim claim,
      Optional<Divergence> divergence,
      Draft draft) {
    this.known = known;
    this.fresh = fresh;
    this.committed = committed;
    this.claim = claim;
    this.divergence = divergence;
    this.draft = draft;
  }

  /**
   * What the transcript becomes when the turn is committed, but for the answer.
   *
   * @param piecesKept how many of its pieces stay
   * @param pieces those that follow
   * @param said the messages
   */
  record Draft(int piecesKept, List<Piece> pieces, Said said) {}

  /**
   * The messages of a conversation that goes on from a transcript's.
   *
   * @param kept how many of the transcript's messages it begins with
   * @param added those that follow; canonical
   * @param options what else the template is given
   * @param chat whether there are messages at all: not in a plain completion
   * @param opening how the answer begins
   * @param rendering what the template had to write
   * @param question where the user asked last, if what is before that can be left alone
   */
  record Said(
      int kept,
      List<Map<String, ?>> added,
      Map<String, ?> options,
      boolean chat,
      Opening opening,
      Rendering rendering,
      Optional<Question> question) {

    /** What a plain completion says. */
    static final Said NOTHING =
        new Said(0, List.of(), Map.of(), false, Opening.PLAIN, Rendering.NONE, Optional.empty());

    /** What a chat says, before it is rendered. */
    static Said chat(int kept, List<Map<String, ?>> added, Map<String, ?> options) {
      return new Said(kept, added, options, true, Opening.PLAIN, Rendering.NONE, Optional.empty());
    }

    Said with(Opening known, Rendering done) {
      return new Said(kept, added, options, chat, known, done, question);
    }

    Said asking(Optional<Question> last) {
      return new Said(kept, added, options, chat, opening, rendering, last);
    }
  }

  Draft draft() {
    return draft;
  }

  /** Returns what the template had to write for it. */
  public Rendering rendering() {
    return draft.said().rendering();
  }

  /** Returns how many characters had to be tokenised for it. */
  public int tokenised() {
    return draft.pieces().stream()
        .filter(piece -> piece.kind() != Piece.Kind.SAMPLED)
        .mapToInt(piece -> piece.text().length())
        .sum();
  }

  /**
   * Returns a new parser of the answer to this prompt.
   *
   * @param answerId names the answer; its calls get their ids from it
   */
  public AnswerParser parser(String answerId) {
    return draft.said().opening().parser(answerId);
  }

  /** Returns the whole context. A copy, unless all of it or nothing is known. */
  public Tokens context() {
    return known.concat(fresh);
  }

  /** Returns the length of the context. */
  public int length() {
    return known.length() + fresh.length();
  }

  /** Returns how many ids at the beginning are the session's committed ones. */
  public int knownPrefix() {
    return known.length();
  }

  /** Returns the ids behind {@link #knownPrefix}. */
  public Tokens fresh() {
    return fresh;
  }

  /** Returns how many committed ids there were of its session, or of the parent it starts from. */
  public int committed() {
    return committed;
  }

  /** Returns whether there are committed ids and the context begins with all of them. */
  public boolean extendsCommitted() {
    return committed > 0 && known.length() == committed;
  }

  /**
   * Returns how far back the session may be rewound for this prompt, as the engine understands it:
   * a prompt that diverges before the floor is served aside, and so is one with a floor that meets
   * an empty session. The floor of a side request lies behind the first divergent token. Where an
   * engine alone can tell, it is the lowest there is; none, if nothing at all is known here.
   */
  public int rewindFloor() {
    return switch (claim) {
      case GOES_ON, RESTARTS -> 0;
      case ASIDE -> known.length() + 1;
      case DOUBTFUL -> committed == 0 ? 0 : 1;
    };
  }

  /** Returns whether it is a side request, which the session is not to know of. */
  public boolean aside() {
    return claim == Claim.ASIDE;
  }

  /**
   * Returns whether it is a side request for all that is known here, and must neither open nor move
   * the session. Where that is, its engine may know better.
   */
  public boolean mayBeAside() {
    return claim == Claim.ASIDE || claim == Claim.DOUBTFUL;
  }

  /**
   * Returns whether the session is to begin anew with this prompt where it leaves what is held
   * before the end of any turn: the template writes the first message in another way now, or a
   * session that was opened by a side request gives way. What goes on from all that is known here
   * is the session's, too, though its engine may hold a turn of another gateway by now.
   */
  public boolean restarts() {
    return claim == Claim.RESTARTS || (claim == Claim.GOES_ON && extendsCommitted());
  }

  /** Returns this for a session that begins with it, whatever it shares with what is there. */
  public Prompt restarting() {
    return new Prompt(known, fresh, committed, Claim.RESTARTS, divergence, draft);
  }

  /** Returns where and why the context leaves what the session holds, if it does. */
  public Optional<Divergence> divergence() {
    return divergence;
  }
}
