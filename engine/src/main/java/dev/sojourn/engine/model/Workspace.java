package dev.sojourn.engine.model;

import dev.sojourn.engine.kernel.Kernels;
import dev.sojourn.engine.kernel.PackedMatrix;

/**
 * What a step computes on its way through the layers, for a number of rows. Results of products
 * have strides of whole panels.
 */
final class Workspace {

  final int rows;

  /** The state of each row between layers. */
  final float[] state;

  /** The normalised state, and what attention and feed-forward pass to their last product. */
  final float[] normalised;

  /** The input of a product, interleaved. */
  final float[] input;

  final float[] query;
  final float[] key;
  final float[] value;
  final float[] attended;
  final float[] gate;
  final float[] up;

  /** What a product adds to the state. */
  final float[] delta;

  final float[] cosines;
  final float[] sines;

  Workspace(int rows, Strides strides, int width, int widestInput, int angles) {
    this.rows = Math.ceilDiv(rows, Kernels.GROUP) * Kernels.GROUP;
    state = new float[this.rows * width];
    normalised = new float[this.rows * width];
    input = new float[this.rows * widestInput];
    query = new float[this.rows * strides.query()];
    key = new float[this.rows * strides.keyValue()];
    value = new float[this.rows * strides.keyValue()];
    attended = new float[this.rows * strides.query()];
    gate = new float[this.rows * strides.feedForward()];
    up = new float[this.rows * strides.feedForward()];
    delta = new float[this.rows * strides.width()];
    cosines = new float[this.rows * angles];
    sines = new float[this.rows * angles];
  }

  /** Floats from one row's products to the next's: matrices' rows, up to whole panels. */
  record Strides(int query, int keyValue, int feedForward, int width, int vocabulary) {

    static Strides of(Hyperparameters parameters, int vocabulary) {
      return new Strides(
          padded(parameters.heads() * parameters.headDim()),
          padded(parameters.kvHeads() * parameters.headDim()),
          padded(parameters.feedForward()),
          padded(parameters.width()),
          padded(vocabulary));
    }

    private static int padded(int rows) {
      int panel = PackedMatrix.PANEL;
      return Math.ceilDiv(rows, panel) * panel;
    }
  }
}
