package dev.sojourn.engine.model;

import dev.sojourn.engine.kernel.ComputePool;
import dev.sojourn.engine.kernel.Kernels;
import java.lang.foreign.Arena;

/**
 * The forward pass of a Llama-like model over a step's tokens; all of them in one pass over the
 * weights.
 *
 * <p>Batch-invariant: what is computed of a token depends on the tokens before it alone, bit for
 * bit. Each number is computed by one thread, in one order (see {@link Kernels}); rows never mix
 * but in attention, which reads keys and values from pages only, those of this step included. Each
 * layer writes the keys and values of all rows before any query reads them, and a query reads no
 * position after its own, so slices of one step may read pages that others of it fill.
 *
 * <p>One for a model, shared by its ranks: they take turns on the pool, a step each.
 */
final class ForwardPass {

  private final Weights weights;
  private final Hyperparameters h;
  private final Kernels kernels;
  private final ComputePool pool;
  private final Attention attention;
  private final Workspace.Strides strides;
  private final Scratch[] scratch; // by compute thread
  private final Rows rows = new Rows();
  private final float queryScale;
  private Workspace w;
  private float[] logits = new float[0];

  ForwardPass(Weights weights, Kernels kernels, ComputePool pool, Arena arena) {
    this.weights = weights;
    this.h = weights.parameters();
    this.kernels = kernels;
    this.pool = pool;
    int group = h.heads() / h.kvHeads();
    this.attention = new Attention(kernels, group, h.headDim());
    this.strides = Workspace.Strides.of(h, weights.vocabulary());
    this.scratch = new Scratch[pool.threads()];
    for (int i = 0; i < scratch.length; i++) {
      scratch[i] = new Scratch(Rows.BLOCK * group, h.headDim(), arena);
    }
    this.queryScale = (float) (1 / Math.sqrt(h.headDim()));
    this.w = workspace(1);
  }

  private Workspace workspace(int count) {
    int widest = Math.max(h.feedForward(), Math.max(h.width(), h.heads() * h.headDim()));
    return new Workspace(count, strides, h.width(), widest, weights.rope().angles());
  }

  /** Runs a step over the pages of a rank. */
  void run(StepBatch batch, KvCache kv) {
    pool.acquire();
    try {
      rows.clear();
      for (int slice = 0; slice < batch.slices(); slice++) {
        for (int i = 0; i < batch.length(slice); i++) {
          if (rows.full()) {
            compute(batch, kv);
            rows.clear();
          }
          rows.add(batch.id(slice, i), batch.position(slice) + i, slice);
        }
      }
      if (rows.count() > 0) {
        compute(batch, kv);
      }
    } finally {
      pool.release();
    }
  }

  private void compute(StepBatch batch, KvCache kv) {
    int n = rows.count();
    if (w.rows < n) {
      w = workspace(Math.min(Rows.MOST, Math.max(n, 2 * w.rows)));
    }
    embed(n);
    for (int index = 0; index < weights.layers().size(); index++) {
      Layer layer = weights.layers().get(index);
      normalise(n, layer.attentionNorm());
      multiply(
          n,
          new Product(layer.query(), w.query),
          new Product(layer.key(), w.key),
          new Product(layer.value(), w.value));
      place(n, batch, kv, layer, index);
      attend(batch, kv, index);
      interleave(n, w.attended, strides.query(), h.heads() * h.headDim());
      multiply(n, new Product(layer.output(), w.delta));
      addDelta(n);
      normalise(n, layer.feedForwardNorm());
      multiply(n, new Product(layer.gate(), w.gate), new Product(layer.up(), w.up));
      activate(n);
      multiply(n, new Product(layer.down(), w.delta));
      addDelta(n);
    }
    answer(batch);
  }

  /** Starts each row with its token's embedding and its position's angles. */
  private void embed(int n) {
    pool.run(
        n,
        (_, row) -> {
          weights.embeddings().row(rows.id[row], w.state, row * h.width());
          int angles = weights.rope().angles();
          weights.rope().angles(rows.position[row], w.cosines, w.sines, row * angles);
        });
  }

  /** Makes the normalised state the input of the next product. */
  private void normalise(int n, Norm norm) {
    pool.run(
        groups(n),
        (worker, group) -> {
          for (int row = group * Kernels.GROUP; row < end(group, n); row++) {
            norm.apply(kernels, w.state, row * h.width(), w.normalised, scratch[worker].sums);
          }
          Kernels.interleave(w.normalised, h.width(), h.width(), n, group, w.input);
        });
  }

  /** Rotates queries and keys and puts keys and values into their pages. */
  private void place(int n, StepBatch batch, KvCache kv, Layer layer, int index) {
    pool.run(
        n,
        (worker, row) -> {
          int position = rows.position[row];
          int page = batch.page(rows.slice[row], position);
          for (int head = 0; head < h.heads(); head++) {
            int at = row * strides.query() + head * h.headDim();
            rotate(w.query, at, layer.queryNorm(), row, scratch[worker]);
            for (int i = at; i < at + h.headDim(); i++) {
              w.query[i] *= queryScale;
            }
          }
          for (int head = 0; head < h.kvHeads(); head++) {
            int at = row * strides.keyValue() + head * h.headDim();
            rotate(w.key, at, layer.keyNorm(), row, scratch[worker]);
            kv.write(page, index, head, position % Rows.BLOCK, w.key, at, w.value, at);
          }
        });
  }

  private void rotate(float[] head, int at, Norm norm, int row, Scratch s) {
    norm.apply(kernels, head, at, head, s.sums);
    weights.rope().rotate(head, at, w.cosines, w.sines, row * weights.rope().angles());
  }

  private void attend(StepBatch batch, KvCache kv, int layer) {
    pool.run(
        rows.blocks() * h.kvHeads(),
        (worker, unit) -> {
          int block = unit / h.kvHeads();
          attention.run(
              batch,
              rows,
              rows.block[block],
              rows.block[block + 1],
              kv,
              layer,
              unit % h.kvHeads(),
              0,
              w.query,
              w.attended,
              strides.query(),
              scratch[worker]);
        });
  }

  private void interleave(int n, float[] from, int stride, int columns) {
    pool.run(groups(n), (_, group) -> Kernels.interleave(from, stride, columns, n, group, w.input));
  }

  /** Makes {@code silu(gate) * up} the input of the next product. */
  private void activate(int n) {
    int stride = strides.feedForward();
    pool.run(
        groups(n),
        (worker, group) -> {
          for (int row = group * Kernels.GROUP; row < end(group, n); row++) {
            siluTimesUp(row * stride, scratch[worker].floats);
          }
          Kernels.interleave(w.gate, stride, h.feedForward(), n, group, w.input);
        });
  }

  /** {@code gate / (1 + exp(-gate)) * up}, as much at a time as the scratch holds. */
  private void siluTimesUp(int row, float[] exp) {
    for (int first = 0; first < h.feedForward(); first += exp.length) {
      int count = Math.min(exp.length, h.feedForward() - first);
      int at = row + first;
      kernels.exp(w.gate, at, 0, -1, exp, 0, count);
      for (int i = 0; i < count; i++) {
        w.gate[at + i] = w.gate[at + i] / (1 + exp[i]) * w.up[at + i];
      }
    }
  }

  private void addDelta(int n) {
    pool.run(
        n,
        (_, row) -> {
          for (int i = 0; i < h.width(); i++) {
            w.state[row * h.width() + i] += w.delta[row * strides.width() + i];
          }
        });
  }

  /** Computes the logits of the last token of each slice that wants them. */
  private void answer(StepBatch batch) {
    int wanted = 0;
    for (int row = 0; row < rows.count(); row++) {
      if (wantsLogits(batch, row)) {
        // Moves down over rows that are not needed any more.
        System.arraycopy(w.state, row * h.width(), w.state, wanted++ * h.width(), h.width());
      }
    }
    if (wanted == 0) {
      return;
    }
    int room = groups(wanted) * Kernels.GROUP * strides.vocabulary();
    if (logits.length < room) {
      logits = new float[room];
    }
    normalise(wanted, weights.outputNorm());
    multiply(wanted, new Product(weights.output(), logits));
    int answered = 0;
    for (int row = 0; row < rows.count(); row++) {
      if (wantsLogits(batch, row)) {
        float[] target = batch.logits(rows.slice[row]);
        System.arraycopy(logits, answered++ * strides.vocabulary(), target, 0, target.length);
      }
    }
  }

  private boolean wantsLogits(StepBatch batch, int row) {
    int slice = rows.slice[row];
    int last = batch.position(slice) + batch.length(slice) - 1;
    return batch.wantsLogits(slice) && rows.position[row] == last;
  }

  /** A product of the present input and where its results go. */
  private static final class Product {

    final Linear linear;
    final float[] out;
    final int panels;

    Product(Linear linear, float[] out) {
      this.linear = linear;
      this.out = out;
      this.panels = linear.weights().panels();
    }
  }

  /** Computes products of the same input, runs of their panels shared out among the threads. */
  private void multiply(int n, Product... products) {
    int runs = 0;
    for (Product product : products) {
      runs += Math.ceilDiv(product.panels, Kernels.RUN);
    }
    pool.run(
        runs,
        (worker, unit) -> {
          int first = unit * Kernels.RUN;
          int i = 0;
          while (first >= Math.ceilDiv(products[i].panels, Kernels.RUN) * Kernels.RUN) {
            first -= Math.ceilDiv(products[i++].panels, Kernels.RUN) * Kernels.RUN;
          }
          Product product = products[i];
          int panels = Math.min(Kernels.RUN, product.panels - first);
          product.linear.multiply(
              kernels, first, panels, w.input, n, product.out, scratch[worker].product);
        });
  }

  private static int groups(int n) {
    return Math.ceilDiv(n, Kernels.GROUP);
  }

  private static int end(int group, int n) {
    return Math.min((group + 1) * Kernels.GROUP, n);
  }
}
