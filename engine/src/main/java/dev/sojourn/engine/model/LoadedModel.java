package dev.sojourn.engine.model;

import dev.sojourn.core.BlockHasher;
import dev.sojourn.engine.kernel.ComputePool;
import dev.sojourn.engine.kernel.Kernels;
import dev.sojourn.engine.kernel.LargeMemory;
import dev.sojourn.engine.kernel.PackedMatrix;
import dev.sojourn.engine.model.NotEnoughMemoryException.Share;
import dev.sojourn.engine.weights.ModelFile;
import dev.sojourn.engine.weights.ModelFileException;
import dev.sojourn.engine.weights.Progress;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;

/**
 * A model in memory: its weights, packed, and the threads that multiply them. Ranks are runners of
 * it with pages of their own; they share both.
 *
 * <p>Safe for use by any thread. Close it after its runners' last step.
 */
public final class LoadedModel implements AutoCloseable {

  /** What a process takes beside weights and KV: the JVM, its heap, a step's numbers. */
  private static final long REST = 300L << 20;

  private final LoadOptions options;
  private final ModelShape shape;
  private final Arena arena;
  private final ComputePool pool;
  private final Weights weights;
  private final Kernels kernels;
  private final ForwardPass pass;

  /** Bytes of the KV of runners that are open, as if none of it were in use yet. */
  private final AtomicLong promised = new AtomicLong();

  private LoadedModel(
      LoadOptions options,
      ModelShape shape,
      Arena arena,
      ComputePool pool,
      Weights weights,
      Kernels kernels) {
    this.options = options;
    this.shape = shape;
    this.arena = arena;
    this.pool = pool;
    this.weights = weights;
    this.kernels = kernels;
    this.pass = new ForwardPass(weights, kernels, pool);
  }

  /**
   * Returns the bytes of a KV page of a model that is not loaded yet.
   *
   * @throws dev.sojourn.engine.weights.ModelFileException if the file does not say
   */
  public static long kvBytesPerPage(ModelFile file, LoadOptions options) {
    Architecture.of(file); // an unknown one is wrong, rather than what its keys lack
    Hyperparameters h = Hyperparameters.read(file, options.contextLength());
    return KvCache.pageBytes(options.kvType(), h.layers(), h.kvHeads(), h.headDim());
  }

  /**
   * Returns for each layer of a model that is not loaded yet how many positions a query sees, its
   * own included; 0: all up to its own.
   *
   * @throws dev.sojourn.engine.weights.ModelFileException if the file is not a model that we know
   */
  public static List<Integer> windows(ModelFile file) {
    Architecture architecture = Architecture.of(file);
    int layers = Hyperparameters.read(file, OptionalInt.empty()).layers();
    return IntStream.range(0, layers).mapToObj(architecture::window).toList();
  }

  /** Returns why a model cannot be loaded, as far as its headers tell; empty if it can. */
  public static Optional<String> problem(ModelFile file) {
    try {
      new WeightLoader(file, OptionalInt.empty());
      return Optional.empty();
    } catch (ModelFileException e) {
      return Optional.of(String.valueOf(e.getMessage()));
    }
  }

  /**
   * Checks from the header alone that the weights and the KV of all ranks fit into memory: loading
   * can take minutes.
   *
   * @param pages of each rank
   * @throws NotEnoughMemoryException if they do not fit
   */
  public static void checkMemory(ModelFile file, LoadOptions options, int ranks, int pages) {
    long weights = new WeightLoader(file, options.contextLength()).bytes();
    long page = kvBytesPerPage(file, options);
    long kv = Math.multiplyExact(Math.multiplyExact((long) ranks, pages), page);
    NotEnoughMemoryException.check(
        "%s with KV for %d tokens on each of %d %s"
            .formatted(
                file.path().getFileName(),
                (long) pages * BlockHasher.BLOCK,
                ranks,
                ranks == 1 ? "rank" : "ranks"),
        List.of(new Share("weights", weights), new Share("KV", kv), new Share("the process", REST)),
        available -> {
          long room = Math.max(0, available - weights - REST);
          long fit = room / Math.multiplyExact(page, (long) ranks) * BlockHasher.BLOCK;
          return fit == 0
              ? "choose a smaller model"
              : "KV for %d tokens on each rank would fit (--kv-tokens), a token's takes %d bytes"
                  .formatted(fit, page / BlockHasher.BLOCK);
        });
  }

  /**
   * Refuses a machine that could run no model, before one is written or read.
   *
   * @throws UnsupportedOperationException if the machine has no FMA instructions
   */
  public static void checkProcessor() {
    Kernels.checkProcessor();
  }

  /**
   * Packs a model's weights into memory. The file may be closed after.
   *
   * @throws dev.sojourn.engine.weights.ModelFileException if the file is not a model that we know
   * @throws NotEnoughMemoryException if the weights do not fit
   * @throws UnsupportedOperationException if the machine has no FMA instructions
   */
  public static LoadedModel load(ModelFile file, LoadOptions options, Progress progress) {
    Kernels kernels = Kernels.best();
    return load(file, checkedLoader(file, options), kernels, options, progress);
  }

  /**
   * Does what {@link #load} and then {@link #warmUp} do, and as much as possible of it at the same
   * time: nearly all of warming up needs no weights.
   *
   * @throws dev.sojourn.engine.weights.ModelFileException if the file is not a model that we know
   * @throws NotEnoughMemoryException if the weights do not fit
   * @throws UnsupportedOperationException if the machine has no FMA instructions
   */
  public static LoadedModel loadWarm(ModelFile file, LoadOptions options, Progress progress) {
    Kernels kernels = Kernels.best();
    WeightLoader loader = checkedLoader(file, options);
    try (WarmUp warmUp = WarmUp.begin(loader.outline(), options.kvType(), kernels)) {
      LoadedModel model = load(file, loader, kernels, options, progress);
      boolean warm = false;
      try {
        warmUp.finish(model.weights, model.pool, progress);
        warm = true;
        return model;
      } finally {
        if (!warm) {
          model.close();
        }
      }
    }
  }

  private static WeightLoader checkedLoader(ModelFile file, LoadOptions options) {
    WeightLoader loader = new WeightLoader(file, options.contextLength());
    NotEnoughMemoryException.check(
        file.path().getFileName().toString(),
        List.of(new Share("weights", loader.bytes()), new Share("the process", REST)),
        "choose a smaller model");
    return loader;
  }

  private static LoadedModel load(
      ModelFile file,
      WeightLoader loader,
      Kernels kernels,
      LoadOptions options,
      Progress progress) {
    Hyperparameters h = loader.parameters();
    Arena arena = Arena.ofShared();
    ComputePool pool = new ComputePool(options.threads());
    boolean loaded = false;
    try {
      MemorySegment image = new LargeMemory(arena).allocate(loader.bytes(), PackedMatrix.ALIGNMENT);
      WeightLoader.Loaded loading =
          options.packedCache()
              ? new PackedCache(file, loader).load(image, pool, progress)
              : loader.pack(image, pool, new ArrayList<>(), progress);
      Weights weights = loading.weights();
      ModelShape shape =
          new ModelShape(
              file.metadata().findString("general.name").orElse(file.architecture()),
              file.architecture(),
              h.layers(),
              h.width(),
              h.feedForward(),
              h.heads(),
              h.kvHeads(),
              h.headDim(),
              weights.vocabulary(),
              h.contextLength(),
              loading.parameters(),
              loader.bytes(),
              KvCache.pageBytes(options.kvType(), h.layers(), h.kvHeads(), h.headDim()));
      LoadedModel model = new LoadedModel(options, shape, arena, pool, weights, kernels);
      loaded = true;
      return model;
    } finally {
      if (!loaded) {
        pool.close();
        arena.close();
      }
    }
  }

  /** Returns the facts of the model. */
  public ModelShape shape() {
    return shape;
  }

  /**
   * Creates a rank's runner with storage for so many KV pages. Memory is taken as pages are used,
   * and not reserved: that it is there, for this runner and all that are open, beside what is in
   * use now, is checked here; what another process takes later is not there.
   *
   * @throws NotEnoughMemoryException if they do not fit
   */
  public ModelRunner newRunner(int pages) {
    if (pages < 1) {
      throw new IllegalArgumentException("a runner has at least 1 page, not " + pages);
    }
    int tokens = Math.multiplyExact(pages, BlockHasher.BLOCK);
    long bytes = Math.multiplyExact(pages, shape.kvBytesPerPage());
    // Promised before it is checked: of two at a time, at least one sees the other.
    long others = promised.getAndAdd(bytes);
    boolean created = false;
    try {
      NotEnoughMemoryException.check(
          "KV for " + tokens + " more tokens",
          List.of(new Share("this rank", bytes), new Share("other ranks", others)),
          "a token takes " + shape.kvBytesPerPage() / BlockHasher.BLOCK + " bytes: ask for fewer");
      KvCache kv =
          new KvCache(options.kvType(), shape.layers(), shape.kvHeads(), shape.headDim(), pages);
      created = true;
      return new CpuRunner(pass, kv, shape, pages, () -> promised.addAndGet(-bytes));
    } finally {
      if (!created) {
        promised.addAndGet(-bytes);
      }
    }
  }

  /**
   * Runs every shape of the arithmetic until it is compiled, so that the first request does not pay
   * for it.
   *
   * @param progress hears of rounds
   */
  public void warmUp(Progress progress) {
    try (WarmUp warmUp = WarmUp.begin(weights, options.kvType(), kernels)) {
      warmUp.finish(weights, pool, progress);
    }
  }

  /** Frees the weights and ends the threads, after a step that runs. */
  @Override
  public void close() {
    pool.acquire();
    try {
      pool.close();
      if (arena.scope().isAlive()) {
        arena.close();
      }
    } finally {
      pool.release();
    }
  }
}
