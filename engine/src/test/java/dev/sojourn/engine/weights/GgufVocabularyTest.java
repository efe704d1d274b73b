package dev.sojourn.engine.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sojourn.text.Vocabulary;
import dev.sojourn.text.Vocabulary.TokenType;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GgufVocabularyTest {

  @TempDir Path directory;

  @Test
  void of_byteLevelVocabulary_readsAllOfIt() {
    Vocabulary vocabulary =
        read(
            bytePairs()
                .texts("tokenizer.ggml.merges", List.of("a b"))
                .wholes("tokenizer.ggml.token_type", 1, 0, 1, 3, 3, 5)
                .whole("tokenizer.ggml.bos_token_id", 4)
                .whole("tokenizer.ggml.eos_token_id", 4));
    assertThat(vocabulary)
        .isEqualTo(
            new Vocabulary(
                Vocabulary.Kind.BYTE_LEVEL_BPE,
                "llama-bpe",
                List.of("a", "b", "ab", "<|im_end|>", "<|end|>", "[PAD5]"),
                List.of(
                    TokenType.NORMAL,
                    TokenType.NORMAL,
                    TokenType.NORMAL,
                    TokenType.CONTROL,
                    TokenType.CONTROL,
                    TokenType.UNUSED),
                List.of("a b"),
                List.of(),
                OptionalInt.of(4),
                OptionalInt.of(4),
                List.of(3, 4),
                OptionalInt.empty(),
                true,
                false,
                Optional.empty()));
  }

  @Test
  void of_sentencePieceVocabulary_addsBosAndSpaceByDefault() {
    Vocabulary vocabulary =
        read(
            new GgufWriter()
                .text("tokenizer.ggml.model", "llama")
                .texts("tokenizer.ggml.tokens", List.of("<unk>", "<s>", "</s>", "\u2581a"))
                .wholes("tokenizer.ggml.token_type", 2, 3, 3, 1)
                .reals("tokenizer.ggml.scores", 0, 0, 0, -1.5f)
                .whole("tokenizer.ggml.bos_token_id", 1)
                .whole("tokenizer.ggml.eos_token_id", 2)
                .whole("tokenizer.ggml.unknown_token_id", 0));
    assertThat(vocabulary.kind()).isEqualTo(Vocabulary.Kind.SENTENCE_PIECE);
    assertThat(vocabulary.scores()).containsExactly(0f, 0f, 0f, -1.5f);
    assertThat(vocabulary.endOfTurn()).containsExactly(2);
    assertThat(vocabulary.unknown()).hasValue(0);
    assertThat(vocabulary.addBos()).isTrue();
    assertThat(vocabulary.addSpacePrefix()).isTrue();
  }

  @Test
  void of_ordinaryTokenSpelledLikeAnEnd_endsNothing() {
    Vocabulary vocabulary = read(bytePairs().texts("tokenizer.ggml.merges", List.of()));
    assertThat(vocabulary.endOfTurn()).isEmpty();
    assertThat(vocabulary.addBos()).as("without a bos").isFalse();
  }

  @Test
  void of_contradictions_areRefused() {
    refused(new GgufWriter(), "\"tokenizer.ggml.tokens\" in the metadata (an array of texts)");
    refused(
        new GgufWriter()
            .text("tokenizer.ggml.model", "t5")
            .texts("tokenizer.ggml.tokens", List.of("a")),
        "found \"t5\", which is not supported yet");
    refused(
        new GgufWriter()
            .text("tokenizer.ggml.model", "gpt2")
            .texts("tokenizer.ggml.tokens", List.of()),
        "\"tokenizer.ggml.tokens\" to be a list of tokens, found an empty one");
    refused(bytePairs(), "expected \"tokenizer.ggml.merges\" in the metadata");
    for (String merge : List.of("a c", "b a", "ab", " ab", "a b c", "")) {
      refused(
          bytePairs().texts("tokenizer.ggml.merges", List.of("a b", merge)),
          "that make a token, found \"" + merge + "\" as number 1");
    }
    refused(
        bytePairs()
            .texts("tokenizer.ggml.merges", List.of())
            .wholes("tokenizer.ggml.token_type", 1, 1),
        "\"tokenizer.ggml.token_type\" to be as long as tokenizer.ggml.tokens (6), found 2");
    refused(
        bytePairs()
            .texts("tokenizer.ggml.merges", List.of())
            .wholes("tokenizer.ggml.token_type", 1, 1, 1, 1, 1, 7),
        "numbers from 0 to 6, found 7 for token 5");
    refused(
        bytePairs()
            .texts("tokenizer.ggml.merges", List.of())
            .whole("tokenizer.ggml.eos_token_id", 6),
        "\"tokenizer.ggml.eos_token_id\" to be a whole number from 0 to 5, found 6");
    refused(
        bytePairs()
            .texts("tokenizer.ggml.merges", List.of())
            .tensor("token_embd.weight", TensorType.F32, (row, into) -> {}, 4, 7),
        "as long as token_embd.weight has rows (7), found 6 tokens");
    refused(
        new GgufWriter()
            .text("tokenizer.ggml.model", "llama")
            .texts("tokenizer.ggml.tokens", List.of("a"))
            .reals("tokenizer.ggml.scores", Float.NaN),
        "\"tokenizer.ggml.scores\" to be finite numbers");
  }

  private static GgufWriter bytePairs() {
    return new GgufWriter()
        .text("tokenizer.ggml.model", "gpt2")
        .text("tokenizer.ggml.pre", "llama-bpe")
        .texts("tokenizer.ggml.tokens", List.of("a", "b", "ab", "<|im_end|>", "<|end|>", "[PAD5]"));
  }

  private Vocabulary read(GgufWriter writer) {
    Path path = directory.resolve("v.gguf");
    writer.write(path, Progress.NONE);
    try (GgufFile file = GgufFile.open(path)) {
      return GgufVocabulary.of(file);
    }
  }

  private void refused(GgufWriter writer, String message) {
    assertThatThrownBy(() -> read(writer))
        .isInstanceOf(ModelFileException.class)
        .hasMessageContaining(message);
  }
}
