package dev.sojourn.engine.kernel;

import static dev.sojourn.engine.kernel.PackedMatrix.PANEL;

/**
 * What one thread writes on while it computes products: some 350 KB, of which the sums (264 KB)
 * stay in its L2 cache beside as much of activations.
 *
 * <p>On the heap: after a store off-heap C2 checks anew that each segment of a loop is alive and
 * how long it is. Used by one thread at a time.
 */
public final class ProductScratch {

  /** Columns of a panel that are unpacked at a time: 32 KB of floats. */
  static final int TILE_COLUMNS = 256;

  /** Tokens whose sums are kept at a time: a chunk of a prompt, 256, and some that decode. */
  static final int TOKENS = 22 * Kernels.GROUP;

  /** Columns of one token's products whose scales are kept at a time. */
  static final int SCALED_COLUMNS = 2048;

  /**
   * Floats of scales: of four panels' blocks of 32 columns, or, with their offsets, of two's or of
   * one's sub-blocks of 16; and a block's.
   */
  static final int SCALES = (2 * SCALED_COLUMNS / 32 + 1) * 2 * PANEL;

  /**
   * Where the tile begins in {@link #floats}, a panel's columns as floats, 32 rows of one column
   * after the other.
   */
  static final int TILE = CacheLines.FIRST;

  /** Where sums that wait for the next columns begin: of each panel and token of a product 32. */
  static final int SUMS = TILE + TILE_COLUMNS * PANEL;

  /** Where 32 zeros are. */
  static final int ZEROS = SUMS + Kernels.RUN * TOKENS * PANEL;

  /** What products with many tokens work on; large enough for {@link CacheLines}. */
  final float[] floats = new float[ZEROS + PANEL];

  /** Sums of few tokens. */
  final float[] sums = new float[Kernels.GROUP * PANEL];

  /** Scales as floats, of one panel or of several; see {@link VectorScales}. */
  final float[] scales = new float[SCALES];

  /** Halves as they are stored, on their way to be scales. */
  final short[] halves = new short[SCALES];
}
