package dev.sojourn.text;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.sojourn.text.Vocabulary.Kind;
import dev.sojourn.text.Vocabulary.TokenType;
import dev.sojourn.text.Vocabulary.TokenizerFile;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.stream.IntStream;

/** Small vocabularies, trained on a few sentences, with the special tokens of ChatML. */
final class TestVocabulary {

  private static final String SAMPLE =
      "The lower tower was lower than the newer tower; they'll show we've shown 1234 numbers, "
          + "and the naïve café owner said: über alles größer 東京 東京都 привет привет 🙂🙂 🙃.\n\n"
          + "the the the then there these  two spaces   three spaces\n\tindented camelCase words\n";

  private TestVocabulary() {}

  /** 256 bytes, 120 merges, then the special tokens. */
  static Vocabulary byteLevel(String preTokenizer) {
    return byteLevel(preTokenizer, false);
  }

  static Vocabulary byteLevel(String preTokenizer, boolean addBos) {
    List<String> tokens = new ArrayList<>();
    for (int b = 0; b < 256; b++) {
      tokens.add(letter(b));
    }
    List<List<String>> words = new ArrayList<>();
    for (String word : SAMPLE.split("(?= )", -1)) {
      List<String> letters = new ArrayList<>();
      for (byte b : word.getBytes(UTF_8)) {
        letters.add(letter(b & 0xFF));
      }
      words.add(letters);
    }
    List<String> merges = new ArrayList<>();
    for (int round = 0; round < 120; round++) {
      String best = mostFrequentPair(words);
      String[] pair = best.split(" ", 2);
      merges.add(best);
      tokens.add(pair[0] + pair[1]);
      words.forEach(word -> join(word, pair[0], pair[1]));
    }
    List<TokenType> types = new ArrayList<>(Collections.nCopies(tokens.size(), TokenType.NORMAL));
    Map<String, TokenType> specials = new LinkedHashMap<>();
    specials.put("<|endoftext|>", TokenType.CONTROL);
    specials.put("<|im_start|>", TokenType.CONTROL);
    specials.put("<|im_end|>", TokenType.CONTROL);
    specials.put("<|im_end|>\n", TokenType.CONTROL);
    specials.put("<think>", TokenType.USER_DEFINED);
    specials.put("</think>", TokenType.USER_DEFINED);
    specials.forEach((token, type) -> {
      tokens.add(token);
      types.add(type);
    });
    int end = tokens.indexOf("<|endoftext|>");
    return new Vocabulary(
        Kind.BYTE_LEVEL_BPE,
        preTokenizer,
        tokens,
        types,
        merges,
        List.of(),
        OptionalInt.of(end),
        OptionalInt.of(end),
        List.of(end, tokens.indexOf("<|im_end|>")),
        OptionalInt.empty(),
        addBos,
        false,
        Optional.empty());
  }

  /** The same tokens, read by a file's rules. */
  static Vocabulary withFile(Vocabulary other, TokenizerFile file) {
    return new Vocabulary(
        other.kind(),
        "tokenizer.json",
        other.tokens(),
        other.types(),
        List.of(),
        List.of(),
        other.bos(),
        other.eos(),
        other.endOfTurn(),
        other.unknown(),
        other.addBos(),
        other.addSpacePrefix(),
        Optional.of(file));
  }

  /** {@code <unk>}, {@code <s>}, {@code </s>}, 256 bytes, then pieces with falling scores. */
  static Vocabulary sentencePiece() {
    List<String> tokens = new ArrayList<>(List.of("<unk>", "<s>", "</s>"));
    List<TokenType> types =
        new ArrayList<>(List.of(TokenType.UNKNOWN, TokenType.CONTROL, TokenType.CONTROL));
    for (int b = 0; b < 256; b++) {
      tokens.add("<0x%02X>".formatted(b));
      types.add(TokenType.BYTE);
    }
    List<String> pieces =
        List.of(
            "\u2581t",
            "he",
            "\u2581the",
            "er",
            "lo",
            "\u2581lo",
            "\u2581low",
            "wer",
            "\u2581lower",
            "\u2581\u2581",
            "in",
            "ing",
            "\u2581w",
            "or",
            "ord",
            "\u2581word",
            "é",
            "東",
            "東京",
            "\u2581",
            "t",
            "h",
            "e",
            "r",
            "l",
            "o",
            "w",
            "i",
            "n",
            "g",
            "d",
            "s",
            "a",
            ".",
            ",");
    tokens.addAll(pieces);
    types.addAll(Collections.nCopies(pieces.size(), TokenType.NORMAL));
    List<Float> scores =
        IntStream.range(0, tokens.size()).mapToObj(id -> id < 259 ? 0f : 259f - id).toList();
    return new Vocabulary(
        Kind.SENTENCE_PIECE,
        "default",
        tokens,
        types,
        List.of(),
        scores,
        OptionalInt.of(1),
        OptionalInt.of(2),
        List.of(2),
        OptionalInt.of(0),
        true,
        true,
        Optional.empty());
  }

  /** GPT-2's letter for a byte, by the rule that {@link ByteAlphabet} inverts. */
  private static String letter(int b) {
    boolean printable = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
    int shifted = b <= 32 ? 256 + b : b <= 160 ? 256 + b - 94 : 323;
    return Character.toString(printable ? b : shifted);
  }

  private static String mostFrequentPair(List<List<String>> words) {
    Map<String, Integer> counts = new HashMap<>();
    for (List<String> word : words) {
      for (int i = 0; i + 1 < word.size(); i++) {
        counts.merge(word.get(i) + " " + word.get(i + 1), 1, Integer::sum);
      }
    }
    return Collections.max(
            counts.entrySet(),
            Map.Entry.<String, Integer>comparingByValue().thenComparing(Map.Entry.comparingByKey()))
        .getKey();
  }

  private static void join(List<String> word, String left, String right) {
    for (int i = 0; i + 1 < word.size(); i++) {
      if (word.get(i).equals(left) && word.get(i + 1).equals(right)) {
        word.set(i, left + right);
        word.remove(i + 1);
      }
    }
  }
}
