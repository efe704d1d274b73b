package dev.sojourn.engine.model;

import dev.sojourn.engine.weights.ModelFile;
import dev.sojourn.engine.weights.ModelMetadata;
import java.util.OptionalInt;

/**
 * The numbers of a model that its file states, checked.
 *
 * @param epsilon of the normalisations
 * @param scaling how positions are stretched
 * @param ropeDim how many numbers of a head are rotated; even
 * @param ropeBase the base of the rotations' frequencies
 */
record Hyperparameters(
    int layers,
    int width,
    int feedForward,
    int heads,
    int kvHeads,
    int headDim,
    int ropeDim,
    float epsilon,
    float ropeBase,
    RopeScaling scaling,
    int contextLength) {

  /** The greatest width of anything: with {@link Rows#MOST} rows of it an index stays an int. */
  static final int MOST = 1 << 20;

  /** The most heads that share keys and values: memory for their scores is each thread's. */
  private static final int MOST_OF_A_GROUP = 256;

  /**
   * Reads them.
   *
   * @param wanted the context length asked for; beyond the model's own it implies YaRN
   * @throws dev.sojourn.engine.weights.ModelFileException if one is missing or makes no sense
   */
  static Hyperparameters read(ModelFile file, OptionalInt wanted) {
    ModelMetadata metadata = file.metadata();
    String prefix = file.architecture() + ".";
    String headsKey = prefix + "attention.head_count";
    String kvHeadsKey = prefix + "attention.head_count_kv";
    String keyKey = prefix + "attention.key_length";
    String valueKey = prefix + "attention.value_length";
    String ropeKey = prefix + "rope.dimension_count";
    String baseKey = prefix + "rope.freq_base";
    String epsilonKey = prefix + "attention.layer_norm_rms_epsilon";

    int width = metadata.integer(prefix + "embedding_length", 1, MOST);
    int heads = metadata.integer(headsKey, 1, MOST);
    int kvHeads = metadata.findInteger(kvHeadsKey, 1, heads).orElse(heads);
    if (heads % kvHeads != 0) {
      throw metadata.wrong(kvHeadsKey, "a divisor of the " + heads + " heads");
    }
    if (heads / kvHeads > MOST_OF_A_GROUP) {
      throw metadata.wrong(
          kvHeadsKey,
          "at least " + Math.ceilDiv(heads, MOST_OF_A_GROUP) + " for " + heads + " heads");
    }
    OptionalInt keyLength = metadata.findInteger(keyKey, 1, 1 << 14);
    if (keyLength.isEmpty() && width % heads != 0) {
      throw metadata.wrong(headsKey, "a divisor of the width, " + width);
    }
    int headDim = keyLength.orElse(width / heads);
    if (metadata.findInteger(valueKey, 1, 1 << 14).orElse(headDim) != headDim) {
      throw metadata.unsupported(valueKey, "as long as keys, " + headDim);
    }
    if ((long) heads * headDim > MOST) {
      throw metadata.wrong(
          headsKey, "at most " + MOST / headDim + " of " + headDim + " numbers each");
    }
    String scaleKey = prefix + "attention.scale";
    float scale = (float) (1 / Math.sqrt(headDim));
    if ((float) metadata.findReal(scaleKey).orElse(0) != 0) {
      metadata.usual(scaleKey, scale);
    }
    String causalKey = prefix + "attention.causal";
    if (!metadata.findFlag(causalKey).orElse(true)) {
      throw metadata.unsupported(causalKey, "true");
    }
    int ropeDim = metadata.findInteger(ropeKey, 2, headDim).orElse(headDim);
    if (ropeDim % 2 != 0) {
      throw metadata.wrong(
          metadata.has(ropeKey) ? ropeKey : headsKey, "such that an even number is rotated");
    }
    float base = (float) metadata.findReal(baseKey).orElse(10_000);
    if (base <= 1) {
      throw metadata.wrong(baseKey, "above 1");
    }
    float epsilon = metadata.real(epsilonKey);
    if (epsilon < 0) {
      throw metadata.wrong(epsilonKey, "at least 0");
    }
    int own = metadata.integer(prefix + "context_length", 1, Integer.MAX_VALUE);
    int context = wanted.orElse(own);
    return new Hyperparameters(
        metadata.integer(prefix + "block_count", 1, 1 << 12),
        width,
        metadata.integer(prefix + "feed_forward_length", 1, MOST),
        heads,
        kvHeads,
        headDim,
        ropeDim,
        epsilon,
        base,
        RopeScaling.read(metadata, prefix, own, context),
        context);
  }
}
