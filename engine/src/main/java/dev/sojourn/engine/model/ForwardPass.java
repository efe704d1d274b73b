package dev.sojourn.engine.model;

import dev.sojourn.engine.kernel.ComputePool;
import dev.sojourn.engine.kernel.Kernels;
import dev.sojourn.engine.model.Layer.Dense;
import dev.sojourn.engine.model.Layer.Mixture;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The forward pass of a Llama-like model over a step's tokens; all of them in one pass over the
 * weights.
 *
 * <p>Batch-invariant: what is computed of a token depends on the tokens before it alone, bit for
 * bit. Each number is computed by one thread, in one order (see {@link Kernels}); rows never mix
 * but in attention, which reads keys and values from pages only, those of this step included. Each
 * layer writes the keys and values of all rows before any query reads them, and a query reads no
 * position after its own, so slices of one step may read pages that earlier ones of it fill.
 *
 * <p>One for a model, shared by its ranks: they take turns on the pool, a step each. A step
 * allocates nothing, but when it is larger than any before.
 */
final class ForwardPass {

  /** Of fewer rows than so many of each sequence, all are placed one by one. */
  private static final int LEAST_BY_PAGES = 2 * Kernels.LANES;

  private final Weights weights;
  private final Layer[] layers; // lists of one or two are of another class than longer ones
  private final Hyperparameters h;
  private final Kernels kernels;
  private final ComputePool pool;
  private final Attention attention;
  private final Workspace.Strides strides;
  private final Scratch[] scratch; // by compute thread
  private final Rows rows;
  private Workspace w;
  private float[] logits = new float[0];

  // Jobs are made once, so that a step allocates nothing; these fields say what they work on.
  private final ComputePool.Job embed = this::embed;
  private final ComputePool.Job place = this::place;
  private final ComputePool.Job collect = this::collect;
  private final ComputePool.Job activate = this::activate;
  private final ComputePool.Job absorb = this::absorb;
  private final Products products;
  private final ExpertStep experts;
  private final StepBatch noBatch;
  private StepBatch batch;
  private @Nullable KvCache kv;
  private int n;
  private int placed; // rows of a unit
  private int index;
  private Layer layer;
  private Norm postNorm = Norm.NONE;
  private Norm nextNorm;

  ForwardPass(Weights weights, Kernels kernels, ComputePool pool) {
    this.weights = weights;
    this.layers = weights.layers().toArray(Layer[]::new);
    this.h = weights.parameters();
    this.kernels = kernels;
    this.pool = pool;
    int group = h.heads() / h.kvHeads();
    this.rows = new Rows(Attention.rowsOfBlock(group));
    this.attention = new Attention(kernels, pool, rows, h.kvHeads(), group, h.headDim());
    this.strides = Workspace.Strides.of(weights);
    this.scratch = new Scratch[pool.threads()];
    for (int i = 0; i < scratch.length; i++) {
      scratch[i] = new Scratch();
    }
    this.products = new Products(kernels, scratch);
    this.experts = new ExpertStep(weights, kernels, pool, scratch);
    this.w = workspace(1);
    this.noBatch = new StepBatch(weights.vocabulary());
    this.batch = noBatch;
    this.layer = layers[0];
    this.nextNorm = weights.outputNorm();
  }

  private Workspace workspace(int count) {
    int widest = Math.max(strides.feedForward(), Math.max(strides.width(), strides.query()));
    return new Workspace(count, strides, widest, weights.angles());
  }

  /** Runs a step over the pages of a rank. */
  void run(StepBatch step, KvCache pages) {
    pool.acquire();
    try {
      batch = step;
      kv = pages;
      rows.clear();
      for (int slice = 0; slice < step.slices(); slice++) {
        for (int i = 0; i < step.length(slice); i++) {
          if (rows.full()) {
            compute();
            rows.clear();
          }
          rows.add(step.id(slice, i), step.position(slice) + i, slice);
        }
      }
      if (rows.count() > 0) {
        compute();
      }
    } finally {
      batch = noBatch;
      kv = null;
      pool.release();
    }
  }

  private void compute() {
    n = rows.count();
    if (w.rows < n) {
      w = workspace(n);
    }
    nextNorm = layers[0].attentionNorm();
    pool.run(groups(n), embed);
    for (index = 0; index < layers.length; index++) {
      layer = layers[index];
      products.add(layer.projections().query(), w.query);
      products.add(layer.projections().key(), w.key);
      products.add(layer.projections().value(), w.value);
      multiply(n);
      placed = n >= LEAST_BY_PAGES * batch.slices() ? Kernels.LANES : 1;
      pool.run(Math.ceilDiv(n, placed), place);
      attention.run(
          batch,
          Objects.requireNonNull(kv),
          index,
          layer.window(),
          w.query,
          w.attended,
          strides.query());
      pool.run(groups(n), collect);
      products.add(layer.output(), w.delta);
      multiply(n);
      add(layer.attentionPostNorm(), layer.feedForwardNorm());
      switch (layer.feedForward()) {
        case Dense dense -> feed(dense);
        case Mixture mixture -> {
          products.add(mixture.router(), experts.scores(n));
          multiply(n);
          experts.run(mixture, w.normalised, n, w.delta);
        }
      }
      add(layer.feedForwardPostNorm(), normAfter(index));
    }
    answer();
  }

  private void feed(Dense dense) {
    products.add(dense.gate(), w.gate);
    products.add(dense.up(), w.up);
    multiply(n);
    pool.run(groups(n), activate);
    products.add(dense.down(), w.delta);
    multiply(n);
  }

  /** Adds what the last product gave to the state, and normalises that for the next. */
  private void add(Norm post, Norm next) {
    postNorm = post;
    nextNorm = next;
    pool.run(groups(n), absorb);
  }

  private Norm normAfter(int layerIndex) {
    return layerIndex + 1 < layers.length
        ? layers[layerIndex + 1].attentionNorm()
        : weights.outputNorm();
  }

  /** Starts each row with its token's embedding and its position's angles. */
  private void embed(int worker, int group) {
    float scale = weights.embeddingScale();
    float[] state = w.state;
    for (int row = group * Kernels.GROUP; row < end(group, n); row++) {
      int at = row * strides.width();
      weights.embeddings().row(rows.id[row], state, at);
      times(state, at, h.width(), scale);
      for (int i = 0; i < weights.ropes().size(); i++) {
        Rope rope = weights.ropes().get(i);
        rope.angles(rows.position[row], w.cosines, w.sines, anglesAt(row, i));
      }
    }
    normalise(worker, group);
  }

  private int anglesAt(int row, int rope) {
    return row * weights.angles() + rope * weights.ropes().getFirst().angles();
  }

  private void absorb(int worker, int group) {
    float[] state = w.state;
    float[] delta = w.delta;
    for (int row = group * Kernels.GROUP; row < end(group, n); row++) {
      int at = row * strides.width();
      postNorm.apply(kernels, delta, at, delta, scratch[worker].sums);
      addTo(state, delta, at, h.width());
    }
    normalise(worker, group);
  }

  // Loops in methods of their own: within larger ones, all of those is compiled for their sake.

  private static void addTo(float[] sums, float[] x, int at, int n) {
    for (int i = at; i < at + n; i++) {
      sums[i] += x[i];
    }
  }

  private static void times(float[] x, int at, int n, float factor) {
    for (int i = at; i < at + n; i++) {
      x[i] *= factor;
    }
  }

  /** Makes the normalised state the input of the next product. */
  private void normalise(int worker, int group) {
    for (int row = group * Kernels.GROUP; row < end(group, n); row++) {
      nextNorm.apply(kernels, w.state, row * strides.width(), w.normalised, scratch[worker].sums);
    }
    Kernels.interleave(w.normalised, strides.width(), h.width(), n, group, w.input);
  }

  /**
   * Rotates queries and keys and puts keys and values into their pages. Neighbours go to one
   * thread: keys of a page share its cache lines, which two threads would take from each other.
   */
  private void place(int worker, int unit) {
    for (int row = unit * placed; row < Math.min((unit + 1) * placed, n); row++) {
      placeRow(worker, row);
    }
  }

  private void placeRow(int worker, int row) {
    KvCache pages = Objects.requireNonNull(kv);
    int position = rows.position[row];
    int page = batch.page(rows.slice[row], position);
    float[] query = w.query;
    float scale = weights.queryScale();
    for (int head = 0; head < h.heads(); head++) {
      int at = row * strides.query() + head * h.headDim();
      rotate(query, at, layer.queryNorm(), row, scratch[worker]);
      times(query, at, h.headDim(), scale);
    }
    for (int head = 0; head < h.kvHeads(); head++) {
      int at = row * strides.keyValue() + head * h.headDim();
      rotate(w.key, at, layer.keyNorm(), row, scratch[worker]);
      pages.write(page, index, head, position % Kernels.LANES, w.key, at, w.value, at);
    }
  }

  private void rotate(float[] head, int at, Norm norm, int row, Scratch s) {
    norm.apply(kernels, head, at, head, s.sums);
    Rope rope = weights.ropes().get(layer.rope());
    rope.rotate(head, at, w.cosines, w.sines, anglesAt(row, layer.rope()));
  }

  /** Makes what attention gave the input of the next product. */
  private void collect(int worker, int group) {
    Kernels.interleave(w.attended, strides.query(), h.heads() * h.headDim(), n, group, w.input);
  }

  /** Makes {@code activation(gate) * up} the input of the next product. */
  private void activate(int worker, int group) {
    int stride = strides.feedForward();
    for (int row = group * Kernels.GROUP; row < end(group, n); row++) {
      float[] room = scratch[worker].floats;
      weights.activation().apply(kernels, w.gate, w.up, row * stride, h.feedForward(), room);
    }
    Kernels.interleave(w.gate, stride, h.feedForward(), n, group, w.input);
  }

  /** Computes the logits of the last token of each slice that wants them. */
  private void answer() {
    int stride = strides.width();
    int wanted = 0;
    for (int row = 0; row < n; row++) {
      if (wantsLogits(row)) {
        // Moves down over rows that are not needed any more.
        System.arraycopy(w.normalised, row * stride, w.normalised, wanted++ * stride, h.width());
      }
    }
    if (wanted == 0) {
      return;
    }
    int room = groups(wanted) * Kernels.GROUP * strides.vocabulary();
    if (logits.length < room) {
      logits = new float[room];
    }
    for (int group = 0; group < groups(wanted); group++) {
      Kernels.interleave(w.normalised, stride, h.width(), wanted, group, w.input);
    }
    products.add(weights.output(), logits);
    multiply(wanted);
    int answered = 0;
    for (int row = 0; row < n; row++) {
      if (wantsLogits(row)) {
        float[] target = batch.logits(rows.slice[row]);
        System.arraycopy(logits, answered++ * strides.vocabulary(), target, 0, target.length);
      }
    }
  }

  private boolean wantsLogits(int row) {
    int slice = rows.slice[row];
    int last = batch.position(slice) + batch.length(slice) - 1;
    return batch.wantsLogits(slice) && rows.position[row] == last;
  }

  /** Computes the products that were added, of the present input with {@code count} rows. */
  private void multiply(int count) {
    products.run(pool, w.input, count);
  }

  private static int groups(int n) {
    return Math.ceilDiv(n, Kernels.GROUP);
  }

  private static int end(int group, int n) {
    return Math.min((group + 1) * Kernels.GROUP, n);
  }
}
