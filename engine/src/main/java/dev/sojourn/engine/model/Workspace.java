package dev.sojourn.engine.model;

import dev.sojourn.engine.kernel.Kernels;
import dev.sojourn.engine.kernel.PackedMatrix;
import dev.sojourn.engine.model.Layer.Dense;

/**
 * What a step computes on its way through the layers, for a number of rows. All have strides of
 * whole panels.
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

  Workspace(int rows, Strides strides, int widestInput, int angles) {
    this.rows = Math.ceilDiv(rows, Kernels.GROUP) * Kernels.GROUP;
    state = new float[this.rows * strides.width()];
    normalised = new float[this.rows * strides.width()];
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

    /** Those of a model; without a dense feed-forward that of its numbers is 0. */
    static Strides of(Weights weights) {
      Hyperparameters parameters = weights.parameters();
      boolean dense =
          weights.layers().stream().anyMatch(layer -> layer.feedForward() instanceof Dense);
      return new Strides(
          padded(parameters.heads() * parameters.headDim()),
          padded(parameters.kvHeads() * parameters.headDim()),
          dense ? padded(parameters.feedForward()) : 0,
          padded(parameters.width()),
          padded(weights.vocabulary()));
    }

    static int padded(int rows) {
      int panel = PackedMatrix.PANEL;
      return Math.ceilDiv(rows, panel) * panel;
    }
  }
}
