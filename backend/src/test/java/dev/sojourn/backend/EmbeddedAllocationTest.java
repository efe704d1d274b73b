package dev.sojourn.backend;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.sojourn.backend.Generation.Event;
import dev.sojourn.core.AgentHints;
import dev.sojourn.core.Clock;
import dev.sojourn.core.Namespace;
import dev.sojourn.core.Tokens;
import dev.sojourn.core.WorkerId;
import dev.sojourn.engine.Engine;
import dev.sojourn.engine.EngineConfig;
import dev.sojourn.engine.EvictionPolicy;
import dev.sojourn.engine.StopRules;
import dev.sojourn.engine.TurnRequest;
import dev.sojourn.engine.model.LoadOptions;
import dev.sojourn.engine.model.LoadedModel;
import dev.sojourn.engine.sample.SamplingParameters;
import dev.sojourn.engine.weights.ModelFile;
import dev.sojourn.engine.weights.Progress;
import dev.sojourn.engine.weights.SyntheticModel;
import dev.sojourn.engine.weights.TensorType;
import dev.sojourn.text.TokenBytes;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What telling tokens to their readers costs the engine thread, once it is compiled: no object. */
@Timeout(120)
@Tag("allocation")
final class EmbeddedAllocationTest {

  private static final int TURNS = 4;
  private static final int VOCABULARY = 320;
  private static final int MAX_TOKENS = 300;

  /** Tokens of a turn between which nothing doubles and all turns run. */
  private static final int FROM = 140;

  private static final int TO = 240;

  /**
   * A step's statistics, which leave, and what contexts and pages keep of a token, some 14 bytes.
   * The smallest object for each token would be 16 more.
   */
  private static final int MOST_OF_A_STEP = 136 + TURNS * 20;

  /** Until it must be compiled; far more than it takes. */
  private static final int ROUNDS = 300;

  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  @TempDir Path directory;
  private long engineThread;
  private int requests;

  @Test
  void generate_withReadersThatWaitForEachToken_makesNoObjectOfTheEngineThreadForOne()
      throws Exception {
    Path path = directory.resolve("m.gguf");
    SyntheticModel.write(
        path,
        new SyntheticModel.Spec(
            SyntheticModel.Architecture.QWEN3,
            2,
            64,
            96,
            2,
            1,
            32,
            VOCABULARY,
            TensorType.Q8_0,
            4096),
        1,
        Progress.NONE);
    LoadOptions options = new LoadOptions(2, OptionalInt.empty(), LoadOptions.defaults().kvType());
    EngineConfig config =
        new EngineConfig(8, 64, 8, 8, 512, 0.8, EvictionPolicy.LRU, Duration.ofMinutes(5));
    try (ModelFile file = ModelFile.open(path);
        LoadedModel model = LoadedModel.load(file, options, Progress.NONE)) {
      TokenBytes spelling = TokenBytes.of(file.vocabulary());
      Engine engine =
          new Engine("engine-test", model.newRunner(128), spelling, config, Clock.system());
      try (EmbeddedWorker worker =
              new EmbeddedWorker(new WorkerId("test"), List.of(engine), spelling);
          ExecutorService readers = Executors.newVirtualThreadPerTaskExecutor()) {
        engineThread =
            Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().equals("engine-test"))
                .findAny()
                .orElseThrow()
                .threadId();
        double least = Double.MAX_VALUE;
        for (int round = 0; round < ROUNDS && least > MOST_OF_A_STEP; round++) {
          least = Math.min(least, bytesOfAStep(worker, readers));
        }
        assertThat(least).as("bytes of a step").isLessThanOrEqualTo(MOST_OF_A_STEP);
      }
    }
  }

  private double bytesOfAStep(EmbeddedWorker worker, ExecutorService readers) throws Exception {
    List<Callable<Double>> turns = new ArrayList<>();
    for (int i = 0; i < TURNS; i++) {
      TurnRequest request = request();
      turns.add(() -> read(worker, worker.generate(0, request)));
    }
    return readers.invokeAll(turns).getLast().get();
  }

  /** Reads all, and returns what the engine thread allocated a step, between two tokens. */
  private double read(EmbeddedWorker worker, Generation generation) throws InterruptedException {
    long bytes = 0;
    long steps = 0;
    int tokens = 0;
    boolean together = true;
    while (!(generation.next() instanceof Event.Ended)) {
      tokens++;
      if (tokens == FROM) {
        bytes = -THREADS.getThreadAllocatedBytes(engineThread);
        steps = -worker.stats(0).steps();
        together = worker.stats(0).running() == TURNS;
      } else if (tokens == TO) { // if anything comes between, then on the side of more bytes
        steps += worker.stats(0).steps();
        bytes += THREADS.getThreadAllocatedBytes(engineThread);
        together &= worker.stats(0).running() == TURNS;
      }
    }
    boolean kept = Math.abs(steps - (TO - FROM)) < 10; // the engine was not far ahead
    return together && kept ? (double) bytes / steps : Double.MAX_VALUE;
  }

  private TurnRequest request() {
    return new TurnRequest(
        "request-" + requests++,
        Namespace.DEFAULT,
        Optional.empty(),
        Tokens.of(7, requests % VOCABULARY, 9),
        MAX_TOKENS,
        SamplingParameters.GREEDY,
        new StopRules(List.of(), Set.of(VOCABULARY + 1)),
        OptionalInt.empty(),
        AgentHints.NONE);
  }
}
