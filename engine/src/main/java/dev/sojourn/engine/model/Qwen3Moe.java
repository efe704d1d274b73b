package dev.sojourn.engine.model;

import dev.sojourn.engine.weights.ModelMetadata;

/**
 * Qwen 3 with a mixture of experts in each layer.
 *
 * @param experts of a layer
 * @param used how many of them a token goes through
 * @param feedForward numbers of a token's state within an expert
 */
record Qwen3Moe(int experts, int used, int feedForward) implements Architecture {

  /** Softmax over all experts, in GGUF's numbering of how they are chosen. */
  private static final int SOFTMAX = 1;

  static Qwen3Moe read(ModelMetadata metadata) {
    String countKey = "qwen3moe.expert_count";
    String usedKey = "qwen3moe.expert_used_count";
    String gatingKey = "qwen3moe.expert_gating_func";
    String scaleKey = "qwen3moe.expert_weights_scale";
    if (metadata.findInteger(gatingKey, 0, Integer.MAX_VALUE).orElse(SOFTMAX) != SOFTMAX) {
      throw metadata.unsupported(gatingKey, SOFTMAX + " (softmax)");
    }
    double scale = metadata.findReal(scaleKey).orElse(1);
    if (scale != 0 && scale != 1) {
      throw metadata.unsupported(scaleKey, "1 (shares add up to 1)");
    }
    int experts = metadata.integer(countKey, 1, 1 << 12);
    int width = metadata.integer("qwen3moe.embedding_length", 1, Hyperparameters.MOST);
    // A row's results, one of each expert that it uses, are no wider than anything else.
    int mostUsed = Math.min(experts, Hyperparameters.MOST / width);
    return new Qwen3Moe(
        experts,
        metadata.integer(usedKey, 1, mostUsed),
        metadata.integer("qwen3moe.expert_feed_forward_length", 1, Hyperparameters.MOST));
  }

  @Override
  public Layer layer(LayerTensors tensors) {
    return Layer.of(tensors, tensors.projections(), tensors.mixture(experts, used, feedForward))
        .withHeadNorms(tensors);
  }
}
