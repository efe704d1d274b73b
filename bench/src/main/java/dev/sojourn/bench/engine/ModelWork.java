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
 * @param stepBytes weights that a step of decoding reads
 * @param tokenFlops operations of a prompt's token, attention and logits aside
 * @param logitFlops operations of a token's logits
 * @param pairFlops operations of a layer's attention for each pair of tokens
 * @param kvBytes KV of a token in a layer, as our engine stores it
 * @param windows for each layer how many positions a query sees, its own included; 0: all
 */
record ModelWork(
    double stepBytes,
    double tokenFlops,
    double logitFlops,
    double pairFlops,
    double kvBytes,
    List<Integer> windows) {

  ModelWork {
    windows = List.copyOf(windows);
  }

  static ModelWork of(ModelFile file, LoadOptions options) {
    boolean tied = !file.has("output.weight");
    double stepBytes = 0;
    double tokenFlops = 0;
    double logitFlops = 0;
    for (ModelTensor tensor : file.tensors()) {
      boolean embedding = tensor.name().equals("token_embd.weight");
      if (tensor.dimensions().size() < 2 || (embedding && !tied)) {
        continue;
      }
      double used = tensor.name().contains("_exps.") ? expertsUsed(file) : 1;
      stepBytes += used * tensor.data().byteSize();
      if (embedding || tensor.name().equals("output.weight")) {
        logitFlops += 2.0 * tensor.elements();
      } else {
        tokenFlops += used * 2.0 * tensor.elements();
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
        tokenFlops,
        logitFlops,
        4.0 * heads * headDim,
        (double) LoadedModel.kvBytesPerPage(file, options) / BlockHasher.BLOCK / windows.size(),
        windows);
  }

  private static double expertsUsed(ModelFile file) {
    String key = file.architecture() + ".";
    double all = file.metadata().findInteger(key + "expert_count", 1, 1 << 16).orElse(1);
    return file.metadata().findInteger(key + "expert_used_count", 1, 1 << 16).orElse(1) / all;
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
              / (stepBytes + batch * kvBytes * overLayers(window -> Math.min(context, window)));
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
