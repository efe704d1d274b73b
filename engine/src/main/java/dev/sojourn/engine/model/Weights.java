package dev.sojourn.engine.model;

import dev.sojourn.engine.kernel.PackedMatrix;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * All weights of a model.
 *
 * @param embeddings a row for each token
 * @param embeddingScale what embeddings are multiplied with
 * @param queryScale what queries are multiplied with
 * @param ropes the rotations that layers choose from; all of as many angles
 * @param outputNorm normalises the state after the last layer
 * @param output makes logits; often the embeddings once more
 */
record Weights(
    Hyperparameters parameters,
    PackedMatrix embeddings,
    float embeddingScale,
    float queryScale,
    Activation activation,
    List<Rope> ropes,
    List<Layer> layers,
    Norm outputNorm,
    Linear output) {

  /** Takes the weights of a model out of its file. */
  static Weights read(Architecture architecture, Hyperparameters parameters, Tensors tensors) {
    int width = parameters.width();
    int vocabulary = tensors.rows("token_embd.weight");
    Linear embeddings = tensors.unbiased("token_embd", vocabulary, width);
    List<Rope> ropes = architecture.ropes(tensors, parameters);
    Layer[] layers = new Layer[parameters.layers()];
    for (int i = 0; i < layers.length; i++) {
      layers[i] = architecture.layer(new LayerTensors(tensors, i, parameters));
    }
    Norm outputNorm = tensors.norm("output_norm", width);
    Linear output =
        tensors.has("output.weight") ? tensors.linear("output", vocabulary, width) : embeddings;
    return new Weights(
        parameters,
        embeddings.weights(),
        architecture.embeddingScale(parameters),
        architecture.queryScale(parameters),
        architecture.activation(),
        ropes,
        List.of(layers),
        outputNorm,
        output);
  }

  /** Returns the weights of a model that has of layers that run the same code only the first. */
  Weights oneLayerOfEachKind() {
    Map<Layer.Kind, Layer> kinds = new LinkedHashMap<>();
    layers.forEach(layer -> kinds.putIfAbsent(layer.kind(), layer));
    return new Weights(
        parameters,
        embeddings,
        embeddingScale,
        queryScale,
        activation,
        ropes,
        List.copyOf(kinds.values()),
        outputNorm,
        output);
  }

  /** Returns how many logits a token has. */
  int vocabulary() {
    return embeddings.rows();
  }

  /** Returns how many angles a position has in all rotations. */
  int angles() {
    return ropes.size() * ropes.getFirst().angles();
  }
}
