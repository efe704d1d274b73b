package dev.sojourn.engine.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.engine.kernel.WeightType;
import dev.sojourn.engine.weights.GgufFile;
import dev.sojourn.engine.weights.ModelTensor;
import dev.sojourn.engine.weights.TensorType;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.net.URL;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.Random;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class PackedCacheTest {

  @TempDir Path directory;

  /** What a load answered, and what it told of its progress. */
  private record Start(List<Float> logits, TreeSet<String> told) {

    boolean packed() {
      return told.stream().anyMatch(what -> what.startsWith("loading "));
    }

    boolean wrote() {
      return told.stream().anyMatch(what -> what.startsWith("writing "));
    }
  }

  private Start start(TinyModel model, boolean packedCache) {
    return start(model.path(directory), packedCache);
  }

  private static Start start(Path path, boolean packedCache) {
    TreeSet<String> told = new TreeSet<>();
    LoadOptions options = new LoadOptions(2, OptionalInt.empty(), KvType.F32, packedCache);
    try (GgufFile file = GgufFile.open(path);
        LoadedModel loaded = LoadedModel.load(file, options, (what, _, _) -> told.add(what));
        ModelRunner runner = loaded.newRunner(2)) {
      List<Float> logits = new ArrayList<>();
      for (float logit : new Run(runner, 0, 1).feed(Run.prompt(20, 1))) {
        logits.add(logit);
      }
      return new Start(logits, told);
    }
  }

  private Path cache(TinyModel model) {
    Path file = model.path(directory);
    return file.resolveSibling(file.getFileName() + ".sojourn-packed");
  }

  /** Starts once to make the cache. */
  private Start first(TinyModel model) {
    model.write(directory);
    Start first = start(model, true);
    assertThat(first.wrote()).isTrue();
    return first;
  }

  @ParameterizedTest
  @EnumSource(WeightType.class)
  void load_again_readsWhatWasPackedAndGivesTheSameBits(WeightType type) {
    TinyModel model = TinyModel.of("qwen3", TensorType.valueOf(type.name()));
    model.write(directory);
    Start without = start(model, false);
    Start first = start(model, true);
    Start second = start(model, true);
    assertThat(without.wrote()).isFalse();
    assertThat(first.packed()).isTrue();
    assertThat(second.packed()).isFalse();
    assertThat(second.wrote()).isFalse();
    assertThat(first.logits()).isEqualTo(without.logits());
    assertThat(second.logits()).isEqualTo(without.logits());
  }

  @ParameterizedTest
  @ValueSource(strings = {"llama", "qwen2", "qwen3moe", "gemma3", "phi3"})
  void load_again_ofEachArchitecture_givesTheSameBits(String architecture) {
    TinyModel model = TinyModel.of(architecture, TensorType.F16);
    Start first = first(model);
    Start second = start(model, true);
    assertThat(second.packed()).isFalse();
    assertThat(second.logits()).isEqualTo(first.logits());
  }

  @Test
  void load_withADamagedCache_packsAndWritesItAgain() throws IOException {
    TinyModel model = TinyModel.of("qwen3", TensorType.Q8_0);
    Start first = first(model);
    byte[] sound = Files.readAllBytes(cache(model));
    long seed = Long.getLong("sojourn.seed", System.nanoTime());
    Random random = new Random(seed);
    for (int run = 0; run < 60; run++) {
      Files.write(cache(model), damaged(sound, run, random));
      Start start = start(model, true);
      assertThat(start.packed() && start.wrote()).as("run %d of seed %d", run, seed).isTrue();
      assertThat(start.logits()).as("run %d of seed %d", run, seed).isEqualTo(first.logits());
    }
    assertThat(Files.readAllBytes(cache(model))).isEqualTo(sound);
  }

  /** Cuts off, adds, or flips a bit: in the header, or anywhere but in what fills its last page. */
  private static byte[] damaged(byte[] sound, int run, Random random) {
    int header = 8 + 32 + 2 * 7 + 1 + 4 + 4; // of one part
    return switch (run % 4) {
      case 0 -> Arrays.copyOf(sound, random.nextInt(sound.length));
      case 1 -> Arrays.copyOf(sound, sound.length + 1 + random.nextInt(5000));
      case 2 -> flipped(sound, random.nextInt(header), random);
      default -> flipped(sound, 4096 + random.nextInt(sound.length - 4096), random);
    };
  }

  private static byte[] flipped(byte[] sound, int at, Random random) {
    byte[] bytes = sound.clone();
    bytes[at] ^= (byte) (1 << random.nextInt(8));
    return bytes;
  }

  /** Even where size and time are as before: the system keeps the time of the change itself. */
  @Test
  void load_ofAModelThatChangedSince_packsIt() throws IOException {
    TinyModel model = TinyModel.of("qwen3", TensorType.F32);
    Start first = first(model);
    FileTime time = Files.getLastModifiedTime(model.path(directory));
    long at;
    byte turned;
    try (GgufFile file = GgufFile.open(model.path(directory))) {
      ModelTensor tensor = file.tensor("blk.0.attn_v.weight", 64, 64);
      at = tensor.offset() + 3;
      turned = (byte) (tensor.data().get(ValueLayout.JAVA_BYTE, 3) ^ 0x80); // its sign
    }
    try (FileChannel channel = FileChannel.open(model.path(directory), StandardOpenOption.WRITE)) {
      channel.write(ByteBuffer.wrap(new byte[] {turned}), at);
    }
    Files.setLastModifiedTime(model.path(directory), time);
    Start second = start(model, true);
    assertThat(second.packed() && second.wrote()).isTrue();
    assertThat(second.logits())
        .isNotEqualTo(first.logits())
        .isEqualTo(start(model, false).logits())
        .isEqualTo(start(model, true).logits());
  }

  /** The identity has all files of a model. */
  @Test
  void load_ofAModelInPartsOneOfWhichChangedSince_packsIt() throws Exception {
    for (String part : List.of("-00001-of-00003", "-00002-of-00003", "-00003-of-00003", "")) {
      String name = "phi3-f16" + part + ".gguf";
      URL recorded = Objects.requireNonNull(GgufFile.class.getResource("llamacpp/" + name));
      Files.copy(Path.of(recorded.toURI()), directory.resolve(name));
    }
    Path first = directory.resolve("phi3-f16-00001-of-00003.gguf");
    Start before = start(first, true);
    assertThat(before.logits())
        .isEqualTo(start(directory.resolve("phi3-f16.gguf"), false).logits());
    assertThat(before.wrote()).isTrue();
    assertThat(start(first, true).packed()).isFalse();
    Path last = directory.resolve("phi3-f16-00003-of-00003.gguf");
    byte[] bytes = Files.readAllBytes(last);
    bytes[bytes.length - 1] ^= (byte) 0x80; // a sign
    Files.write(last, bytes);
    Start after = start(first, true);
    assertThat(after.packed() && after.wrote()).isTrue();
    assertThat(after.logits())
        .isNotEqualTo(before.logits())
        .isEqualTo(start(first, false).logits());
  }

  /** The identity has them: whoever takes gate for up has another. */
  @ParameterizedTest
  @ValueSource(strings = {"llama", "qwen2", "qwen3", "qwen3moe", "gemma3", "phi3"})
  void shapes_ofEachArchitecture_tellAnyTwoMatricesApart(String architecture) {
    try (GgufFile file =
        GgufFile.open(TinyModel.of(architecture, TensorType.F32).write(directory))) {
      assertThat(new WeightLoader(file, OptionalInt.empty()).shapes())
          .hasSizeGreaterThan(2 * TinyModel.LAYERS)
          .doesNotHaveDuplicates();
    }
  }

  @Test
  void load_whereNoCacheCanBeWritten_packs() throws IOException {
    TinyModel model = TinyModel.of("qwen3", TensorType.Q8_0);
    model.write(directory);
    Files.createDirectory(cache(model));
    Start start = start(model, true);
    assertThat(start.packed()).isTrue();
    assertThat(start.logits()).isEqualTo(start(model, false).logits());
  }
}
