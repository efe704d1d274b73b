package dev.sojourn.text;

import java.util.List;
import java.util.stream.Collectors;

/**
 * The splitting rules of a byte-level vocabulary, by the names that GGUF files give them: a text is
 * split into words by regular expressions, and no token reaches over a word's end.
 *
 * <p>The expressions are those of the models' own {@code tokenizer.json}; which names share them is
 * known from llama.cpp's {@code llama-vocab.cpp}.
 *
 * @param names in GGUF files
 * @param patterns regular expressions, applied one after the other; each match is a word
 * @param ignoreMerges whether a word that is in the vocabulary is its token, whatever merges say
 * @param composed whether the text is brought to Unicode's composed form (NFC) first
 */
record PreTokenizer(
    List<String> names, List<String> patterns, boolean ignoreMerges, boolean composed) {

  private static final String CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
  private static final String WORD = "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+";
  private static final String SPACES = "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  private static final String SYMBOLS = "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*";
  private static final String SYMBOLS_AND_SLASH = "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*";

  // Words that break where lower case turns to upper: "camelCase" is two.
  private static final String UPPER = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
  private static final String LOWER = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";
  private static final String WORD_TO_LOWER = "[^\\r\\n\\p{L}\\p{N}]?" + UPPER + "*" + LOWER + "+";
  private static final String WORD_FROM_UPPER =
      "[^\\r\\n\\p{L}\\p{N}]?" + UPPER + "+" + LOWER + "*";

  private static final String GPT_2_WORDS =
      "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

  private static final List<PreTokenizer> KNOWN =
      List.of(
          new PreTokenizer(
              List.of("gpt-2", "phi-2", "mpt", "olmo"), List.of(GPT_2_WORDS), false, false),
          // GPT-2's, after single digits.
          new PreTokenizer(
              List.of("smollm", "starcoder", "refact", "command-r", "codeshell"),
              List.of("\\p{N}", GPT_2_WORDS),
              false,
              false),
          // Llama 3: digits by three.
          new PreTokenizer(
              List.of("llama-bpe", "llama3", "llama-v3", "falcon3"),
              List.of(CONTRACTIONS + "|" + WORD + "|\\p{N}{1,3}" + SYMBOLS + SPACES),
              true,
              false),
          // Qwen 2 and 3: single digits.
          new PreTokenizer(
              List.of("qwen2", "deepseek-r1-qwen"),
              List.of(CONTRACTIONS + "|" + WORD + "|\\p{N}" + SYMBOLS + SPACES),
              false,
              true),
          // Mistral Nemo and later.
          new PreTokenizer(
              List.of("tekken"),
              List.of(
                  String.join("|", WORD_TO_LOWER, WORD_FROM_UPPER, "\\p{N}")
                      + SYMBOLS_AND_SLASH
                      + SPACES),
              true,
              false),
          // Phi-4-mini.
          new PreTokenizer(
              List.of("gpt-4o"),
              List.of(
                  String.join(
                          "|",
                          WORD_TO_LOWER + CONTRACTIONS + "?",
                          WORD_FROM_UPPER + CONTRACTIONS + "?",
                          "\\p{N}{1,3}")
                      + SYMBOLS_AND_SLASH
                      + SPACES),
              false,
              false));

  /**
   * Returns the rules of this name.
   *
   * @throws VocabularyException that lists the known names, if this is none of them
   */
  static PreTokenizer named(String name) {
    for (PreTokenizer rules : KNOWN) {
      if (rules.names.contains(name)) {
        return rules;
      }
    }
    String problem =
        name.isEmpty()
            ? "the vocabulary names no pre-tokenizer (tokenizer.ggml.pre)"
            : "pre-tokenizer \"" + name + "\" is not known";
    String known =
        KNOWN.stream()
            .flatMap(rules -> rules.names.stream())
            .sorted()
            .collect(Collectors.joining(", "));
    throw new VocabularyException(problem + "; known are " + known);
  }
}
