package dev.sojourn.engine.model;

import dev.sojourn.engine.kernel.ComputePool;
import dev.sojourn.engine.kernel.Kernels;

/**
 * Products of one input with several matrices, as one job: a unit is a run of panels of one of
 * them.
 *
 * <p>Made once and filled for each job, by the thread that runs the pool.
 */
final class Products implements ComputePool.Job {

  private static final int MOST = 3;

  /** Units for each thread, if there are panels enough: the last ones make others wait. */
  private static final int UNITS = 4;

  private final Kernels kernels;
  private final Scratch[] scratch; // by compute thread
  private final Linear[] linears = new Linear[MOST];
  private final float[][] outs = new float[MOST][];
  private float[] input = new float[0];
  private int tokens;
  private int count;
  private int run; // panels of a unit
  private int units;

  Products(Kernels kernels, Scratch[] scratch) {
    this.kernels = kernels;
    this.scratch = scratch;
  }

  /** Adds a matrix, and where its products go. */
  void add(Linear linear, float[] out) {
    linears[count] = linear;
    outs[count++] = out;
  }

  /** Sets the input of all, laid out as {@link Kernels#product} wants it. */
  void of(float[] interleaved, int rows) {
    input = interleaved;
    tokens = rows;
    int panels = 0;
    for (int i = 0; i < count; i++) {
      panels += linears[i].weights().panels();
    }
    int share = Integer.highestOneBit(panels / (UNITS * scratch.length));
    run = Math.clamp(share, 1, Kernels.RUN);
    units = 0;
    for (int i = 0; i < count; i++) {
      units += runs(linears[i]);
    }
  }

  void clear() {
    count = 0;
  }

  /** Returns the number of units. */
  int units() {
    return units;
  }

  private int runs(Linear linear) {
    return Math.ceilDiv(linear.weights().panels(), run);
  }

  @Override
  public void run(int worker, int unit) {
    int place = unit;
    int i = 0;
    while (place >= runs(linears[i])) {
      place -= runs(linears[i++]);
    }
    int first = place * run;
    int panels = Math.min(run, linears[i].weights().panels() - first);
    linears[i].multiply(kernels, first, panels, input, tokens, outs[i], scratch[worker].product);
  }
}
