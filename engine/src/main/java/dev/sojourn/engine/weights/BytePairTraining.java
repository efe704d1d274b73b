package dev.sojourn.engine.weights;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;

/**
 * Makes a byte-level vocabulary out of a text by byte-pair encoding (Sennrich et al., 2016): start
 * with the 256 bytes; again and again join the pair of neighbours that occurs most often inside the
 * words of the text. Of equally frequent pairs the one with the lowest ids is joined, so that the
 * same text always gives the same vocabulary.
 */
final class BytePairTraining {

  /**
   * A vocabulary.
   *
   * @param tokens by id, spelled in the byte-level alphabet
   * @param merges best first, as {@code "left right"}
   * @param counts by id, how often the token occurs in the text as the vocabulary spells it
   */
  record Result(List<String> tokens, List<String> merges, List<Integer> counts) {}

  /** The splitting rules of the Qwen 2 and 3 tokenizers. */
  private static final Pattern WORDS =
      Pattern.compile(
          "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}"
              + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+");

  /** A different word of the text, as ids so far, and how often it occurs. */
  private static final class Word {
    final int count;
    int[] ids;

    Word(byte[] bytes, int count) {
      this.count = count;
      ids = new int[bytes.length];
      for (int i = 0; i < ids.length; i++) {
        ids[i] = bytes[i] & 0xff;
      }
    }
  }

  private record Pair(int left, int right) {

    static final Comparator<Pair> ORDER =
        Comparator.comparingInt(Pair::left).thenComparingInt(Pair::right);
  }

  private final List<String> tokens = new ArrayList<>();
  private final List<String> merges = new ArrayList<>();
  private final List<Word> words;
  private final Map<Pair, Integer> pairs = new HashMap<>();

  private BytePairTraining(String text) {
    Map<String, Integer> counts = new TreeMap<>();
    WORDS
        .matcher(text)
        .results()
        .map(MatchResult::group)
        .forEach(w -> counts.merge(w, 1, Integer::sum));
    words =
        counts.entrySet().stream()
            .map(entry -> new Word(entry.getKey().getBytes(UTF_8), entry.getValue()))
            .toList();
    char next = 0x100; // GPT-2's alphabet: bytes that do not print take the letters from here on
    for (int b = 0; b < 256; b++) {
      boolean prints = (b > 0x20 && b < 0x7f) || (b > 0xa0 && b != 0xad);
      tokens.add(String.valueOf(prints ? (char) b : next++));
    }
    words.forEach(word -> count(word, word.count));
  }

  /**
   * Returns a vocabulary of at most {@code size} tokens; fewer where every word of the text has
   * become a token of its own.
   */
  static Result train(String text, int size) {
    BytePairTraining training = new BytePairTraining(text);
    while (training.tokens.size() < size && !training.pairs.isEmpty()) {
      training.joinBestPair();
    }
    return new Result(training.tokens, training.merges, training.tokenCounts());
  }

  private void joinBestPair() {
    Pair best =
        pairs.entrySet().stream()
            .max(
                Map.Entry.<Pair, Integer>comparingByValue()
                    .thenComparing(Map.Entry::getKey, Pair.ORDER.reversed()))
            .orElseThrow()
            .getKey();
    String left = tokens.get(best.left());
    String right = tokens.get(best.right());
    merges.add(left + ' ' + right);
    int joined = tokens.indexOf(left + right);
    if (joined < 0) {
      joined = tokens.size();
      tokens.add(left + right);
    }
    for (Word word : words) {
      join(word, best, joined);
    }
  }

  private void join(Word word, Pair pair, int joined) {
    int[] ids = new int[word.ids.length];
    int length = 0;
    for (int i = 0; i < word.ids.length; i++) {
      boolean here =
          i + 1 < word.ids.length && word.ids[i] == pair.left() && word.ids[i + 1] == pair.right();
      ids[length++] = here ? joined : word.ids[i];
      i += here ? 1 : 0;
    }
    if (length < word.ids.length) {
      count(word, -word.count);
      word.ids = Arrays.copyOf(ids, length);
      count(word, word.count);
    }
  }

  private void count(Word word, int times) {
    for (int i = 0; i + 1 < word.ids.length; i++) {
      pairs.merge(
          new Pair(word.ids[i], word.ids[i + 1]),
          times,
          (a, b) -> a + b == 0 ? null : Integer.valueOf(a + b));
    }
  }

  private List<Integer> tokenCounts() {
    int[] counts = new int[tokens.size()];
    for (Word word : words) {
      for (int id : word.ids) {
        counts[id] += word.count;
      }
    }
    return Arrays.stream(counts).boxed().toList();
  }
}
