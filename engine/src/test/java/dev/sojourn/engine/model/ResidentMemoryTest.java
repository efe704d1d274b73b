package dev.sojourn.engine.model;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.sojourn.core.BlockHasher;
import dev.sojourn.engine.weights.GgufFile;
import dev.sojourn.engine.weights.Progress;
import dev.sojourn.engine.weights.SyntheticModel;
import dev.sojourn.engine.weights.TensorType;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalInt;
import java.util.stream.Collectors;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * What a process takes that loads a model and uses all of its KV: 180 MB of weights and more, so
 * that a second copy of them, or the file beside them, would not pass. The heap is a small one, as
 * how much garbage stands in a large one depends on how busy the machine is: so that which loading
 * makes is counted by itself.
 */
@EnabledOnOs(OS.LINUX)
class ResidentMemoryTest {

  private static final long MEGABYTE = 1 << 20;
  private static final int KV_PAGES = 512;

  /** What loading may make on the heap: for each matrix, and each thread, two panels. */
  private static final long GARBAGE = 32 * MEGABYTE;

  @TempDir Path directory;

  @ParameterizedTest
  @CsvSource({"F32, 4096", "Q8_0, 16384"})
  void load_andAllOfTheKv_stayWithinTheBoundAtAllTimes(TensorType type, int hidden)
      throws Exception {
    Path model = directory.resolve("model.gguf");
    SyntheticModel.write(
        model,
        new SyntheticModel.Spec(
            SyntheticModel.Architecture.LLAMA,
            3,
            1024,
            hidden,
            8,
            4,
            128,
            8192,
            type,
            KV_PAGES * BlockHasher.BLOCK),
        1,
        Progress.NONE);
    OtherJvm.Outcome outcome =
        OtherJvm.run(
            Start.class,
            List.of("-XX:+UseCompactObjectHeaders", "-XX:+UseZGC", "-Xmx128m"),
            model.toString());
    assertThat(outcome.exitCode()).as(outcome.output()).isZero();
    long weights = number(outcome, "weights");
    long kv = number(outcome, "kv");
    long loaded = number(outcome, "loaded VmRSS:") << 10;
    long filled = number(outcome, "filled VmRSS:") << 10;
    long most = number(outcome, "filled VmHWM:") << 10;
    // Embeddings, output, and in each of 3 layers attention's four matrices and three wider ones.
    assertThat(weights).isEqualTo(type.bytes(1024L * (2 * 8192 + 3 * (3 * 1024 + 3 * hidden))));
    assertThat(kv).isEqualTo(96 * MEGABYTE);
    assertThat(number(outcome, "garbage"))
        .as("bytes that loading makes on the heap")
        .isLessThan(GARBAGE);
    assertThat(loaded)
        .as("resident after loading; KV is taken as it is used")
        .isGreaterThan(weights)
        .isLessThan(bound(weights));
    assertThat(filled).isGreaterThan(weights + kv);
    assertThat(most).as("the most that was ever resident").isLessThan(bound(weights + kv));
  }

  /** 1.15 times what it is for, and 300 MB. */
  private static long bound(long bytes) {
    return bytes * 115 / 100 + 300 * MEGABYTE;
  }

  private static long number(OtherJvm.Outcome outcome, String what) {
    String digits =
        outcome
            .output()
            .lines()
            .filter(line -> line.startsWith(what))
            .map(line -> line.replaceAll("\\D", ""))
            .collect(Collectors.joining());
    assertThat(digits).as(outcome.output()).isNotEmpty();
    return Long.parseLong(digits);
  }

  /** Loads a model, runs a step, fills the KV of a rank with it, and says what is resident. */
  static final class Start {

    private Start() {}

    public static void main(String[] args) throws IOException {
      try (LoadedModel model = load(Path.of(args[0]))) {
        say("weights", String.valueOf(model.shape().weightBytes()));
        say("kv", String.valueOf(KV_PAGES * model.shape().kvBytesPerPage()));
        try (ModelRunner runner = model.newRunner(KV_PAGES)) {
          resident("loaded");
          StepBatch step = new StepBatch(model.shape().vocabularySize());
          step.addSlice(0, new int[] {0}, true);
          for (int i = 0; i < BlockHasher.BLOCK; i++) {
            step.addToken(i);
          }
          runner.run(step);
          for (int page = 1; page < KV_PAGES; page++) {
            runner.copySlots(0, page, BlockHasher.BLOCK);
          }
          resident("filled");
        }
      }
    }

    private static LoadedModel load(Path path) {
      LoadOptions options = new LoadOptions(2, OptionalInt.empty(), KvType.F32);
      ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
      try (GgufFile file = GgufFile.open(path)) {
        long before = threads.getTotalThreadAllocatedBytes();
        LoadedModel model = LoadedModel.load(file, options, Progress.NONE);
        say("garbage", String.valueOf(threads.getTotalThreadAllocatedBytes() - before));
        return model;
      }
    }

    private static void resident(String when) throws IOException {
      for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
        if (line.startsWith("VmHWM:") || line.startsWith("VmRSS:")) {
          say(when, line);
        }
      }
    }

    private static void say(String what, String value) {
      System.out.println(what + ' ' + value);
    }
  }
}
