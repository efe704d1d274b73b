package dev.sojourn.engine.model;

/** Qwen 2 and 2.5: queries, keys and values have a bias. */
record Qwen2() implements Architecture {

  @Override
  public Layer layer(LayerTensors tensors) {
    return Layer.of(tensors, tensors.biasedProjections(), tensors.dense());
  }
}
