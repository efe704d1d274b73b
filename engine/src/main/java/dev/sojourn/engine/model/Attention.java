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
    for (int start = 0; start <= lastPosition; start += SLOTS) {
      int page = batch.page(rows.slice[first], start);
      MemorySegment memory = kv.read(page, layer, kvHead, kernels, scratch.page);
      long keys = kv.readAt(page, layer, kvHead);
      long values = keys + (long) SLOTS * headDim * Float.BYTES;
      int from = Math.max(0, start - firstPosition) * group; // rows before it do not see the page
      kernels.scores(queries, scratch.at, from, count, headDim, memory, keys, scratch.scores);
      for (int j = from; j < count; j++) {
        int valid = Math.min(SLOTS, firstPosition + j / group - start + 1);
        float scale = kernels.weigh(scratch.scores, j, valid, scratch.max, scratch.sum);
        kernels.accumulate(
            scratch.scores, j * SLOTS, valid, scale, memory, values, headDim, out, scratch.at[j]);
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
