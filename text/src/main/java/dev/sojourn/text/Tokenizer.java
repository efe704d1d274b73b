package dev.sojourn.text;

import dev.sojourn.core.TokenBuffer;
import dev.sojourn.core.Tokens;
import dev.sojourn.text.Vocabulary.TokenizerFile;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;

/**
 * Turns text into token ids, as the model was trained to read it.
 *
 * <p>A text is first cut at the special tokens that are spelled in it; what lies between is split
 * and merged by Hugging Face's library. So the ids of a text are those of its segments, one after
 * the other, and a text can be continued behind a special token without looking at what came
 * before.
 *
 * <p>A rendered chat template spells control tokens on purpose, and its messages may spell them by
 * accident or malice: {@link #protect} marks those in a message before it is rendered, and {@link
 * #encode} reads them as plain text (docs/decisions/0046).
 *
 * <p>Thread-safe. Holds native memory until closed.
 */
public final class Tokenizer implements AutoCloseable {

  /** Within a control token's spelling: not a control token. Doubled: itself. A noncharacter. */
  private static final char MARK = '\uFDD0';

  private final Vocabulary vocabulary;
  private final SpecialTokens specials;
  private final TokenBytes spelling;
  private final NativeTokenizer plain;
  private final Set<Integer> takesBefore;
  private final Set<Integer> takesBehind;

  private Tokenizer(Vocabulary vocabulary) {
    this.vocabulary = vocabulary;
    specials = new SpecialTokens(vocabulary);
    spelling = TokenBytes.of(vocabulary);
    plain =
        new NativeTokenizer(
            vocabulary
                .tokenizerJson()
                .map(TokenizerFile::rules)
                .orElseGet(() -> TokenizerJson.write(vocabulary)));
    takesBefore = vocabulary.tokenizerJson().map(TokenizerFile::takesBefore).orElse(Set.of());
    takesBehind = vocabulary.tokenizerJson().map(TokenizerFile::takesBehind).orElse(Set.of());
  }

  /**
   * Builds a vocabulary's tokenizer.
   *
   * @throws VocabularyException if its splitting rules are not known, or it contradicts itself
   */
  public static Tokenizer of(Vocabulary vocabulary) {
    return new Tokenizer(vocabulary);
  }

  /** Where a text stands. */
  public enum Position {
    /** It begins a context. */
    START,
    /** It follows a special token. */
    AFTER_SPECIAL,
    /** It follows a special token that white space behind it belongs to. */
    AFTER_TAKER,
    /** It follows other text. */
    AFTER_TEXT
  }

  /**
   * A piece of a text, tokenised by itself.
   *
   * @param text the characters, marks of {@link #protect} included; empty for an id that a
   *     vocabulary puts before every context
   * @param ids its tokens; none for white space that the special token before it takes
   * @param special whether it is one special token, with the white space that this takes
   */
  public record Segment(String text, Tokens ids, boolean special) {}

  /** Returns the ids of a text that begins a context; special tokens spelled in it count. */
  public Tokens encode(String text) {
    TokenBuffer ids = new TokenBuffer(text.length() / 3);
    for (Segment segment : segments(text, Position.START)) {
      ids.append(segment.ids());
    }
    return ids.view();
  }

  /**
   * Returns a text's segments, in order: special tokens spelled in it, and what lies between. At
   * the start of a context, the vocabulary's {@code bos} comes first unless the text spells it.
   */
  public List<Segment> segments(String text, Position position) {
    List<Segment> segments = new ArrayList<>();
    SpecialTokens.Match next = specials.find(text, 0, false);
    OptionalInt bos = vocabulary.bos();
    boolean spelled = next != null && next.start() == 0 && bos.equals(OptionalInt.of(next.id()));
    if (position == Position.START && vocabulary.addBos() && bos.isPresent() && !spelled) {
      segments.add(new Segment("", Tokens.of(bos.getAsInt()), true));
    }
    boolean continues = position == Position.AFTER_TEXT;
    int at = position == Position.AFTER_TAKER ? behindSpaces(text, 0) : 0;
    if (at > 0) {
      segments.add(new Segment(text.substring(0, at), Tokens.EMPTY, true));
    }
    while (next != null) {
      int start = next.start();
      while (takesBefore.contains(next.id()) && start > at && white(text.charAt(start - 1))) {
        start--;
      }
      int end = takesBehind.contains(next.id()) ? behindSpaces(text, next.end()) : next.end();
      addPlain(segments, text.substring(at, start), continues);
      segments.add(new Segment(text.substring(start, end), Tokens.of(next.id()), true));
      continues = false;
      at = end;
      next = specials.find(text, at, false);
    }
    addPlain(segments, text.substring(at), continues);
    return segments;
  }

  /** Returns where a text stands that follows a token. */
  public Position behind(int id) {
    if (takesBehind.contains(id)) {
      return Position.AFTER_TAKER;
    }
    return vocabulary.special(id) ? Position.AFTER_SPECIAL : Position.AFTER_TEXT;
  }

  /**
   * Returns a text in which spellings of control tokens are marked as plain text; to be rendered
   * and encoded, not shown. What a model's makers added without making it a control token ({@code
   * <think>}, {@code <tool_call>}) stays as it is: conversations do contain it.
   */
  public String protect(String text) {
    String doubled = text.indexOf(MARK) < 0 ? text : text.replace("\uFDD0", "\uFDD0\uFDD0");
    SpecialTokens.Match next = specials.find(doubled, 0, true);
    if (next == null) {
      return doubled;
    }
    StringBuilder marked = new StringBuilder(doubled.length() + 8);
    int at = 0;
    while (next != null) {
      int inside = doubled.offsetByCodePoints(next.start(), 1);
      marked.append(doubled, at, inside).append(MARK);
      at = inside;
      next = specials.find(doubled, at, true);
    }
    return marked.append(doubled, at, doubled.length()).toString();
  }

  /** Returns what each id spells. */
  public TokenBytes spelling() {
    return spelling;
  }

  /** Returns the vocabulary. */
  public Vocabulary vocabulary() {
    return vocabulary;
  }

  /** Returns ids as Hugging Face's library decodes them: the oracle of our own decoding. */
  String decode(Tokens ids) {
    return plain.decode(ids);
  }

  @Override
  public void close() {
    plain.close();
  }

  private static int behindSpaces(String text, int from) {
    int at = from;
    while (at < text.length() && white(text.charAt(at))) {
      at++;
    }
    return at;
  }

  /** Unicode's White_Space, as in Hugging Face's library; Java's own leaves some out. */
  private static boolean white(char letter) {
    return Character.isSpaceChar(letter) || (letter >= '\t' && letter <= '\r') || letter == 0x85;
  }

  private void addPlain(List<Segment> segments, String text, boolean continues) {
    if (text.isEmpty()) {
      return;
    }
    boolean prefix = vocabulary.addSpacePrefix() && !continues;
    String spelled = unmarked(wellFormed(text));
    segments.add(new Segment(text, plain.encode(prefix ? " " + spelled : spelled), false));
  }

  private static String unmarked(String text) {
    if (text.indexOf(MARK) < 0) {
      return text;
    }
    StringBuilder plain = new StringBuilder(text.length());
    for (int i = 0; i < text.length(); i++) {
      char letter = text.charAt(i);
      if (letter != MARK) {
        plain.append(letter);
      } else if (i + 1 < text.length() && text.charAt(i + 1) == MARK) {
        plain.append(MARK);
        i++;
      }
    }
    return plain.toString();
  }

  /** Returns the text with U+FFFD for halves of surrogate pairs, which no UTF-8 can carry. */
  private static String wellFormed(String text) {
    for (int i = 0; i < text.length(); i++) {
      if (Character.isSurrogate(text.charAt(i))) {
        return text.codePoints()
            .map(point -> point >= 0xD800 && point <= 0xDFFF ? 0xFFFD : point)
            .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
            .toString();
      }
    }
    return text;
  }
}
