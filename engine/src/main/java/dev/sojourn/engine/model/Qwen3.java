package dev.sojourn.engine.model;

/** Qwen 3: each head's query and key is normalised before it is rotated. */
record Qwen3() implements Architecture {

  @Override
  public Layer layer(LayerTensors tensors) {
    return Layer.of(tensors, tensors.projections(), tensors.dense()).withHeadNorms(tensors);
  }
}
