package dev.sojourn.engine.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatNoException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sojourn.engine.weights.GgufFile;
import dev.sojourn.engine.weights.GgufWriter;
import dev.sojourn.engine.weights.ModelFileException;
import dev.sojourn.engine.weights.Progress;
import dev.sojourn.engine.weights.TensorType;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class LoadedModelTest {

  @TempDir Path directory;

  @Test
  void load_ofAModel_tellsItsShapeAndItsProgress() {
    TinyModel model = TinyModel.of("qwen3", TensorType.Q8_0);
    List<Long> done = new ArrayList<>();
    List<Long> total = new ArrayList<>();
    try (GgufFile file = GgufFile.open(model.write(directory));
        LoadedModel loaded =
            LoadedModel.load(
                file,
                LoadOptions.defaults(),
                (_, now, all) -> {
                  done.add(now);
                  total.add(all);
                })) {
      ModelShape shape = loaded.shape();
      assertThat(shape.architecture()).isEqualTo("qwen3");
      assertThat(shape.vocabularySize()).isEqualTo(TinyModel.VOCABULARY);
      assertThat(shape.contextLength()).isEqualTo(TinyModel.CONTEXT);
      assertThat(shape.parameters())
          .isEqualTo(file.tensors().stream().mapToLong(tensor -> tensor.elements()).sum());
      // 2 layers, 2 KV heads, 16 tokens, 32 numbers of 2 bytes, keys and values
      assertThat(shape.kvBytesPerPage()).isEqualTo(2 * 2 * 16 * 32 * 2 * 2);
      assertThat(done).isSorted().last().isEqualTo(total.getFirst());
    }
  }

  @Test
  void newRunner_thatDoesNotFitInMemory_isRefusedWithNumbers() {
    try (LoadedModel loaded =
        TinyModel.of("llama", TensorType.F32).load(directory, 1, KvType.F32)) {
      assertThatThrownBy(() -> loaded.newRunner(100_000_000))
          .isInstanceOf(NotEnoughMemoryException.class)
          .hasMessageMatching(
              "KV for 1600000000 more tokens takes \\d+ MB \\(this rank \\d+ MB, other ranks 0 MB\\),"
                  + " but \\d+ MB of memory are available; a token takes 1024 bytes: ask for fewer");
      assertThatThrownBy(() -> loaded.newRunner(0)).hasMessageContaining("at least 1 page");
    }
  }

  /** None of its KV is in use yet, so the system does not know of it. */
  @Test
  void newRunner_besideOneThatTakesMostOfTheMemory_isRefused() {
    try (LoadedModel loaded =
        TinyModel.of("llama", TensorType.F32).load(directory, 1, KvType.F32)) {
      long page = loaded.shape().kvBytesPerPage();
      int pages = Math.toIntExact(AvailableMemory.now() * 6 / 10 / page);
      ModelRunner first = loaded.newRunner(pages);
      assertThatThrownBy(() -> loaded.newRunner(pages))
          .isInstanceOf(NotEnoughMemoryException.class)
          .hasMessageContaining("other ranks " + Math.ceilDiv(pages * page, 1L << 20) + " MB");
      first.close();
      first.close();
      loaded.newRunner(pages).close();
    }
  }

  @Test
  void newRunner_fromManyThreadsAtOnce_neverPromisesMoreThanThereIs() throws Exception {
    try (LoadedModel loaded = TinyModel.of("llama", TensorType.F32).load(directory, 1, KvType.F32);
        ExecutorService threads = Executors.newFixedThreadPool(4)) {
      int pages = Math.toIntExact(AvailableMemory.now() * 6 / 10 / loaded.shape().kvBytesPerPage());
      CyclicBarrier together = new CyclicBarrier(4);
      Callable<Optional<ModelRunner>> create =
          () -> {
            together.await();
            try {
              return Optional.of(loaded.newRunner(pages));
            } catch (NotEnoughMemoryException e) {
              return Optional.empty();
            }
          };
      for (int round = 0; round < 50; round++) {
        List<ModelRunner> created = new ArrayList<>();
        for (Future<Optional<ModelRunner>> each :
            threads.invokeAll(Collections.nCopies(4, create))) {
          each.get().ifPresent(created::add);
        }
        created.forEach(ModelRunner::close);
        assertThat(created).hasSizeLessThan(2);
      }
      loaded.newRunner(pages).close(); // those that were refused took their promise back
    }
  }

  @Test
  void checkMemory_countsWeightsAsTheyArePackedAndTheKvOfAllRanks() {
    Path path = TinyModel.of("llama", TensorType.F32).write(directory);
    LoadOptions options = LoadOptions.defaults();
    try (GgufFile file = GgufFile.open(path);
        LoadedModel loaded = LoadedModel.load(file, options, Progress.NONE)) {
      // 77 tokens are 3 panels of 32; the rest are whole panels: 64 wide, 2 layers.
      int rows = 3 * 32 + 2 * (6 * 32 + 2 * 2 * 32 + 64 * 6 * 32 / 64 + 2 * 160 + 160);
      assertThat(loaded.shape().weightBytes()).isEqualTo(4L * 64 * rows);
      assertThatNoException().isThrownBy(() -> LoadedModel.checkMemory(file, options, 2, 10));
      assertThatThrownBy(() -> LoadedModel.checkMemory(file, options, 3, 100_000_000))
          .isInstanceOf(NotEnoughMemoryException.class)
          .hasMessageContaining("KV for 1600000000 tokens on each of 3 ranks takes")
          .hasMessageContaining("(weights 1 MB, KV 2343750 MB, the process 300 MB), but ");
    }
  }

  @Test
  void warmUp_leavesNothingBehindThatChangesAnswers() {
    TinyModel model = TinyModel.of("qwen2", TensorType.Q8_0);
    int[] ids = Run.prompt(30, 1);
    try (LoadedModel loaded = model.load(directory, 2, KvType.F32);
        ModelRunner runner = loaded.newRunner(2)) {
      float[] before = new Run(runner, 0, 1).feed(ids);
      loaded.warmUp(Progress.NONE);
      assertThat(new Run(runner, 1, 0).feed(ids)).isEqualTo(before);
    }
  }

  @Test
  void loadWarm_answersAsLoadDoesAndTellsOfOneThingAfterTheOther() {
    TinyModel model = TinyModel.of("qwen2", TensorType.Q8_0);
    int[] ids = Run.prompt(30, 1);
    LoadOptions options = new LoadOptions(2, OptionalInt.empty(), KvType.F32);
    List<String> told = new ArrayList<>();
    Progress progress = (what, done, total) -> told.add(what + (done == total ? ", done" : ""));
    try (GgufFile file = GgufFile.open(model.write(directory));
        LoadedModel cold = LoadedModel.load(file, options, Progress.NONE);
        LoadedModel warm = LoadedModel.loadWarm(file, options, progress);
        ModelRunner coldRunner = cold.newRunner(2);
        ModelRunner warmRunner = warm.newRunner(2)) {
      assertThat(new Run(warmRunner, 1, 0).feed(ids))
          .isEqualTo(new Run(coldRunner, 0, 1).feed(ids));
    }
    assertThat(told).last().isEqualTo("warming up, done");
    int loaded = told.indexOf("warming up");
    assertThat(told.subList(0, loaded)).isNotEmpty();
    assertThat(told.subList(loaded, told.size())).allMatch(what -> what.startsWith("warming up"));
  }

  @Test
  void loadWarm_ofWeightsThatAreRefused_endsItsThread() throws Exception {
    Path path = TinyModel.of("llama", TensorType.F32).write(directory);
    try (RandomAccessFile bytes = new RandomAccessFile(path.toFile(), "rw")) {
      bytes.seek(bytes.length() - 4);
      bytes.writeInt(-1); // not a number
    }
    try (GgufFile file = GgufFile.open(path)) {
      assertThatThrownBy(() -> LoadedModel.loadWarm(file, LoadOptions.defaults(), Progress.NONE))
          .isInstanceOf(ModelFileException.class)
          .hasMessageContaining("finite numbers");
    }
    for (Thread thread : Thread.getAllStackTraces().keySet()) {
      if (thread.getName().equals("sojourn-warm-up")) {
        assertThat(thread.join(Duration.ofSeconds(60))).isTrue();
      }
    }
  }

  @Test
  void load_ofAFileThatIsNotAModelWeKnow_namesWhatIsWrong() {
    assertRefused(new GgufWriter().text("general.architecture", "mamba"), "\"mamba\"");
    GgufWriter noTensors =
        new GgufWriter()
            .text("general.architecture", "llama")
            .whole("llama.context_length", 64)
            .whole("llama.embedding_length", 64)
            .whole("llama.block_count", 1)
            .whole("llama.feed_forward_length", 64)
            .whole("llama.attention.head_count", 2)
            .real("llama.attention.layer_norm_rms_epsilon", 1e-6f);
    assertRefused(noTensors, "token_embd.weight");
  }

  /** Each would answer, but not as the model does. */
  @ParameterizedTest
  @CsvSource({
    "llama, token_embd.bias",
    "llama, blk.1.attn_q_norm.weight",
    "llama, blk.2.attn_q.weight",
    "llama, rope_factors_long.weight",
    "qwen2, blk.0.attn_k_norm.weight",
    "qwen3moe, blk.0.ffn_gate_exps.bias",
    "qwen3moe, blk.0.exp_probs_b.bias",
    "gemma3, rope_freqs.weight",
  })
  void load_ofATensorThatTheArchitectureHasNoUseFor_namesIt(String architecture, String name) {
    GgufWriter more = TinyModel.of(architecture, TensorType.F32).writer();
    for (int i = 0; i < 6; i++) {
      more.tensor(name + (i == 0 ? "" : i), TensorType.F32, (_, _) -> {}, 32);
    }
    assertRefused(
        more,
        "expected tensors of \"%s\" and no others, found tensor \"%s\", tensor"
            .formatted(architecture, name));
    assertRefused(more, "4\" and 1 more, which is not supported yet");
  }

  @ParameterizedTest
  @CsvSource({
    "llama, rope_freqs.weight, 16",
    "llama, blk.0.attn_output.bias, 64",
    "llama, blk.0.attn_rot_embd.inv_freq, 16",
    "qwen2, rope_freqs.weight, 16",
  })
  void load_ofATensorThatMayBeThere_takesIt(String architecture, String name, int length) {
    Path path = directory.resolve("model.gguf");
    TinyModel.of(architecture, TensorType.F32)
        .writer()
        .tensor(name, TensorType.F32, (_, into) -> Arrays.fill(into, 1), length)
        .write(path, Progress.NONE);
    try (GgufFile file = GgufFile.open(path)) {
      assertThatNoException()
          .isThrownBy(() -> LoadedModel.load(file, LoadOptions.defaults(), Progress.NONE).close());
    }
  }

  @ParameterizedTest
  @CsvSource({
    "rope.scaling.yarn_beta_fast, 64, 32",
    "rope.scaling.yarn_beta_slow, 2, 1",
    "rope.scaling.yarn_attn_factor, 0.5, 1",
    "rope.scaling.yarn_log_multiplier, 0.1, 0",
    "rope.scaling.yarn_ext_factor, 0.5, -1",
    "rope.scale_linear, 2, 1",
    "rope.scaling.attn_factor, 0, 1.25",
    "rope.scaling.attn_factor, -1, 1.25",
    "attention.scale, 0.125, 0.17677669",
  })
  void load_ofASettingThatChangesTheArithmetic_isRefusedUnlessItIsTheUsual(
      String key, float other, float usual) {
    TinyModel model = TinyModel.of("llama", TensorType.F32);
    assertRefused(
        model.writer().real("llama." + key, other), "expected \"llama." + key + "\" to be");
    Path path = directory.resolve("model.gguf");
    model.writer().real("llama." + key, usual).write(path, Progress.NONE);
    try (GgufFile file = GgufFile.open(path)) {
      assertThatNoException().isThrownBy(() -> new WeightLoader(file, OptionalInt.empty()));
    }
  }

  @ParameterizedTest
  @CsvSource({
    "F16, 7c00",
    "F16, fc01",
    "BF16, 7f80",
    "BF16, ffc0",
    "F32, 7f800000",
    "F32, ff800001"
  })
  void load_ofAWeightThatIsNotFinite_namesItsTensor(TensorType type, String number)
      throws IOException {
    Path path = TinyModel.of("llama", type).write(directory);
    long at;
    try (GgufFile file = GgufFile.open(path)) {
      at = file.tensor("blk.1.ffn_up.weight", 64, 160).offset();
    }
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.WRITE)) {
      byte[] bytes = HexFormat.of().parseHex(number);
      for (int i = 0; i < bytes.length; i++) { // little-endian
        channel.write(ByteBuffer.wrap(bytes, bytes.length - 1 - i, 1), at + 77L * bytes.length + i);
      }
    }
    assertRefused(path, "blk.1.ffn_up.weight\" to have finite numbers");
  }

  /** 427,445 heads of 10,048 numbers are 64 in 32 bits: the tensors would seem to fit. */
  @Test
  void load_ofHeadsBeyondAnIntInAll_isRefused() {
    GgufWriter huge =
        new GgufWriter()
            .text("general.architecture", "llama")
            .whole("llama.context_length", 64)
            .whole("llama.embedding_length", 64)
            .whole("llama.block_count", 1)
            .whole("llama.feed_forward_length", 64)
            .whole("llama.attention.head_count", 427_445)
            .whole("llama.attention.key_length", 10_048)
            .whole("llama.attention.value_length", 10_048)
            .real("llama.attention.layer_norm_rms_epsilon", 1e-6f)
            .tensor("token_embd.weight", TensorType.F32, (_, _) -> {}, 64, 5);
    assertRefused(huge, "llama.attention.head_count");
  }

  /** Scores of a group's heads are kept by each thread: this one's would take gigabytes. */
  @Test
  void load_ofAGroupOfMoreThan256Heads_isRefused() {
    GgufWriter wide =
        new GgufWriter()
            .text("general.architecture", "llama")
            .whole("llama.context_length", 64)
            .whole("llama.embedding_length", 1)
            .whole("llama.block_count", 1)
            .whole("llama.feed_forward_length", 64)
            .whole("llama.attention.head_count", 524_288)
            .whole("llama.attention.head_count_kv", 1)
            .whole("llama.attention.key_length", 2)
            .real("llama.attention.layer_norm_rms_epsilon", 1e-6f)
            .tensor("token_embd.weight", TensorType.F32, (_, _) -> {}, 1, 5);
    assertRefused(wide, "head_count_kv\" to be at least 2048 for 524288 heads, found 1");
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 17})
  void warmUp_ofAShortContext_staysWithinIt(int context) {
    try (GgufFile file = GgufFile.open(TinyModel.of("qwen3", TensorType.Q8_0).write(directory));
        LoadedModel loaded =
            LoadedModel.load(
                file, new LoadOptions(1, OptionalInt.of(context), KvType.F32), Progress.NONE)) {
      assertThatNoException().isThrownBy(() -> loaded.warmUp(Progress.NONE));
    }
  }

  private void assertRefused(GgufWriter writer, String message) {
    Path path = directory.resolve("model.gguf");
    writer.write(path, Progress.NONE);
    assertRefused(path, message);
  }

  private static void assertRefused(Path path, String message) {
    try (GgufFile file = GgufFile.open(path)) {
      assertThatThrownBy(() -> LoadedModel.load(file, LoadOptions.defaults(), Progress.NONE))
          .isInstanceOf(ModelFileException.class)
          .hasMessageContaining(message);
    }
  }
}
