package dev.sojourn.engine.model;

import dev.sojourn.engine.weights.ModelMetadata;

/**
 * How positions beyond those a model was trained on are brought into its range.
 *
 * @param factor how many times longer contexts become; 1 for none
 * @param yarn whether slow rotations are stretched and fast ones kept (YaRN, Peng et al. 2023); all
 *     are stretched alike otherwise
 * @param originalContext the context length that the model was trained on
 * @param attentionFactor multiplies what YaRN makes of the scores' temperature
 */
record RopeScaling(float factor, boolean yarn, int originalContext, float attentionFactor) {

  /** Positions as they are. */
  static final RopeScaling NONE = new RopeScaling(1, false, 1, 1);

  /** YaRN keeps rotations that turn more often than this within the original context. */
  private static final double FAST_TURNS = 32;

  /** YaRN stretches rotations that turn less often than this in full. */
  private static final double SLOW_TURNS = 1;

  /**
   * Reads what the file says, and stretches further for a longer context.
   *
   * @param own the file's context length
   * @param context the one to serve
   */
  static RopeScaling read(ModelMetadata metadata, String prefix, int own, int context) {
    String typeKey = prefix + "rope.scaling.type";
    String factorKey = prefix + "rope.scaling.factor";
    String type = metadata.findString(typeKey).orElse("none");
    if (!type.equals("none") && !type.equals("linear") && !type.equals("yarn")) {
      throw metadata.unsupported(typeKey, "\"none\", \"linear\" or \"yarn\"");
    }
    float factor = type.equals("none") ? 1 : (float) metadata.findReal(factorKey).orElse(1);
    if (factor < 1) {
      throw metadata.wrong(factorKey, "at least 1");
    }
    boolean yarn = type.equals("yarn");
    int original =
        yarn
            ? metadata
                .findInteger(prefix + "rope.scaling.original_context_length", 1, Integer.MAX_VALUE)
                .orElse(own)
            : own;
    metadata.usual(prefix + "rope.scaling.yarn_beta_fast", FAST_TURNS);
    metadata.usual(prefix + "rope.scaling.yarn_beta_slow", SLOW_TURNS);
    metadata.usual(prefix + "rope.scaling.yarn_attn_factor", 1);
    metadata.usual(prefix + "rope.scaling.yarn_log_multiplier", 0);
    metadata.usual(prefix + "rope.scale_linear", 1); // an old name of the factor
    String mixKey = prefix + "rope.scaling.yarn_ext_factor"; // how much YaRN there is; below 0: all
    double mix = metadata.findReal(mixKey).orElse(-1);
    if (mix >= 0 && mix != (yarn ? 1 : 0)) {
      throw metadata.unsupported(mixKey, yarn ? "1" : "0");
    }
    String attentionKey = prefix + "rope.scaling.attn_factor";
    float attention = (float) metadata.findReal(attentionKey).orElse(1);
    if (attention <= 0) {
      throw metadata.wrong(attentionKey, "above 0");
    }
    if (context <= own) {
      return new RopeScaling(factor, yarn, original, attention);
    }
    if (type.equals("linear") && factor > 1) {
      throw metadata.unsupported(typeKey, "\"yarn\" or none to serve a context beyond " + own);
    }
    return new RopeScaling(Math.max(factor, (float) context / original), true, original, attention);
  }

  /** Returns what to multiply rotated numbers with. */
  float magnitude() {
    return yarn && factor > 1
        ? attentionFactor * (float) (1 + 0.1 * StrictMath.log(factor))
        : attentionFactor;
  }

  /**
   * Returns what is left of a frequency.
   *
   * @param pair which of the rotations, from 0
   * @param dimensions rotated numbers of a head: twice the rotations
   */
  double scale(double frequency, int pair, int dimensions, double base) {
    if (!yarn) {
      return frequency / factor;
    }
    double low = Math.floor(pairThatTurns(FAST_TURNS, dimensions, base));
    double high = Math.ceil(pairThatTurns(SLOW_TURNS, dimensions, base));
    low = Math.max(0, low);
    high = Math.min(dimensions - 1, high);
    double ramp = (pair - low) / Math.max(0.001, high - low);
    double kept = 1 - Math.clamp(ramp, 0.0, 1.0);
    return frequency / factor * (1 - kept) + frequency * kept;
  }

  private double pairThatTurns(double turns, int dimensions, double base) {
    return dimensions
        * StrictMath.log(originalContext / (turns * 2 * Math.PI))
        / (2 * StrictMath.log(base));
  }
}
