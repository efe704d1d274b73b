package dev.sojourn.bench.engine;

import dev.sojourn.core.BlockHasher;
import dev.sojourn.engine.model.LoadOptions;
import dev.sojourn.engine.model.LoadedModel;
import dev.sojourn.engine.weights.ModelFile;
import dev.sojourn.engine.weights.ModelTensor;
import java.util.List;
import java.util.function.IntToDoubleFunction;

/**
 * What a model asks of a machine, by the header of its file: for the share of the machine's speed
 * that an engine reaches.
 *
 * @param stepBytes weights that every step of decoding reads
 * @param experts weights of which a step reads what its tokens choose
 * @param tokenFlops operations of a prompt's token, attention and logits aside
 * @param logitFlops operations of a token's logits
 * @param pairFlops operations of a layer's attention for each pair of tokens
 * @param kvBytes KV of a token in a layer, as our engine stores it
 * @param windows for each layer how many positions a query sees, its own included; 0: all
 */
record ModelWork(
    double stepBytes,
    Experts experts,
    double tokenFlops,
    double logitFlops,
    double pairFlops,
    double kvBytes,
    List<Integer> windows) {

  /**
   * The experts of a mixture.
   *
   * @param all experts of a layer
   * @param used of them by a token
   * @param bytes of all experts of all layers
   */
  record Experts(int all, int used, double bytes) {

    /** Of a model that is no mixture. */
    static final Experts NONE = new Experts(1, 1, 0);

    /**
     * Returns the bytes of those that at least one token of a batch uses: how many are to be
     * expected where each token chooses on its own and none is preferred. Real tokens agree more
     * often, and read less.
     */
    double bytes(int batch) {
      return bytes * (1 - Math.pow(1 - share(), batch));
    }

    /** Returns what of them a token uses. */
    double share() {
      return (double) used / all;
    }
  }

  ModelWork {
    windows = List.copyOf(windows);
  }

  static ModelWork of(ModelFile file, LoadOptions options) {
    boolean tied = !file.has("output.weight");
    double stepBytes = 0;
    Experts experts = Experts.NONE;
    double tokenFlops = 0;
    double logitFlops = 0;
    for (ModelTensor tensor : file.tensors()) {
      boolean embedding = tensor.name().equals("token_embd.weight");
      if (tensor.dimensions().size() < 2 || (embedding && !tied)) {
        continue;
      }
      if (tensor.name().contains("_exps.")) {
        experts = experts(file, experts.bytes() + tensor.data().byteSize());
        tokenFlops += experts.share() * 2.0 * tensor.elements();
        continue;
      }
      stepBytes += tensor.data().byteSize();
      if (embedding || tensor.name().equals("output.weight")) {
        logitFlops += 2.0 * tensor.elements();
      } else {
        tokenFlops += 2.0 * tensor.elements();
      }
    }
    List<Integer> windows = LoadedModel.windows(file);
    String key = file.architecture() + ".";
    int heads = file.metadata().integer(key + "attention.head_count", 1, 1 << 16);
    int width = file.metadata().integer(key + "embedding_length", 1, 1 << 24);
    int headDim =
        file.metadata().findInteger(key + "attention.key_length", 1, 1 << 16).orElse(width / heads);
    return new ModelWork(
        stepBytes,
        experts,
        tokenFlops,
        logitFlops,
        4.0 * heads * headDim,
        (double) LoadedModel.kvBytesPerPage(file, options) / BlockHasher.BLOCK / windows.size(),
        windows);
  }

  private static Experts experts(ModelFile file, double bytes) {
    String key = file.architecture() + ".";
    int all = file.metadata().findInteger(key + "expert_count", 1, 1 << 16).orElse(1);
    int used = file.metadata().findInteger(key + "expert_used_count", 1, all).orElse(1);
    return new Experts(all, used, bytes);
  }

  /**
   * Returns the tokens per second of a machine that does nothing but the arithmetic of a prompt, or
   * the reading of a step.
   *
   * @param readSpeed bytes per second
   * @param fmaSpeed operations per second
   */
  double limit(Point point, double readSpeed, double fmaSpeed) {
    return switch (point) {
      case Point.Prefill(int tokens) -> {
        double pairs = overLayers(window -> pairs(tokens, window));
        yield tokens * fmaSpeed / (tokens * tokenFlops + logitFlops + pairs * pairFlops);
      }
      case Point.Decode(int batch, int context) ->
          batch
              * readSpeed
              / (stepBytes
                  + experts.bytes(batch)
                  + batch * kvBytes * overLayers(window -> Math.min(context, window)));
    };
  }

  /** Returns a sum over the layers, whose windows reach as far as there are positions. */
  private double overLayers(IntToDoubleFunction ofWindow) {
    return windows.stream()
        .mapToDouble(window -> ofWindow.applyAsDouble(window == 0 ? Integer.MAX_VALUE : window))
        .sum();
  }

  /** Returns how many pairs of a token with itself or one before are in each other's window. */
  private static double pairs(int tokens, int window) {
    double near = Math.min(tokens, window);
    return near * (near + 1) / 2 + (tokens - near) * near;
  }
}
