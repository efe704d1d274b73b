package dev.sojourn.jmh;

import dev.sojourn.engine.kernel.Kernels;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/** What is computed of each number: the sum of squares of a norm, exp of softmax and SiLU. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "--add-modules=jdk.incubator.vector")
public class ElementBenchmark {

  /** Numbers of a row. */
  @Param({"1024", "8192"})
  public int numbers;

  private final Kernels kernels = Kernels.best();
  private final float[] sums = new float[Kernels.LANES];
  private float[] x = {};
  private float[] out = {};

  /** Fills the row. */
  @Setup
  public void fill() {
    x = new float[numbers];
    for (int i = 0; i < numbers; i++) {
      x[i] = i % 41 / 4f - 5;
    }
    out = new float[numbers];
  }

  /** The reduction of a norm. */
  @Benchmark
  public float squares() {
    return kernels.squares(x, 0, numbers, sums);
  }

  /** The exponential. */
  @Benchmark
  public float[] exp() {
    kernels.exp(x, 0, 0, 1, out, 0, numbers);
    return out;
  }

  /** {@code silu(x) * x}, as the feed-forward part computes it. */
  @Benchmark
  public float[] siluTimesUp() {
    kernels.exp(x, 0, 0, -1, out, 0, numbers);
    for (int i = 0; i < numbers; i++) {
      out[i] = x[i] / (1 + out[i]) * x[i];
    }
    return out;
  }
}
