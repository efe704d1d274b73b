package dev.sojourn.engine.model;

import dev.sojourn.engine.kernel.WeightType;
import java.util.List;

/**
 * The weights of one layer.
 *
 * @param queryNorm normalises each head's query; {@link Norm#NONE} for none
 * @param keyNorm normalises each head's key; {@link Norm#NONE} for none
 * @param attentionPostNorm normalises what attention adds to the state; {@link Norm#NONE} for none
 * @param feedForwardPostNorm the same of the feed-forward
 * @param rope which of the model's rotations it uses
 * @param window how many positions a query sees, its own included; 0: all up to its own
 */
record Layer(
    Norm attentionNorm,
    Projections projections,
    Norm queryNorm,
    Norm keyNorm,
    Linear output,
    Norm attentionPostNorm,
    Norm feedForwardNorm,
    FeedForward feedForward,
    Norm feedForwardPostNorm,
    int rope,
    int window) {

  /** What makes queries, keys and values of the normalised state. */
  record Projections(Linear query, Linear key, Linear value) {}

  /** What the second half of a layer computes. */
  sealed interface FeedForward permits Dense, Mixture {}

  /** {@code down(activation(gate) * up)}. */
  record Dense(Linear gate, Linear up, Linear down) implements FeedForward {}

  /**
   * Experts, of which each token goes through a few.
   *
   * @param router gives each expert a score
   * @param used how many a token goes through: those with the highest scores
   */
  record Mixture(Linear router, List<Dense> experts, int used) implements FeedForward {}

  /**
   * What decides which code a layer runs, where those of one model differ.
   *
   * @param types of its weights, matrix by matrix
   */
  record Kind(List<WeightType> types, boolean windowed) {}

  /** Returns the kind of layer that it is. */
  Kind kind() {
    return new Kind(linears().stream().map(linear -> linear.weights().type()).toList(), window > 0);
  }

  /** Returns its matrices; of experts, which are alike, the first one's. */
  List<Linear> linears() {
    Linear query = projections.query();
    Linear key = projections.key();
    Linear value = projections.value();
    return switch (feedForward) {
      case Dense(Linear gate, Linear up, Linear down) ->
          List.of(query, key, value, output, gate, up, down);
      case Mixture mixture -> {
        Dense expert = mixture.experts().getFirst();
        yield List.of(
            query, key, value, output, mixture.router(), expert.gate(), expert.up(), expert.down());
      }
    };
  }

  /** Returns a layer that normalises its inputs only and sees all positions. */
  static Layer of(LayerTensors tensors, Projections projections, FeedForward feedForward) {
    return new Layer(
        tensors.norm("attn_norm"),
        projections,
        Norm.NONE,
        Norm.NONE,
        tensors.output(),
        Norm.NONE,
        tensors.norm("ffn_norm"),
        feedForward,
        Norm.NONE,
        0,
        0);
  }

  /** Adds the norms of queries and keys. */
  Layer withHeadNorms(LayerTensors tensors) {
    return new Layer(
        attentionNorm,
        projections,
        tensors.headNorm("attn_q_norm"),
        tensors.headNorm("attn_k_norm"),
        output,
        attentionPostNorm,
        feedForwardNorm,
        feedForward,
        feedForwardPostNorm,
        rope,
        window);
  }

  /** Adds the norms of what is added to the state. */
  Layer withPostNorms(LayerTensors tensors) {
    return new Layer(
        attentionNorm,
        projections,
        queryNorm,
        keyNorm,
        output,
        tensors.norm("post_attention_norm"),
        feedForwardNorm,
        feedForward,
        tensors.norm("post_ffw_norm"),
        rope,
        window);
  }

  /** Says how it rotates and how far it sees. */
  Layer withPositions(int whichRope, int positions) {
    return new Layer(
        attentionNorm,
        projections,
        queryNorm,
        keyNorm,
        output,
        attentionPostNorm,
        feedForwardNorm,
        feedForward,
        feedForwardPostNorm,
        whichRope,
        positions);
  }
}
