package dev.sojourn.engine.model;

import dev.sojourn.engine.kernel.PackedMatrix;
import dev.sojourn.engine.model.Layer.Dense;
import dev.sojourn.engine.model.Layer.FeedForward;
import dev.sojourn.engine.model.Layer.Mixture;
import dev.sojourn.engine.model.Layer.Projections;
import java.lang.foreign.SegmentAllocator;
import java.util.Collections;
import java.util.List;

/**
 * A model in small, for {@link WarmUp}: a layer of each {@link Layer#kind kind}, of few and short
 * heads and as few columns as the blocks of its types allow. It runs the code that the model runs,
 * in hundredths of the time; what it computes means nothing. But code is compiled for what it has
 * seen, so tokens are unlike each other, and lists of the classes that the model's are: the
 * greatest score of attention now rises from span to span and now does not, and experts differ.
 */
final class Miniature {

  /**
   * The least width. C2 compiles a method once for its calls where a call's loop is as short as
   * that, and first for the loop alone where it is longer.
   */
  private static final int LEAST = 32;

  /** The most numbers of a head. */
  private static final int HEAD = 32;

  /** The most positions that a window holds: fewer than a warm-up's context. */
  private static final int WINDOW = 48;

  private final SegmentAllocator memory;
  private final Hyperparameters h;

  private Miniature(Hyperparameters h, SegmentAllocator memory) {
    this.memory = memory;
    this.h = h;
  }

  /** Makes it of a model's weights; the memory is for its own. */
  static Weights of(Weights model, SegmentAllocator memory) {
    List<Layer> kinds = model.oneLayerOfEachKind().layers();
    Hyperparameters h = model.parameters();
    int block = model.output().weights().type().block();
    for (Layer layer : kinds) {
      for (Linear linear : layer.linears()) {
        block = Math.max(block, linear.weights().type().block());
      }
    }
    int size = Math.max(LEAST, block);
    int group = h.heads() / h.kvHeads();
    int headDim = Math.min(HEAD, h.headDim());
    int kvHeads = 1;
    while (kvHeads * group * headDim % block != 0) {
      kvHeads++;
    }
    Hyperparameters small =
        new Hyperparameters(
            kinds.size(),
            size,
            size,
            kvHeads * group,
            kvHeads,
            headDim,
            Math.min(headDim, h.ropeDim()),
            h.epsilon(),
            h.ropeBase(),
            h.scaling(),
            h.contextLength());
    return new Miniature(small, memory).of(model, kinds);
  }

  private Weights of(Weights model, List<Layer> kinds) {
    int vocabulary = Math.min(PackedMatrix.PANEL, model.vocabulary());
    return new Weights(
        h,
        model.embeddings().arbitrary(vocabulary, h.width(), memory),
        model.embeddingScale(),
        model.queryScale(),
        model.activation(),
        List.copyOf(model.ropes().stream().map(rope -> rope.cut(h.ropeDim() / 2)).toList()),
        List.copyOf(kinds.stream().map(this::layer).toList()),
        model.outputNorm().cut(h.width()),
        small(model.output(), vocabulary, h.width()));
  }

  private Layer layer(Layer layer) {
    int queries = h.heads() * h.headDim();
    int keys = h.kvHeads() * h.headDim();
    Projections p = layer.projections();
    return new Layer(
        layer.attentionNorm().cut(h.width()),
        new Projections(
            small(p.query(), queries, h.width()),
            small(p.key(), keys, h.width()),
            small(p.value(), keys, h.width())),
        layer.queryNorm().cut(h.headDim()),
        layer.keyNorm().cut(h.headDim()),
        small(layer.output(), h.width(), queries),
        layer.attentionPostNorm().cut(h.width()),
        layer.feedForwardNorm().cut(h.width()),
        feedForward(layer.feedForward()),
        layer.feedForwardPostNorm().cut(h.width()),
        layer.rope(),
        Math.min(layer.window(), WINDOW));
  }

  private FeedForward feedForward(FeedForward model) {
    return switch (model) {
      case Dense dense -> dense(dense);
      case Mixture mixture -> {
        int experts = mixture.experts().size();
        yield new Mixture(
            small(mixture.router(), experts, h.width()),
            List.copyOf(Collections.nCopies(experts, dense(mixture.experts().getFirst()))),
            mixture.used());
      }
    };
  }

  private Dense dense(Dense dense) {
    return new Dense(
        small(dense.gate(), h.feedForward(), h.width()),
        small(dense.up(), h.feedForward(), h.width()),
        small(dense.down(), h.width(), h.feedForward()));
  }

  private Linear small(Linear linear, int rows, int columns) {
    return linear.arbitrary(rows, columns, memory);
  }
}
