package dev.sojourn.engine.model;

import dev.sojourn.engine.kernel.Kernels;
import dev.sojourn.engine.kernel.ProductScratch;

/** What one compute thread writes on; overwritten by each unit of work. */
final class Scratch {

  /** What products need. */
  final ProductScratch product = new ProductScratch();

  /** What else a step needs room for. */
  final float[] floats = new float[1024];

  /** Running sums of a reduction. */
  final float[] sums = new float[Kernels.LANES];
}
