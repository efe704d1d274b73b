package dev.sojourn.engine.model;

import dev.sojourn.engine.model.Layer.Dense;
import dev.sojourn.engine.model.Layer.Mixture;
import dev.sojourn.engine.model.Layer.Projections;
import java.util.List;

/** Takes the parts of one layer out of a model's file, in the forms that architectures have. */
record LayerTensors(Tensors tensors, int index, Hyperparameters h) {

  private String name(String part) {
    return "blk." + index + '.' + part;
  }

  Norm norm(String part) {
    return tensors.norm(name(part), h.width());
  }

  Norm headNorm(String part) {
    return tensors.norm(name(part), h.headDim());
  }

  private int queries() {
    return h.heads() * h.headDim();
  }

  private int keys() {
    return h.kvHeads() * h.headDim();
  }

  Projections projections() {
    return new Projections(
        tensors.linear(name("attn_q"), queries(), h.width()),
        tensors.linear(name("attn_k"), keys(), h.width()),
        tensors.linear(name("attn_v"), keys(), h.width()));
  }

  /** Projections whose biases must be there. */
  Projections biasedProjections() {
    return new Projections(
        tensors.biased(name("attn_q"), queries(), h.width()),
        tensors.biased(name("attn_k"), keys(), h.width()),
        tensors.biased(name("attn_v"), keys(), h.width()));
  }

  /** Projections that are one matrix in the file. */
  Projections fusedProjections() {
    Linear[] parts = tensors.split(name("attn_qkv"), h.width(), queries(), keys(), keys());
    return new Projections(parts[0], parts[1], parts[2]);
  }

  Linear output() {
    return tensors.linear(name("attn_output"), h.width(), queries());
  }

  Dense dense() {
    return new Dense(
        tensors.linear(name("ffn_gate"), h.feedForward(), h.width()),
        tensors.linear(name("ffn_up"), h.feedForward(), h.width()),
        tensors.linear(name("ffn_down"), h.width(), h.feedForward()));
  }

  /** A feed-forward whose gate is the first half of the matrix called up. */
  Dense fusedDense() {
    Linear[] parts = tensors.split(name("ffn_up"), h.width(), h.feedForward(), h.feedForward());
    return new Dense(
        parts[0], parts[1], tensors.linear(name("ffn_down"), h.width(), h.feedForward()));
  }

  Mixture mixture(int count, int used, int feedForward) {
    Linear router = tensors.linear(name("ffn_gate_inp"), count, h.width());
    Linear[] gates = tensors.stack(name("ffn_gate_exps"), count, feedForward, h.width());
    Linear[] ups = tensors.stack(name("ffn_up_exps"), count, feedForward, h.width());
    Linear[] downs = tensors.stack(name("ffn_down_exps"), count, h.width(), feedForward);
    Dense[] experts = new Dense[count];
    for (int i = 0; i < count; i++) {
      experts[i] = new Dense(gates[i], ups[i], downs[i]);
    }
    return new Mixture(router, List.of(experts), used);
  }
}
