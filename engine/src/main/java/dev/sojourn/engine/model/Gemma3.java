package dev.sojourn.engine.model;

import dev.sojourn.engine.weights.ModelMetadata;
import java.util.List;

/**
 * Gemma 3: results of attention and feed-forward are normalised too, and of six layers five see a
 * window only, with rotations of their own. GGUF's norms have the one added that Gemma's lack.
 *
 * @param window how many positions most layers see; 0: all layers see all
 * @param pattern each so many'th layer sees all
 * @param localBase of the rotations of the layers with a window
 */
record Gemma3(int window, int pattern, float localBase) implements Architecture {

  private static final int GLOBAL = 0;
  private static final int LOCAL = 1;

  /** The model of 27 billion weights, told by its layers, scales queries in a way of its own. */
  private static final int LAYERS_OF_27B = 62;

  static Gemma3 read(ModelMetadata metadata) {
    String softcapKey = "gemma3.final_logit_softcapping";
    if (metadata.findReal(softcapKey).orElse(0) != 0) {
      throw metadata.unsupported(softcapKey, "0 (no softcapping)");
    }
    String baseKey = "gemma3.rope.freq_base_swa";
    double base = metadata.findReal(baseKey).orElse(10_000);
    if (base <= 1) {
      throw metadata.wrong(baseKey, "above 1");
    }
    return new Gemma3(
        metadata.findInteger("gemma3.attention.sliding_window", 0, Integer.MAX_VALUE).orElse(0),
        metadata.findInteger("gemma3.attention.sliding_window_pattern", 1, 1 << 12).orElse(6),
        (float) base);
  }

  @Override
  public Layer layer(LayerTensors tensors) {
    int positions = window(tensors.index());
    return Layer.of(tensors, tensors.projections(), tensors.dense())
        .withHeadNorms(tensors)
        .withPostNorms(tensors)
        .withPositions(positions > 0 ? LOCAL : GLOBAL, positions);
  }

  @Override
  public int window(int layer) {
    return (layer + 1) % pattern == 0 ? 0 : window;
  }

  @Override
  public List<Rope> ropes(Tensors tensors, Hyperparameters h) {
    float[] none = {};
    return List.of(
        Rope.of(h, none),
        new Rope(h.ropeDim(), localBase, RopeScaling.NONE, none, Rope.Pairs.HALVES));
  }

  @Override
  public Activation activation() {
    return Activation.GELU;
  }

  @Override
  public float embeddingScale(Hyperparameters h) {
    return (float) Math.sqrt(h.width());
  }

  @Override
  public float queryScale(Hyperparameters h) {
    int numbers = h.layers() == LAYERS_OF_27B ? h.width() / h.heads() : h.headDim();
    return (float) (1 / Math.sqrt(numbers));
  }
}
