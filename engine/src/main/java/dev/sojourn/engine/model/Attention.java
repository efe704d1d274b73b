package dev.sojourn.engine.model;

import dev.sojourn.core.BlockHasher;
import dev.sojourn.engine.kernel.Kernels;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Causal attention over KV pages, for one block of rows of a slice and one KV head: the queries of
 * all its rows and of all heads that share the KV head read each page together.
 *
 * <p>A query goes over its context's pages in order of position with an online softmax (Milakov and
 * Gimelshein 2018) whose steps are the pages, tied to absolute positions. So its result does not
 * depend on which queries it is computed with. Stateless but for the scratch of the caller.
 */
final class Attention {

  private static final int SLOTS = BlockHasher.BLOCK;

  private final Kernels kernels;
  private final int group;
  private final int headDim;

  /** Creates attention in which {@code group} heads share a KV head. */
  Attention(Kernels kernels, int group, int headDim) {
    this.kernels = kernels;
    this.group = group;
    this.headDim = headDim;
  }

  /**
   * Computes rows {@code first} to {@code end}, all of one slice.
   *
   * @param window how many positions a query sees, its own included; 0: all up to its own
   * @param queries rotated and scaled, {@code stride} floats from row to row
   * @param out the same layout
   */
  void run(
      StepBatch batch,
      Rows rows,
      int first,
      int end,
      KvCache kv,
      int layer,
      int kvHead,
      int window,
      float[] queries,
      float[] out,
      int stride,
      Scratch scratch) {
    int count = (end - first) * group;
    for (int j = 0; j < count; j++) {
      int head = kvHead * group + j % group;
      scratch.at[j] = (first + j / group) * stride + head * headDim;
      scratch.max[j] = Float.NEGATIVE_INFINITY;
      scratch.sum[j] = 0;
      Arrays.fill(out, scratch.at[j], scratch.at[j] + headDim, 0);
    }
    int firstPosition = rows.position[first];
    int lastPosition = rows.position[end - 1];
    int reach = window == 0 ? lastPosition + 1 : window;
    int firstSeen = Math.max(0, firstPosition - reach + 1);
    for (int start = firstSeen / SLOTS * SLOTS; start <= lastPosition; start += SLOTS) {
      int page = batch.page(rows.slice[first], start);
      MemorySegment memory = kv.read(page, layer, kvHead, kernels, scratch.page);
      long keys = kv.readAt(page, layer, kvHead);
      long values = keys + (long) SLOTS * headDim * Float.BYTES;
      // Rows before these do not see the page yet, and rows after them do not any more.
      int from = Math.max(0, start - firstPosition) * group;
      int to = Math.min(count, (start + SLOTS - 1 + reach - firstPosition) * group);
      kernels.scores(queries, scratch.at, from, to, headDim, memory, keys, scratch.scores);
      for (int j = from; j < to; j++) {
        int after = firstPosition + j / group - start + 1;
        int seen = Math.max(0, after - reach);
        int last = Math.min(SLOTS, after);
        float scale = kernels.weigh(scratch.scores, j, seen, last, scratch.max, scratch.sum);
        int weights = j * SLOTS;
        int at = scratch.at[j];
        kernels.accumulate(
            scratch.scores, weights, seen, last, scale, memory, values, headDim, out, at);
      }
    }
    for (int j = 0; j < count; j++) {
      float inverse = 1 / scratch.sum[j];
      for (int i = scratch.at[j]; i < scratch.at[j] + headDim; i++) {
        out[i] *= inverse;
      }
    }
  }
}
