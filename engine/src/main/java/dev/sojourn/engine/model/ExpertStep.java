package dev.sojourn.engine.model;

import dev.sojourn.engine.kernel.ComputePool;
import dev.sojourn.engine.kernel.Exp;
import dev.sojourn.engine.kernel.Kernels;
import dev.sojourn.engine.model.Layer.Dense;
import dev.sojourn.engine.model.Layer.Mixture;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The step of a mixture of experts: each row chooses its experts by their scores, each expert
 * computes the rows that chose it together, and a row's results are summed in ascending id.
 *
 * <p>A unit of work is up to {@value #MOST} rows of one expert, so its weights are read once for
 * them, by one thread. Whose rows an expert shares changes no bit, as a product's row never does.
 *
 * <p>Owned by the forward pass. Grows to the largest step and then allocates nothing.
 */
final class ExpertStep {

  /** The most rows of a unit: many enough to be worth the reading, few enough to share out. */
  private static final int MOST = 5 * Kernels.GROUP;

  private final Kernels kernels;
  private final ComputePool pool;
  private final Scratch[] scratch; // by compute thread
  private final Activation activation;
  private final int width;
  private final int stride; // of a row's state
  private final int experts; // the most of a layer
  private final int used; // the most of a row
  private final Bench[] benches; // by compute thread
  private final ComputePool.Job compute = this::compute;
  private final ComputePool.Job combine = this::combine;

  // The present step.
  private @Nullable Mixture mixture;
  private float[] input = new float[0];
  private float[] output = new float[0];
  private float[] scores = new float[0];

  /** Of each row its experts in ascending id, and what each of their results counts. */
  private int[] chosen = new int[0];

  private float[] share = new float[0];

  /** Places in {@link #chosen}, by expert; those of a unit begin at {@code first[unit]}. */
  private int[] places = new int[0];

  private int[] first = new int[1];
  private final int[] end; // of each expert's places, once they are sorted
  private float[] results = new float[0]; // by place

  /** What one thread computes a unit on. */
  private static final class Bench {

    final float[] input;
    final float[] gate;
    final float[] up;
    final float[] down;

    Bench(int feedForward, int stride) {
      int inner = Workspace.Strides.padded(feedForward);
      input = new float[MOST * Math.max(stride, inner)];
      gate = new float[MOST * inner];
      up = new float[MOST * inner];
      down = new float[MOST * stride];
    }
  }

  ExpertStep(Weights weights, Kernels kernels, ComputePool pool, Scratch[] scratch) {
    this.kernels = kernels;
    this.pool = pool;
    this.scratch = scratch;
    this.activation = weights.activation();
    this.width = weights.parameters().width();
    this.stride = Workspace.Strides.padded(width);
    int mostExperts = 0;
    int mostUsed = 0;
    int feedForward = 0;
    for (Layer layer : weights.layers()) {
      if (layer.feedForward() instanceof Mixture present) {
        mostExperts = Math.max(mostExperts, present.experts().size());
        mostUsed = Math.max(mostUsed, present.used());
        feedForward = Math.max(feedForward, present.experts().getFirst().gate().weights().rows());
      }
    }
    this.experts = mostExperts;
    this.used = mostUsed;
    this.end = new int[mostExperts];
    this.benches = new Bench[mostExperts == 0 ? 0 : scratch.length];
    for (int i = 0; i < benches.length; i++) {
      benches[i] = new Bench(feedForward, stride);
    }
  }

  /** Returns where the products of the router go: for each of {@code n} rows a score by expert. */
  float[] scores(int n) {
    int rows = Math.ceilDiv(n, Kernels.GROUP) * Kernels.GROUP;
    int needed = rows * Workspace.Strides.padded(experts);
    if (scores.length < needed) {
      // The array whose length was asked last: memory may run out before, and there is a next step.
      chosen = new int[rows * used];
      share = new float[rows * used];
      places = new int[rows * used];
      results = new float[rows * used * stride];
      first = new int[experts + rows * used / MOST + 2];
      scores = new float[needed];
    }
    return scores;
  }

  /**
   * Computes {@code n} rows.
   *
   * @param normalised the input, row by row
   * @param delta what is added to the state
   */
  void run(Mixture present, float[] normalised, int n, float[] delta) {
    mixture = present;
    input = normalised;
    output = delta;
    int scoresStride = present.router().weights().paddedRows();
    for (int row = 0; row < n; row++) {
      choose(row * scoresStride, present.experts().size(), row * present.used(), present.used());
    }
    pool.run(group(n * present.used(), present.experts().size()), compute);
    pool.run(n, combine);
  }

  /** Chooses the experts with the highest scores, of equal ones the lower ids. */
  private void choose(int scoresAt, int count, int at, int most) {
    int size = 0;
    for (int id = 0; id < count; id++) {
      float score = scores[scoresAt + id];
      if (size == most && !(score > scores[scoresAt + chosen[at + size - 1]])) {
        continue;
      }
      int place = size < most ? size++ : size - 1;
      while (place > 0 && score > scores[scoresAt + chosen[at + place - 1]]) {
        chosen[at + place] = chosen[at + place - 1];
        place--;
      }
      chosen[at + place] = id;
    }
    float greatest = scores[scoresAt + chosen[at]];
    Arrays.sort(chosen, at, at + most);
    float sum = 0;
    for (int i = at; i < at + most; i++) {
      share[i] = Exp.exp(scores[scoresAt + chosen[i]] - greatest);
      sum += share[i];
    }
    for (int i = at; i < at + most; i++) {
      share[i] /= sum;
    }
  }

  /** Sorts places by expert (counting them) and returns how many units they make. */
  private int group(int count, int ids) {
    Arrays.fill(end, 0, ids, 0);
    for (int place = 0; place < count; place++) {
      end[chosen[place]]++;
    }
    int units = 0;
    int sum = 0;
    for (int id = 0; id < ids; id++) {
      int start = sum;
      sum += end[id];
      end[id] = start;
      for (int unit = start; unit < sum; unit += MOST) {
        first[units++] = unit;
      }
    }
    first[units] = sum;
    for (int place = 0; place < count; place++) {
      places[end[chosen[place]]++] = place;
    }
    return units;
  }

  private void compute(int worker, int unit) {
    Mixture present = Objects.requireNonNull(mixture);
    Bench b = benches[worker];
    int from = first[unit];
    int n = first[unit + 1] - from;
    Dense expert = present.experts().get(chosen[places[from]]);
    for (int i = 0; i < n; i++) {
      int row = places[from + i] / present.used();
      System.arraycopy(input, row * stride, b.down, i * stride, width);
    }
    interleave(b.down, stride, width, n, b.input);
    multiply(expert.gate(), b.input, n, b.gate, worker);
    multiply(expert.up(), b.input, n, b.up, worker);
    int inner = expert.gate().weights().rows();
    int innerStride = expert.gate().weights().paddedRows();
    for (int i = 0; i < n; i++) {
      activation.apply(kernels, b.gate, b.up, i * innerStride, inner, scratch[worker].floats);
    }
    interleave(b.gate, innerStride, inner, n, b.input);
    multiply(expert.down(), b.input, n, b.down, worker);
    for (int i = 0; i < n; i++) {
      System.arraycopy(b.down, i * stride, results, places[from + i] * stride, width);
    }
  }

  private static void interleave(float[] rows, int stride, int columns, int n, float[] out) {
    for (int group = 0; group * Kernels.GROUP < n; group++) {
      Kernels.interleave(rows, stride, columns, n, group, out);
    }
  }

  private void multiply(Linear linear, float[] x, int n, float[] out, int worker) {
    int panels = linear.weights().panels();
    for (int panel = 0; panel < panels; panel += Kernels.RUN) {
      int run = Math.min(Kernels.RUN, panels - panel);
      linear.multiply(kernels, panel, run, x, n, out, scratch[worker].product);
    }
  }

  private void combine(int worker, int row) {
    int most = Objects.requireNonNull(mixture).used();
    float[] from = results;
    float[] to = output;
    int at = row * stride;
    Arrays.fill(to, at, at + width, 0);
    for (int place = row * most; place < (row + 1) * most; place++) {
      float factor = share[place];
      int of = place * stride;
      for (int i = 0; i < width; i++) {
        to[at + i] = Math.fma(factor, from[of + i], to[at + i]);
      }
    }
  }
}
