package dev.sojourn.engine.model;

import dev.sojourn.engine.kernel.Kernels;
import dev.sojourn.engine.kernel.PackedMatrix;
import dev.sojourn.engine.kernel.ProductScratch;
import java.lang.foreign.SegmentAllocator;

/** A matrix, and what is added to its products. Immutable. */
final class Linear {

  private final PackedMatrix weights;
  private final float[] bias;

  /** Creates it; {@code bias} has a number for each row, or none. */
  Linear(PackedMatrix weights, float[] bias) {
    this.weights = weights;
    this.bias = bias;
  }

  /** Returns one of the same form but another size, of arbitrary weights. */
  Linear arbitrary(int rows, int columns, SegmentAllocator memory) {
    float[] other = bias.length == 0 ? bias : new float[rows];
    return new Linear(weights.arbitrary(rows, columns, memory), other);
  }

  PackedMatrix weights() {
    return weights;
  }

  /**
   * Computes the rows of some panels of the products with {@code n} tokens; see {@link Kernels}.
   */
  void multiply(
      Kernels kernels,
      int firstPanel,
      int panels,
      float[] input,
      int n,
      float[] out,
      ProductScratch scratch) {
    int stride = weights.paddedRows();
    kernels.product(weights, firstPanel, panels, input, n, out, stride, scratch);
    int first = firstPanel * PackedMatrix.PANEL;
    int end = Math.min(first + panels * PackedMatrix.PANEL, bias.length);
    for (int row = 0; row < n; row++) {
      for (int i = first; i < end; i++) {
        out[row * stride + i] += bias[i];
      }
    }
  }
}
