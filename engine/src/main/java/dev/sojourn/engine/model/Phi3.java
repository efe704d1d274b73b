package dev.sojourn.engine.model;

import dev.sojourn.engine.weights.ModelMetadata;
import java.util.List;

/**
 * Phi 3 and 4-mini: queries, keys and values are one matrix, gate and up another; long contexts
 * divide the rotations' frequencies by factors of their own (LongRoPE, Ding et al. 2024).
 *
 * @param window how many positions a query sees; 0: all
 * @param original the context that the model was trained on first: up to it the factors are short
 * @param longest the context that the long factors are for
 * @param metadata names the file in messages
 */
record Phi3(int window, int original, int longest, ModelMetadata metadata) implements Architecture {

  static Phi3 read(ModelMetadata metadata) {
    int longest = metadata.integer("phi3.context_length", 1, Integer.MAX_VALUE);
    return new Phi3(
        metadata.findInteger("phi3.attention.sliding_window", 0, Integer.MAX_VALUE).orElse(0),
        metadata
            .findInteger("phi3.rope.scaling.original_context_length", 1, Integer.MAX_VALUE)
            .orElse(longest),
        longest,
        metadata);
  }

  @Override
  public Layer layer(LayerTensors tensors) {
    return Layer.of(tensors, tensors.fusedProjections(), tensors.fusedDense())
        .withPositions(0, window);
  }

  @Override
  public int window(int layer) {
    return window;
  }

  @Override
  public List<Rope> ropes(Tensors tensors, Hyperparameters h) {
    int pairs = h.ropeDim() / 2;
    float[] shorter = tensors.frequencyFactors("rope_factors_short.weight", pairs);
    float[] longer = tensors.frequencyFactors("rope_factors_long.weight", pairs);
    if (longer.length > 0 && h.contextLength() > longest) {
      throw metadata.unsupported("phi3.context_length", "as long as the one to serve");
    }
    return List.of(Rope.of(h, h.contextLength() > original ? longer : shorter));
  }
}
