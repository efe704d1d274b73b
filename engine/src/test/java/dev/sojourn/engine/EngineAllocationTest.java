package dev.sojourn.engine;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.sojourn.core.AgentHints;
import dev.sojourn.core.Clock;
import dev.sojourn.core.Fault;
import dev.sojourn.core.Namespace;
import dev.sojourn.core.Tokens;
import dev.sojourn.engine.model.LoadOptions;
import dev.sojourn.engine.model.LoadedModel;
import dev.sojourn.engine.sample.SamplingParameters;
import dev.sojourn.engine.sample.TopLogprobs;
import dev.sojourn.engine.weights.ModelFile;
import dev.sojourn.engine.weights.Progress;
import dev.sojourn.engine.weights.SyntheticModel;
import dev.sojourn.engine.weights.TensorType;
import dev.sojourn.text.TokenBytes;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * What the engine thread allocates once it is compiled: nothing for a token or a layer. The sinks,
 * which it calls, look at its count themselves.
 */
@Timeout(120)
@Tag("allocation")
class EngineAllocationTest {

  /** A step's statistics, which leave. */
  private static final int STATISTICS = 136;

  /**
   * What contexts keep of a token, and of a page, in arrays that double: ids, where tokens end,
   * page numbers. One object more for each token would not go into that.
   */
  private static final int KEPT_OF_A_TOKEN = 40;

  private static final int KEPT_OF_A_PAGE = 64;

  /** An object with two arrays of five, in a JVM with large headers. */
  private static final int FIVE_LOGPROBS = 24 + 2 * (16 + 5 * 4 + 4);

  private static final int CHUNK = 16;
  private static final int VOCABULARY = 320;

  /** Until it must be compiled; far more than it takes. */
  private static final int ROUNDS = 300;

  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  private final Random random = new Random(5);

  @TempDir Path directory;
  private LoadedModel model;
  private Engine engine;
  private int requests;

  @BeforeEach
  void start() {
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
    try (ModelFile file = ModelFile.open(path)) {
      LoadOptions options =
          new LoadOptions(2, OptionalInt.empty(), LoadOptions.defaults().kvType());
      model = LoadedModel.load(file, options, Progress.NONE);
      EngineConfig config =
          new EngineConfig(8, CHUNK, 8, 8, 512, 0.8, EvictionPolicy.LRU, Duration.ofMinutes(5));
      engine =
          new Engine(
              "engine-test",
              model.newRunner(128), // so that prompts evict each other's pages
              TokenBytes.of(file.vocabulary()),
              config,
              Clock.system());
    }
  }

  @AfterEach
  void close() {
    engine.close();
    model.close();
  }

  /** Greedy; one that draws from all tokens; and two that draw from the likeliest. */
  @ParameterizedTest
  @CsvSource({"0, 0, 1, 0", "0.8, 0, 1, 0", "0.8, 40, 0.9, 0.01", "0.7, 0, 0.95, 0"})
  void decode_ofFourTurns_allocatesWhatLeavesAlone(
      float temperature, int topK, float topP, float minP) throws Exception {
    SamplingParameters sampling = new SamplingParameters(temperature, topK, topP, minP, 5, 0);
    assertDecodeIsSteady(4 * KEPT_OF_A_TOKEN, sampling, OptionalInt.empty());
  }

  @Test
  void decode_withLogprobs_allocatesThoseBeside() throws Exception {
    SamplingParameters sampling = new SamplingParameters(0.8f, 0, 0.95f, 0, 5, 0);
    assertDecodeIsSteady(4 * KEPT_OF_A_TOKEN, sampling, OptionalInt.of(0));
    assertDecodeIsSteady(4 * (KEPT_OF_A_TOKEN + FIVE_LOGPROBS), sampling, OptionalInt.of(5));
  }

  private void assertDecodeIsSteady(int most, SamplingParameters sampling, OptionalInt logprobs)
      throws Exception {
    assertSteady(
        STATISTICS + most,
        () -> {
          CountDownLatch ended = new CountDownLatch(4);
          Watch watch = new Watch(ended, 10, 110); // of the last: the others run on
          for (int i = 0; i < 3; i++) {
            engine.submit(request(20, 200, sampling, logprobs), new Watch(ended, 0, 0));
          }
          engine.submit(request(20, 120, sampling, logprobs), watch);
          ended.await();
          return watch.bytes() / 100;
        });
  }

  @Test
  void prefill_inChunks_allocatesWhatLeavesAlone() throws Exception {
    CountDownLatch drawn = new CountDownLatch(1); // what draws the one token is compiled by then
    engine.submit(
        request(20, 1500, SamplingParameters.GREEDY, OptionalInt.empty()), new Watch(drawn, 0, 0));
    drawn.await();
    assertSteady(
        STATISTICS + KEPT_OF_A_PAGE,
        () -> {
          CountDownLatch ended = new CountDownLatch(1);
          Watch watch = new Watch(ended, 0, 1);
          engine.submit(
              request(60 * CHUNK, 1, SamplingParameters.GREEDY, OptionalInt.empty()), watch);
          ended.await();
          return watch.bytes() / 60;
        });
  }

  /** Tells how many bytes a step allocated. */
  private interface Measurement {
    double bytesOfAStep() throws InterruptedException;
  }

  private static void assertSteady(int most, Measurement measurement) throws Exception {
    double least = Double.MAX_VALUE;
    for (int round = 0; round < ROUNDS && least > most; round++) {
      least = Math.min(least, measurement.bytesOfAStep());
    }
    assertThat(least).as("bytes of a step").isLessThanOrEqualTo(most);
  }

  private TurnRequest request(
      int prompt, int maxTokens, SamplingParameters sampling, OptionalInt topLogprobs) {
    return new TurnRequest(
        "request-" + requests++,
        Namespace.DEFAULT,
        Optional.empty(),
        Tokens.of(random.ints(prompt, 0, VOCABULARY).toArray()),
        maxTokens,
        sampling,
        new StopRules(List.of("\u0001 is in no text"), Set.of(VOCABULARY + 1)),
        topLogprobs,
        AgentHints.NONE);
  }

  /**
   * Reads how much the thread that calls it has allocated: at a token's number, 0: at the start.
   */
  private static final class Watch implements TurnSink {

    private final CountDownLatch ended;
    private final int from;
    private final int to;
    private int tokens;
    private long first;
    private long last;

    Watch(CountDownLatch ended, int from, int to) {
      this.ended = ended;
      this.from = from;
      this.to = to;
    }

    /** Returns the bytes between the two. */
    double bytes() {
      return last - first;
    }

    private void look() {
      if (tokens == from) {
        first = THREADS.getCurrentThreadAllocatedBytes();
      }
      if (tokens == to) {
        last = THREADS.getCurrentThreadAllocatedBytes();
      }
    }

    @Override
    public void accepted() {}

    @Override
    public void started(TurnStart start) {
      look();
    }

    @Override
    public void token(int id, float logprob, TopLogprobs top, int visibleBytes) {
      tokens++;
      look();
    }

    @Override
    public void finished(TurnEnd end) {
      ended.countDown();
    }

    @Override
    public void failed(Fault fault) {
      throw fault.asException();
    }
  }
}
