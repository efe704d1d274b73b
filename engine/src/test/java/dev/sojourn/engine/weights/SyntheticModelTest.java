package dev.sojourn.engine.weights;

import static dev.sojourn.engine.weights.TensorType.Q4_K;
import static dev.sojourn.engine.weights.TensorType.Q6_K;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sojourn.engine.model.KvType;
import dev.sojourn.engine.model.LoadOptions;
import dev.sojourn.engine.model.LoadedModel;
import dev.sojourn.engine.model.ModelRunner;
import dev.sojourn.engine.model.StepBatch;
import dev.sojourn.engine.weights.SyntheticModel.Architecture;
import dev.sojourn.engine.weights.SyntheticModel.Spec;
import dev.sojourn.text.Vocabulary;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class SyntheticModelTest {

  @TempDir Path directory;

  @Test
  void write_smallModel_isWhole() {
    Path path = write(Spec.small(), 1);
    try (GgufFile file = GgufFile.open(path)) {
      ModelInfo info = ModelInfo.of(file);
      assertThat(info.architecture()).contains("qwen3");
      assertThat(info.name()).contains("synthetic qwen3, seed 1");
      assertThat(info.layers()).hasValue(4);
      assertThat(info.dimension()).hasValue(256);
      assertThat(info.kvHeads()).hasValue(2);
      assertThat(info.headDimension()).hasValue(64);
      assertThat(info.context()).hasValue(32_768);
      assertThat(info.vocabulary()).hasValue(2048);
      assertThat(info.tokenizer()).contains("gpt2/qwen2");
      assertThat(info.parameters()).isBetween(4_000_000L, 5_000_000L);
      assertThat(info.types()).containsOnlyKeys(TensorType.F32, TensorType.Q8_0);
      assertThat(info.types())
          .hasEntrySatisfying(
              TensorType.Q8_0, share -> assertThat(share.tensors()).isEqualTo(2 + 4 * 7));
      assertThat(info.unsupported()).isEmpty();
      assertThat(info.bytes()).isEqualTo(SyntheticModel.bytes(Spec.small())).isLessThan(6 << 20);
      assertThat(file.chatTemplate().orElseThrow()).contains("<|im_start|>");

      Vocabulary vocabulary = GgufVocabulary.of(file);
      assertThat(vocabulary.tokens()).hasSize(2048).doesNotHaveDuplicates();
      assertThat(vocabulary.types()).doesNotContain(Vocabulary.TokenType.UNUSED);
      assertThat(vocabulary.tokens()).contains("\u0120the", "\u0120harbour", ".\u010a\u010a");
      assertThat(vocabulary.endOfTurn())
          .map(vocabulary.tokens()::get)
          .containsExactly("<|endoftext|>", "<|im_end|>");
      assertThat(vocabulary.addBos()).isFalse();
    }
  }

  @Test
  void write_sameSpecAndSeed_givesTheseBytesEverywhere() throws Exception {
    Path path = write(tiny(Architecture.QWEN3, TensorType.Q8_0), 42);
    // Recorded once: another value on another machine, or after a change, is another model.
    assertThat(sha256(path))
        .as("the bytes of edition %d: other bytes are another edition", SyntheticModel.EDITION)
        .isEqualTo("e2737b2993e82f77fc64b866285929be8e2d29741e872e7b3abd8c47c9ead0fc");
    assertThat(sha256(write(tiny(Architecture.QWEN3, TensorType.Q8_0), 43)))
        .isNotEqualTo(sha256(path));
  }

  @ParameterizedTest
  @EnumSource(Architecture.class)
  void write_eachArchitecture_hasItsTensors(Architecture architecture) {
    try (GgufFile file = GgufFile.open(write(tiny(architecture, TensorType.F32), 1))) {
      assertThat(file.architecture()).isEqualTo(architecture.key());
      assertThat(file.has("blk.0.attn_q.bias")).isEqualTo(architecture == Architecture.QWEN2);
      assertThat(file.has("blk.0.attn_q_norm.weight"))
          .isEqualTo(
              List.of(Architecture.QWEN3, Architecture.QWEN3MOE, Architecture.GEMMA3)
                  .contains(architecture));
      switch (architecture) {
        case PHI3 -> file.tensor("blk.1.attn_qkv.weight", 64, 64 + 2 * 16);
        case QWEN3MOE -> file.tensor("blk.1.ffn_down_exps.weight", 96, 64, 8);
        default -> file.tensor("blk.1.attn_k.weight", 64, 16);
      }
      file.tensor("output.weight", 64, 400);
    }
  }

  /** Each can be loaded, and answers with finite numbers of the spread that was planned. */
  @ParameterizedTest
  @EnumSource(Architecture.class)
  void write_eachArchitecture_answersWithLogitsOfThePlannedSpread(Architecture architecture) {
    int vocabulary = 400;
    LoadOptions options = new LoadOptions(1, OptionalInt.empty(), KvType.F32);
    try (GgufFile file = GgufFile.open(write(tiny(architecture, TensorType.F32), 1));
        LoadedModel loaded = LoadedModel.load(file, options, Progress.NONE);
        ModelRunner runner = loaded.newRunner(2)) {
      StepBatch step = new StepBatch(vocabulary);
      step.addSlice(0, new int[] {0, 1}, true);
      for (int i = 0; i < 20; i++) {
        step.addToken(260 + i * 7 % 100);
      }
      runner.run(step);
      // Of tokens that come up at all: their own part is at most 8 apart, that of the context has
      // a deviation of 3.
      double greatest = Double.NEGATIVE_INFINITY;
      for (float logit : step.logits(0)) {
        assertThat(logit).isFinite();
        greatest = Math.max(greatest, logit);
      }
      assertThat(greatest).isBetween(-5.0, 15.0);
    }
  }

  @Test
  void write_mixed_hasFinerTypesWhereFilesOfThatNameHaveThem() {
    Spec spec =
        new Spec(Architecture.LLAMA, 8, 256, 256, 2, 1, 128, 300, TensorType.Q4_K, true, 64);
    try (GgufFile file = GgufFile.open(write(spec, 1))) {
      assertThat(types(file, "ffn_down"))
          .containsExactly(Q6_K, Q4_K, Q4_K, Q6_K, Q4_K, Q4_K, Q6_K, Q6_K);
      assertThat(types(file, "attn_v")).isEqualTo(types(file, "ffn_down"));
      assertThat(types(file, "attn_q")).containsOnly(Q4_K);
      assertThat(file.tensor("token_embd.weight", 256, 300).type()).isEqualTo(Q4_K);
      assertThat(file.tensor("output.weight", 256, 300).type()).isEqualTo(Q6_K);
    }
    assertThatThrownBy(
            () -> new Spec(Architecture.LLAMA, 1, 32, 32, 1, 1, 32, 300, TensorType.Q8_0, true, 9))
        .hasMessage("a mix is of q4_k, not Q8_0");
  }

  private static List<TensorType> types(GgufFile file, String part) {
    return file.tensors().stream()
        .filter(tensor -> tensor.name().endsWith(part + ".weight"))
        .map(ModelTensor::type)
        .toList();
  }

  @Test
  void write_weights_haveTheSpreadTheyWereAskedFor() {
    try (GgufFile file = GgufFile.open(write(tiny(Architecture.LLAMA, TensorType.F32), 1))) {
      float[] numbers = file.tensor("blk.0.ffn_gate.weight", 64, 96).toFloats();
      double sum = 0;
      double squares = 0;
      for (float number : numbers) {
        sum += number;
        squares += number * (double) number;
      }
      assertThat(sum / numbers.length).isBetween(-0.01, 0.01);
      assertThat(squares / numbers.length * 64).isBetween(0.9, 1.1);
    }
  }

  @Test
  void write_vocabularyBeyondTheText_isPadded() {
    Spec spec = new Spec(Architecture.LLAMA, 1, 32, 32, 1, 1, 32, 5000, TensorType.F16, 16);
    try (GgufFile file = GgufFile.open(write(spec, 1))) {
      Vocabulary vocabulary = GgufVocabulary.of(file);
      assertThat(vocabulary.tokens()).hasSize(5000).doesNotHaveDuplicates();
      assertThat(vocabulary.types().getLast()).isEqualTo(Vocabulary.TokenType.UNUSED);
    }
  }

  @Test
  void shapesForMeasurements_haveTheSizesOfTheirNames() {
    // Twice the vocabulary: input and output are matrices of their own.
    assertThat(SyntheticModel.bytes(Spec.halfBillion()) / 34.0 * 32 / 1e6).isBetween(740.0, 770.0);
    assertThat(SyntheticModel.bytes(Spec.oneBillion()) / 34.0 * 32 / 1e6).isBetween(1490.0, 1520.0);
  }

  @Test
  void spec_outOfBounds_saysWhich() {
    assertThatThrownBy(
            () -> new Spec(Architecture.LLAMA, 1, 33, 32, 1, 1, 32, 300, TensorType.Q8_0, 16))
        .hasMessage("dimension must be a multiple of 32, is 33");
    assertThatThrownBy(
            () -> new Spec(Architecture.LLAMA, 1, 32, 32, 3, 2, 32, 300, TensorType.F32, 16))
        .hasMessage("heads must be a multiple of kv-heads, 2, is 3");
    assertThatThrownBy(
            () -> new Spec(Architecture.LLAMA, 1, 32, 32, 1, 1, 32, 100, TensorType.F32, 16))
        .hasMessage("vocabulary must be 259 to 1048576, is 100");
    assertThatThrownBy(
            () -> new Spec(Architecture.LLAMA, 1, 32, 32, 1, 1, 32, 300, TensorType.Q3_K, 16))
        .hasMessage(
            "type is one of f32, f16, q4_0, q4_1, q5_0, q5_1, q8_0, q4_k, q5_k, q6_k, bf16, not"
                + " q3_k");
  }

  @Test
  void train_text_joinsTheMostFrequentPairsAndKeepsCount() {
    BytePairTraining.Result result = BytePairTraining.train("low lower low", 256 + 4);
    assertThat(result.merges()).containsExactly("l o", "lo w", "\u0120 low", "e r");
    assertThat(result.tokens().subList(256, 260))
        .isEqualTo(List.of("lo", "low", "\u0120low", "er"));
    assertThat(result.counts().subList(256, 260)).isEqualTo(List.of(0, 1, 2, 1));
    assertThat(result.counts().stream().mapToInt(count -> count).sum()).isEqualTo(4);
  }

  private static Spec tiny(Architecture architecture, TensorType type) {
    return new Spec(architecture, 2, 64, 96, 4, 1, 16, 400, type, 128);
  }

  private Path write(Spec spec, long seed) {
    Path path = directory.resolve(spec.architecture() + "-" + seed + ".gguf");
    SyntheticModel.write(path, spec, seed, Progress.NONE);
    return path;
  }

  private static String sha256(Path path) throws IOException, NoSuchAlgorithmException {
    byte[] digest = MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(path));
    return HexFormat.of().formatHex(digest);
  }
}
