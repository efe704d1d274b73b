package dev.sojourn.jmh;

import dev.sojourn.engine.sample.Sampler;
import dev.sojourn.engine.sample.SamplingParameters;
import dev.sojourn.engine.sample.TopLogprobs;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/** What drawing a token costs, of a vocabulary of 151,936 with a few likely tokens. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "--add-modules=jdk.incubator.vector")
public class SamplerBenchmark {

  private static final SamplingParameters ALL = new SamplingParameters(0.8f, 0, 1, 0, 1, 0);
  private static final SamplingParameters TOP_K = new SamplingParameters(0.8f, 40, 0.95f, 0, 1, 0);
  private static final SamplingParameters TOP_P = new SamplingParameters(0.8f, 0, 0.95f, 0, 1, 0);

  private final float[] logits = new float[151_936];
  private final Sampler sampler = new Sampler(logits.length);
  private long position;

  /** Spreads logits as a trained model does: most far below a few. */
  @Setup
  public void fill() {
    Random random = new Random(1);
    for (int i = 0; i < logits.length; i++) {
      logits[i] = (float) (2.2 * random.nextGaussian());
    }
    for (int i = 0; i < 30; i++) {
      logits[random.nextInt(logits.length)] = 12 + 6 * random.nextFloat();
    }
  }

  /** The likeliest. */
  @Benchmark
  public int greedy() {
    return sampler.sample(logits, SamplingParameters.GREEDY, position++);
  }

  /** With a temperature and no cut. */
  @Benchmark
  public int all() {
    return sampler.sample(logits, ALL, position++);
  }

  /** Of the forty likeliest. */
  @Benchmark
  public int topK() {
    return sampler.sample(logits, TOP_K, position++);
  }

  /** Of as many as have most of the probability. */
  @Benchmark
  public int topP() {
    return sampler.sample(logits, TOP_P, position++);
  }

  /** The same, with the log probabilities of five. */
  @Benchmark
  public TopLogprobs topPWithLogprobs() {
    sampler.sample(logits, TOP_P, position++);
    return sampler.top(5, sampler.logSumExp());
  }
}
