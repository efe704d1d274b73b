package dev.sojourn.engine.model;

import dev.sojourn.engine.kernel.Kernels;
import dev.sojourn.engine.kernel.ProductScratch;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** What one compute thread writes on; overwritten by each unit of work. */
final class Scratch {

  /** What products need. */
  final ProductScratch product = new ProductScratch();

  /** What else a step needs room for. */
  final float[] floats = new float[1024];

  /** Running sums of a reduction. */
  final float[] sums = new float[Kernels.LANES];

  /** Of each query of an attention unit: where its numbers begin. */
  final int[] at;

  /** Of each query: its page's scores, then weights. */
  final float[] scores;

  /** Of each query: the greatest score so far. */
  final float[] max;

  /** Of each query: the sum of weights so far. */
  final float[] sum;

  /** A head of a KV page as floats, where it is stored as something else. */
  final MemorySegment page;

  Scratch(int queries, int headDim, Arena arena) {
    at = new int[queries];
    scores = new float[queries * Kernels.LANES];
    max = new float[queries];
    sum = new float[queries];
    page = arena.allocate(2L * Kernels.LANES * headDim * Float.BYTES, 64);
  }
}
