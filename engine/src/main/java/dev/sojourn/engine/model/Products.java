package dev.sojourn.engine.model;

import dev.sojourn.engine.kernel.ComputePool;
import dev.sojourn.engine.kernel.Kernels;

/**
 * Products of one input with several matrices, as one job: a unit is a run of panels of one of
 * them.
 *
 * <p>Made once and filled for each job, by the thread that runs the pool; empty again after it,
 * whether it went well or not.
 */
final class Products implements ComputePool.Job {

  private static final int MOST = 3;

  private final Kernels kernels;
  private final Scratch[] scratch; // by compute thread
  private final Linear[] linears = new Linear[MOST];
  private final float[][] outs = new float[MOST][];
  private float[] input = new float[0];
  private int tokens;
  private int count;
  private int panels; // of a unit, at most

  Products(Kernels kernels, Scratch[] scratch) {
    this.kernels = kernels;
    this.scratch = scratch;
  }

  /** Adds a matrix, and where its products go. */
  void add(Linear linear, float[] out) {
    linears[count] = linear;
    outs[count++] = out;
  }

  /**
   * Computes the products of what was added.
   *
   * @param interleaved the input of {@code rows} rows, laid out as {@link Kernels#product} wants it
   */
  void run(ComputePool pool, float[] interleaved, int rows) {
    input = interleaved;
    tokens = rows;
    int all = 0;
    for (int i = 0; i < count; i++) {
      all += linears[i].weights().panels();
    }
    panels = panelsOfAUnit(all, pool.threads(), rows);
    int units = 0;
    for (int i = 0; i < count; i++) {
      units += runs(linears[i]);
    }
    try {
      pool.run(units, this);
    } finally {
      count = 0;
    }
  }

  /**
   * Returns how many of a job's panels make a unit: the most that a product takes, or half, where
   * threads would have fewer than two units each. A few tokens read four panels side by side; of a
   * prompt's products each panel is work enough, so that units of them are halved down to one.
   */
  static int panelsOfAUnit(int all, int threads, int tokens) {
    int least = tokens > Kernels.GROUP ? 1 : Kernels.RUN / 2;
    int unit = Kernels.RUN;
    while (unit > least && all < 2 * threads * unit) {
      unit /= 2;
    }
    return unit;
  }

  private int runs(Linear linear) {
    return Math.ceilDiv(linear.weights().panels(), panels);
  }

  @Override
  public void run(int worker, int unit) {
    int run = unit;
    int i = 0;
    while (run >= runs(linears[i])) {
      run -= runs(linears[i++]);
    }
    int first = run * panels;
    int size = Math.min(panels, linears[i].weights().panels() - first);
    linears[i].multiply(kernels, first, size, input, tokens, outs[i], scratch[worker].product);
  }
}
