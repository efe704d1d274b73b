package dev.sojourn.engine.model;

import static java.util.Objects.requireNonNull;

import dev.sojourn.engine.kernel.ComputePool;
import dev.sojourn.engine.kernel.Kernels;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Causal attention over KV pages. A unit of work is a block of neighbouring rows of a slice and a
 * KV head: the queries of its rows and of all heads that share the KV head read each page together.
 *
 * <p>A query goes over its context in order of position with an online softmax (Milakov and
 * Gimelshein 2018) whose steps are spans of eight pages, tied to absolute positions. So its result
 * depends neither on the queries that it is computed with nor on who computes it: heads and rows
 * are shared out among the threads, positions never. Tokens that it does not see weigh 0 and their
 * values are not added; pages of a span of which no query sees a token are not read.
 *
 * <p>Owned by the forward pass; allocates nothing.
 */
final class Attention implements ComputePool.Job {

  private static final int SLOTS = Kernels.LANES;
  private static final int SPAN = Kernels.SPAN;
  private static final int TILE = Kernels.QUERIES;

  /** Queries of a unit, if there are rows enough: a page is converted once for so many. */
  private static final int QUERIES = 64;

  private final Kernels kernels;
  private final ComputePool pool;
  private final Rows rows;
  private final int kvHeads;
  private final int group;
  private final int headDim;
  private final int panels; // of 16 dimensions
  private final Scratch[] scratch; // by compute thread

  // The present call: written before the pool's threads start, read by them.
  private @Nullable StepBatch batch;
  private @Nullable KvCache kv;
  private int layer;
  private int window;
  private float[] queries = new float[0];
  private float[] out = queries;
  private int stride;
  private int parts;

  /** Creates attention in which {@code group} heads share each of the {@code kvHeads}. */
  Attention(Kernels kernels, ComputePool pool, Rows rows, int kvHeads, int group, int headDim) {
    this.kernels = kernels;
    this.pool = pool;
    this.rows = rows;
    this.kvHeads = kvHeads;
    this.group = group;
    this.headDim = headDim;
    this.panels = Math.ceilDiv(headDim, SLOTS);
    this.scratch = new Scratch[pool.threads()];
    Arrays.setAll(scratch, _ -> new Scratch(kernels, rowsOfBlock(group) * group, headDim));
  }

  /** Returns how many rows of a slice a unit takes at most. */
  static int rowsOfBlock(int group) {
    return Math.max(1, QUERIES / group);
  }

  /**
   * Computes all rows.
   *
   * @param window how many positions a query sees, its own included; 0: all up to its own
   * @param queries rotated and scaled, {@code stride} floats from row to row
   * @param out the same layout
   */
  void run(
      StepBatch batch,
      KvCache kv,
      int layer,
      int window,
      float[] queries,
      float[] out,
      int stride) {
    this.batch = batch;
    this.kv = kv;
    this.layer = layer;
    this.window = window;
    this.queries = queries;
    this.out = out;
    this.stride = stride;
    int units = rows.blocks() * kvHeads;
    // Fewer units than threads: then heads that share a KV head are shared out too.
    parts = Math.min(group, Math.ceilDiv(pool.threads(), units));
    pool.run(units * parts, this);
  }

  /** The last blocks of a prompt see most, and the longest units should not come last. */
  @Override
  public void run(int worker, int unit) {
    int block = rows.blocks() - 1 - unit / (kvHeads * parts);
    int part = unit % parts;
    int firstHead = unit / parts % kvHeads * group + group * part / parts;
    int heads = group * (part + 1) / parts - group * part / parts;
    attend(
        requireNonNull(batch),
        requireNonNull(kv),
        rows.block[block],
        rows.block[block + 1],
        firstHead,
        heads,
        scratch[worker]);
  }

  private void attend(
      StepBatch batch, KvCache kv, int firstRow, int endRow, int firstHead, int heads, Scratch s) {
    int count = (endRow - firstRow) * heads;
    Arrays.fill(s.out, 0, count * panels * SLOTS, 0);
    for (int j = 0; j < count; j++) {
      s.at[j] = (firstRow + j / heads) * stride + (firstHead + j % heads) * headDim;
      s.max[j] = Float.NEGATIVE_INFINITY;
      s.sum[j] = 0;
      begin(j, s);
    }
    int slice = rows.slice[firstRow];
    int kvHead = firstHead / group;
    int firstPosition = rows.position[firstRow];
    int lastPosition = rows.position[endRow - 1];
    int most = lastPosition + 1; // a window may be any int
    int reach = window == 0 ? most : Math.min(window, most);
    int firstSeen = Math.max(0, firstPosition - reach + 1);
    for (int start = firstSeen - firstSeen % SPAN; start <= lastPosition; start += SPAN) {
      int firstPage = Math.max(0, firstSeen - start) / SLOTS;
      int endPage = Math.min(SPAN, lastPosition - start + SLOTS) / SLOTS;
      for (int p = firstPage; p < endPage; p++) {
        int page = batch.page(slice, start + p * SLOTS);
        s.reader.keys(kv, page, layer, kvHead, s.span, p);
      }
      // Rows before these do not see the span yet, and rows after them do not any more.
      int from = Math.max(0, start - firstPosition) * heads;
      int to = Math.min(count, (start + SPAN - 1 + reach - firstPosition) * heads);
      int tile = from - from % TILE;
      int endSlot = endPage * SLOTS;
      kernels.scores(s.queries, tile, to, headDim, s.span, firstPage * SLOTS, endSlot, s.scores);
      for (int j = from; j < to; j++) {
        int after = firstPosition + j / heads + 1 - start;
        s.first[j] = Math.max(0, after - reach);
        s.end[j] = Math.min(SPAN, after);
      }
      kernels.weigh(s.scores, from, to, s.first, s.end, s.max, s.sum, s.scale, s.sums);
      for (int j = from; j < to; j++) {
        if (s.scale[j] != 1) { // the maximum seldom moves; times 1 changes no bit
          rescale(j, s);
        }
      }
      for (int p = firstPage; p < endPage; p++) {
        int page = batch.page(slice, start + p * SLOTS);
        s.reader.values(kv, page, layer, kvHead, s.span, p);
      }
      kernels.accumulate(s.scores, from, to, s.first, s.end, s.span, panels, s.out);
    }
    for (int j = 0; j < count; j++) {
      end(j, s);
    }
  }

  // Loops in methods of their own: within attend, they would have all of it compiled for their
  // sake.

  /** Puts a query into its tile. */
  private void begin(int j, Scratch s) {
    int to = j / TILE * TILE * headDim + j % TILE;
    for (int d = 0; d < headDim; d++) {
      s.queries[to + d * TILE] = queries[s.at[j] + d];
    }
  }

  /** Brings what a query has so far to its new maximum. */
  private void rescale(int j, Scratch s) {
    float factor = s.scale[j];
    for (int i = j * panels * SLOTS; i < (j + 1) * panels * SLOTS; i++) {
      s.out[i] *= factor;
    }
  }

  /** Writes a query's result. */
  private void end(int j, Scratch s) {
    float inverse = 1 / s.sum[j];
    for (int d = 0; d < headDim; d++) {
      out[s.at[j] + d] = s.out[j * panels * SLOTS + d] * inverse;
    }
  }

  /** What one compute thread writes on; overwritten by each unit. */
  private static final class Scratch {

    /** Queries in tiles, see {@link Kernels#scores}. */
    final float[] queries;

    /** Of each query: where its numbers begin. */
    final int[] at;

    /** Of each query: the first token of the present span that it sees; {@code end} the last. */
    final int[] first;

    final int[] end;

    /** Of each query: the span's scores, then weights. */
    final float[] scores;

    /** Of each query: the greatest score so far. */
    final float[] max;

    /** Of each query: the sum of weights so far. */
    final float[] sum;

    /** Of each query: what its result so far must be multiplied with. */
    final float[] scale;

    /** Running sums of a reduction. */
    final float[] sums = new float[Kernels.LANES];

    /** Of each query: the result so far, in whole panels. */
    final float[] out;

    /** The span's keys, then its values, as floats. */
    final float[] span;

    final KvReader reader;

    Scratch(Kernels kernels, int count, int headDim) {
      int whole = Math.ceilDiv(count, TILE) * TILE;
      queries = new float[whole * headDim];
      at = new int[count];
      first = new int[count];
      end = new int[count];
      scores = new float[(whole + TILE) * SPAN];
      max = new float[count];
      sum = new float[count];
      scale = new float[count];
      int dims = Math.ceilDiv(headDim, SLOTS) * SLOTS;
      out = new float[(count + TILE) * dims];
      span = new float[SPAN * dims];
      reader = new KvReader(kernels, headDim);
    }
  }
}
