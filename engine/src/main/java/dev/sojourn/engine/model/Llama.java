package dev.sojourn.engine.model;

import java.util.List;

/** Llama and Mistral: the plain form, but for GGUF's order of a head's numbers. */
record Llama() implements Architecture {

  @Override
  public Layer layer(LayerTensors tensors) {
    return Layer.of(tensors, tensors.projections(), tensors.dense());
  }

  @Override
  public List<Rope> ropes(Tensors tensors, Hyperparameters h) {
    float[] factors = tensors.frequencyFactors("rope_freqs.weight", h.ropeDim() / 2);
    return List.of(
        new Rope(h.ropeDim(), h.ropeBase(), h.scaling(), factors, Rope.Pairs.NEIGHBOURS));
  }
}
