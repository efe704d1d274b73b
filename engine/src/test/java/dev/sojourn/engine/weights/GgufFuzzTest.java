package dev.sojourn.engine.weights;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.fail;

import dev.sojourn.engine.model.LoadOptions;
import dev.sojourn.engine.model.LoadedModel;
import dev.sojourn.engine.model.NotEnoughMemoryException;
import dev.sojourn.engine.weights.SyntheticModel.Architecture;
import dev.sojourn.engine.weights.SyntheticModel.Spec;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Damages a model file in thousands of ways: each is either refused with a {@link
 * ModelFileException}, or still a model all of whose parts can be read, and whose tensors either
 * are those of its architecture or refused.
 */
class GgufFuzzTest {

  private static final int RUNS = 700;

  @TempDir Path directory;

  /** All architectures, and between them all kinds of types. */
  private static Stream<Spec> specs() {
    return Stream.of(
        new Spec(Architecture.QWEN2, 1, 32, 32, 2, 1, 16, 300, TensorType.Q8_0, 64),
        new Spec(Architecture.LLAMA, 2, 256, 256, 2, 1, 128, 300, TensorType.Q4_K, true, 64),
        new Spec(Architecture.QWEN3, 1, 32, 32, 2, 1, 16, 300, TensorType.Q5_1, 64),
        new Spec(Architecture.QWEN3MOE, 1, 32, 32, 2, 1, 16, 300, TensorType.Q4_1, 64),
        new Spec(Architecture.GEMMA3, 1, 256, 256, 2, 1, 128, 300, TensorType.Q5_K, 64),
        new Spec(Architecture.PHI3, 1, 32, 32, 2, 1, 16, 300, TensorType.Q5_0, 64));
  }

  @ParameterizedTest
  @MethodSource("specs")
  void open_damagedFile_isRefusedOrReadable(Spec spec) throws IOException {
    long seed = Long.getLong("sojourn.seed", System.nanoTime());
    Path path = directory.resolve("model.gguf");
    SyntheticModel.write(path, spec, 1, Progress.NONE);
    byte[] sound = Files.readAllBytes(path);
    int header;
    try (GgufFile file = GgufFile.open(path)) {
      header = (int) file.tensors().getFirst().offset();
    }
    int refused = 0;
    for (int run = 0; run < RUNS; run++) {
      Random random = new Random(seed + run);
      Files.write(path, damaged(sound, header, random));
      try {
        readAll(path);
      } catch (ModelFileException | NotEnoughMemoryException e) {
        refused++;
      } catch (RuntimeException | Error e) {
        fail("run with -Dsojourn.seed=" + (seed + run), e);
      }
    }
    if (refused < RUNS / 4) {
      fail("only " + refused + " of " + RUNS + " damaged files were refused, seed " + seed);
    }
  }

  private static void readAll(Path path) {
    try (GgufFile file = GgufFile.open(path)) {
      ModelInfo.of(file);
      file.metadata().keys().forEach(file.metadata()::describe);
      for (ModelTensor tensor : file.tensors()) {
        if (tensor.type().supported()) {
          tensor.toFloats();
        }
      }
      GgufVocabulary.of(file);
      file.chatTemplate();
      LoadedModel.checkMemory(file, LoadOptions.defaults(), 1, 1);
    }
  }

  private static byte[] damaged(byte[] sound, int header, Random random) {
    byte[] bytes = sound.clone();
    switch (random.nextInt(4)) {
      case 0 -> bytes = Arrays.copyOf(bytes, random.nextInt(bytes.length));
      case 1 -> {
        // A number that may be a count, a length, a type, an offset.
        long number = 1L << random.nextInt(64);
        ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        buffer.putLong(place(bytes, header, random), number - random.nextInt(3));
      }
      case 2 -> {
        int from = random.nextInt(header);
        int to = random.nextInt(header - 64);
        System.arraycopy(sound, from, bytes, to, 1 + random.nextInt(63));
      }
      default -> {
        for (int i = 1 + random.nextInt(8); i > 0; i--) {
          bytes[random.nextInt(header)] = (byte) random.nextInt(256);
        }
      }
    }
    return bytes;
  }

  /** Prefers places near the start and around the tensor table, where the numbers are. */
  private static int place(byte[] bytes, int header, Random random) {
    if (random.nextBoolean()) {
      return random.nextInt(header);
    }
    byte[] name = "token_embd".getBytes(UTF_8);
    for (int i = 0; i < header - name.length; i++) {
      if (Arrays.equals(bytes, i, i + name.length, name, 0, name.length)) {
        return random.nextBoolean() ? i - 8 + random.nextInt(60) : random.nextInt(200);
      }
    }
    throw new AssertionError("no token_embd in the header");
  }
}
