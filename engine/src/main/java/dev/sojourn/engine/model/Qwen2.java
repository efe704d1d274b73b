package dev.sojourn.engine.model;

/** Qwen 2 and 2.5: queries, keys and values have a bias. */
record Qwen2() implements Architecture {

  @Override
  public Rope.Pairs pairs() {
    return Rope.Pairs.HALVES;
  }

  @Override
  public Layer layer(Tensors tensors, int index, Hyperparameters h) {
    String p = "blk." + index + ".";
    return new Layer(
        tensors.norm(p + "attn_norm", h.width()),
        tensors.biased(p + "attn_q", h.heads() * h.headDim(), h.width()),
        tensors.biased(p + "attn_k", h.kvHeads() * h.headDim(), h.width()),
        tensors.biased(p + "attn_v", h.kvHeads() * h.headDim(), h.width()),
        Norm.NONE,
        Norm.NONE,
        tensors.linear(p + "attn_output", h.width(), h.heads() * h.headDim()),
        tensors.norm(p + "ffn_norm", h.width()),
        tensors.linear(p + "ffn_gate", h.feedForward(), h.width()),
        tensors.linear(p + "ffn_up", h.feedForward(), h.width()),
        tensors.linear(p + "ffn_down", h.width(), h.feedForward()));
  }
}
