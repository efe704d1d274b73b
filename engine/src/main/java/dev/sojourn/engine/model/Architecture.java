package dev.sojourn.engine.model;

import dev.sojourn.engine.weights.ModelFile;

/** What tells a family of models from others: which tensors a layer has, and what is rotated. */
sealed interface Architecture permits Llama, Qwen2, Qwen3 {

  /** Returns the architecture that a file names. */
  static Architecture of(ModelFile file) {
    return switch (file.architecture()) {
      case "llama" -> new Llama();
      case "qwen2" -> new Qwen2();
      case "qwen3" -> new Qwen3();
      default ->
          throw file.metadata()
              .unsupported("general.architecture", "\"llama\", \"qwen2\" or \"qwen3\"");
    };
  }

  /** Returns which numbers of a head are rotated together. */
  Rope.Pairs pairs();

  /** Takes the tensors of a layer. */
  Layer layer(Tensors tensors, int index, Hyperparameters parameters);
}
