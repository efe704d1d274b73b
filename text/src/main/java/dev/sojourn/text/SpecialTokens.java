package dev.sojourn.text;

import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The tokens that are recognised by their spelling before a text is tokenised: control tokens, and
 * those that a model's makers added. A trie of the spellings; the first match wins, and of those
 * that begin together the longest, as in Hugging Face's tokenizers. Immutable, thread-safe.
 */
final class SpecialTokens {

  private final Node root = new Node();

  /** Letters that begin a spelling: most letters of a text need no look into the trie. */
  private final BitSet first = new BitSet();

  SpecialTokens(Vocabulary vocabulary) {
    for (int id = 0; id < vocabulary.tokens().size(); id++) {
      String spelling = vocabulary.tokens().get(id);
      if (vocabulary.special(id) && !spelling.isEmpty()) {
        root.add(spelling, id, vocabulary.control(id));
        first.set(spelling.charAt(0));
      }
    }
  }

  /**
   * Returns the first special token spelled in {@code text} from {@code from} on.
   *
   * @param controlOnly whether only control tokens count
   */
  @Nullable Match find(String text, int from, boolean controlOnly) {
    for (int start = from; start < text.length(); start++) {
      if (!first.get(text.charAt(start))) {
        continue;
      }
      Node node = root.next(text.charAt(start));
      Match longest = null;
      for (int end = start + 1; node != null; end++) {
        if (node.id >= 0 && (node.control || !controlOnly)) {
          longest = new Match(start, end, node.id);
        }
        node = end < text.length() ? node.next(text.charAt(end)) : null;
      }
      if (longest != null) {
        return longest;
      }
    }
    return null;
  }

  /** The token {@code id}, spelled by the characters from {@code start} to {@code end}. */
  record Match(int start, int end, int id) {}

  private static final class Node {

    private final Map<Character, Node> children = new HashMap<>();
    private int id = -1;
    private boolean control;

    @Nullable Node next(char letter) {
      return children.get(letter);
    }

    void add(String spelling, int newId, boolean isControl) {
      Node node = this;
      for (int i = 0; i < spelling.length(); i++) {
        node = node.children.computeIfAbsent(spelling.charAt(i), letter -> new Node());
      }
      node.id = newId;
      node.control = isControl;
    }
  }
}
