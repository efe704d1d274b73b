package dev.sojourn.jmh;

import dev.sojourn.engine.kernel.ComputePool;
import dev.sojourn.engine.kernel.Kernels;
import dev.sojourn.engine.kernel.LargeMemory;
import dev.sojourn.engine.kernel.PackedMatrix;
import dev.sojourn.engine.kernel.ProductScratch;
import dev.sojourn.engine.kernel.WeightType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
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
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * A matrix times the activations of some tokens. Each call takes the next of so many matrices that
 * the caches have forgotten it, as a model's next step does.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "--add-modules=jdk.incubator.vector")
public class ProductBenchmark {

  private static final long BYTES = 256L << 20; // of all matrices: more than caches hold

  /** All of them. */
  @Param public WeightType type = WeightType.Q8_0;

  /** One decodes, a few decode as a batch, many are a prompt. */
  @Param({"1", "4", "8", "64", "512"})
  public int tokens;

  /** Rows and columns. */
  @Param({"2048x2048", "3072x1024"})
  public String shape = "";

  private final Arena arena = Arena.ofShared();
  private final LargeMemory memory = new LargeMemory(arena); // huge pages, as a model's weights
  private final Kernels kernels = Kernels.best();
  private final ProductScratch scratch = new ProductScratch();
  private PackedMatrix[] matrices = {};
  private float[] x = {};
  private float[] out = {};
  private int next;

  /** Packs the matrices. */
  @Setup
  public void pack() {
    int[] size = Arrays.stream(shape.split("x", -1)).mapToInt(Integer::parseInt).toArray();
    int rows = size[0];
    int columns = size[1];
    long bytes = (long) rows * (columns / type.block()) * type.fileBytes();
    try (ComputePool pool = new ComputePool(1);
        Arena file = Arena.ofConfined()) {
      MemorySegment source = file.allocate(bytes);
      for (long i = 0; i < bytes; i++) {
        source.set(ValueLayout.JAVA_BYTE, i, (byte) (i * 31 % 61)); // halves of it are finite
      }
      matrices = new PackedMatrix[Math.toIntExact(Math.ceilDiv(BYTES, bytes))];
      Arrays.setAll(matrices, _ -> PackedMatrix.pack(type, source, rows, columns, memory, pool));
    }
    int room = Math.ceilDiv(tokens, Kernels.GROUP) * Kernels.GROUP;
    x = new float[room * columns];
    for (int i = 0; i < x.length; i++) {
      x[i] = i % 17 / 16f - 0.5f;
    }
    out = new float[room * matrices[0].paddedRows()];
  }

  /** Multiplies. */
  @Benchmark
  public float[] product() {
    PackedMatrix matrix = matrices[next];
    next = (next + 1) % matrices.length;
    int stride = matrix.paddedRows();
    for (int panel = 0; panel < matrix.panels(); panel += Kernels.RUN) {
      int panels = Math.min(Kernels.RUN, matrix.panels() - panel);
      kernels.product(matrix, panel, panels, x, tokens, out, stride, scratch);
    }
    return out;
  }

  /** Frees the matrices. */
  @TearDown
  public void free() {
    arena.close();
  }
}
