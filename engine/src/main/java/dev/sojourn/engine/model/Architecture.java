package dev.sojourn.engine.model;

import dev.sojourn.engine.weights.ModelFile;
import dev.sojourn.engine.weights.ModelMetadata;
import java.util.List;

/** What tells a family of models from others: which tensors a layer has, and what is rotated. */
sealed interface Architecture permits Llama, Qwen2, Qwen3, Qwen3Moe, Gemma3, Phi3 {

  /**
   * Returns the architecture that a file names.
   *
   * @throws dev.sojourn.engine.weights.ModelFileException if it is none of ours, or has parts that
   *     ours does not have
   */
  static Architecture of(ModelFile file) {
    ModelMetadata metadata = file.metadata();
    String name = file.architecture();
    String experts = name + ".expert_count";
    if (!name.equals("qwen3moe") && metadata.findInteger(experts, 0, 1 << 20).orElse(0) > 0) {
      throw metadata.unsupported(experts, "0 (no mixture of experts)");
    }
    return switch (name) {
      case "llama" -> new Llama();
      case "qwen2" -> new Qwen2();
      case "qwen3" -> new Qwen3();
      case "qwen3moe" -> Qwen3Moe.read(metadata);
      case "gemma3" -> Gemma3.read(metadata);
      case "phi3" -> Phi3.read(metadata);
      default ->
          throw metadata.unsupported(
              "general.architecture",
              "\"llama\", \"qwen2\", \"qwen3\", \"qwen3moe\", \"gemma3\" or \"phi3\"");
    };
  }

  /** Takes the tensors of a layer. */
  Layer layer(LayerTensors tensors);

  /** Returns how many positions a query of a layer sees, its own included; 0: all up to its own. */
  default int window(int layer) {
    return 0;
  }

  /** Returns the rotations that layers choose from by index. */
  default List<Rope> ropes(Tensors tensors, Hyperparameters h) {
    return List.of(Rope.of(h, tensors.frequencyFactors("rope_freqs.weight", h.ropeDim() / 2)));
  }

  /** Returns what the gate of the feed-forward goes through. */
  default Activation activation() {
    return Activation.SILU;
  }

  /** Returns what embeddings are multiplied with. */
  default float embeddingScale(Hyperparameters h) {
    return 1;
  }

  /** Returns what queries are multiplied with. */
  default float queryScale(Hyperparameters h) {
    return (float) (1 / Math.sqrt(h.headDim()));
  }
}
