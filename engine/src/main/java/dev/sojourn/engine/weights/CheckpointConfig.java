package dev.sojourn.engine.weights;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.Set;

/**
 * Says in GGUF's keys what {@code config.json} says in its own; a message about a value names the
 * file's key. What would change the arithmetic and has no key in GGUF must have its usual value.
 */
final class CheckpointConfig {

  private static final double DEFAULT_ROPE_BASE = 10_000;
  private static final int MOST = 1 << 20;
  private static final String ORIGINAL = "original_max_position_embeddings";

  /** It divides queries by the root of another number than the others do. */
  private static final int LAYERS_OF_GEMMA_27B = 62;

  private final ModelMetadata config;
  private final String at;
  private final String prefix;
  private final Map<String, ModelMetadata.Entry> entries = new LinkedHashMap<>();

  private CheckpointConfig(ModelMetadata given, CheckpointFamily family) {
    this.at = given.has("text_config.model_type") ? "text_config." : "";
    this.config = given.withDefaults(at, family.defaults());
    this.prefix = family.architecture() + ".";
  }

  /**
   * Translates a configuration.
   *
   * @param name of the model, for a person
   * @throws ModelFileException if something is missing or not supported
   */
  static CheckpointConfig of(ModelMetadata config, CheckpointFamily family, String name) {
    CheckpointConfig translation = new CheckpointConfig(config, family);
    translation.put("general.architecture", "model_type", family.architecture());
    translation.put("general.name", "model_type", name);
    translation.shape();
    translation.rope();
    translation.check(family);
    switch (family.architecture()) {
      case "qwen3moe" -> translation.experts();
      case "gemma3" -> translation.windows();
      case "phi3" -> translation.longRope();
      default -> translation.noWindow();
    }
    return translation;
  }

  /** Returns the key-values in GGUF's keys, of {@code file}. */
  ModelMetadata metadata(Path file) {
    return new ModelMetadata(file, entries);
  }

  private void shape() {
    copy("vocab_size", "vocab_size");
    require("context_length", "max_position_embeddings");
    require("embedding_length", "hidden_size");
    require("block_count", "num_hidden_layers");
    require("feed_forward_length", "intermediate_size");
    require("attention.head_count", "num_attention_heads");
    copy("attention.head_count_kv", "num_key_value_heads");
    copy("attention.key_length", "head_dim");
    copy("attention.value_length", "head_dim");
    require("attention.layer_norm_rms_epsilon", "rms_norm_eps");
  }

  private void rope() {
    copy("rope.freq_base", ropeBase());
    String scaling = scaling();
    if (isLong()) {
      return;
    }
    switch (ropeType()) {
      case "default", "llama3" -> {}
      case "linear" -> {
        put(prefix + "rope.scaling.type", ropeTypeKey(), "linear");
        require("rope.scaling.factor", scaling + "factor");
      }
      case "yarn" -> {
        put(prefix + "rope.scaling.type", ropeTypeKey(), "yarn");
        require("rope.scaling.factor", scaling + "factor");
        copy("rope.scaling.original_context_length", scaling + "original_max_position_embeddings");
        yarn(at + scaling);
      }
      default ->
          throw config.unsupported(
              ropeTypeKey(), "\"default\", \"linear\", \"llama3\" or \"yarn\"");
    }
  }

  /** Old files have rope_theta and, maybe, rope_scaling; new ones have rope_parameters. */
  private String scaling() {
    if (config.has(at + "rope_parameters.full_attention.rope_type")) {
      return "rope_parameters.full_attention."; // and of windows apart
    }
    return config.has(at + "rope_parameters.rope_type") ? "rope_parameters." : "rope_scaling.";
  }

  private String ropeBase() {
    String inner = scaling() + "rope_theta";
    return config.has(at + inner) ? inner : "rope_theta";
  }

  private String ropeTypeKey() {
    String key = at + scaling();
    return key + (config.has(key + "rope_type") ? "rope_type" : "type");
  }

  private String ropeType() {
    return config.findString(ropeTypeKey()).orElse("default");
  }

  private void yarn(String scaling) {
    config.usual(scaling + "beta_fast", 32);
    config.usual(scaling + "beta_slow", 1);
    config.usual(scaling + "mscale", Double.NaN);
    config.usual(scaling + "mscale_all_dim", Double.NaN);
    if (!config.findFlag(scaling + "truncate").orElse(true)) {
      throw config.unsupported(scaling + "truncate", "true");
    }
    OptionalDouble attention = config.findReal(scaling + "attention_factor");
    if (attention.isPresent()) {
      // GGUF's multiplies what YaRN makes of the factor, Hugging Face's replaces it.
      double own = 0.1 * StrictMath.log(config.real(scaling + "factor")) + 1;
      put(
          prefix + "rope.scaling.attn_factor",
          scaling + "attention_factor",
          attention.getAsDouble() / own);
    }
  }

  private void check(CheckpointFamily family) {
    String key = at + (config.has(at + "hidden_act") ? "hidden_act" : "hidden_activation");
    if (!config.string(key).equals(family.activation())) {
      throw config.unsupported(key, '"' + family.activation() + '"');
    }
    if (config.has("quantization_config.quant_method")) {
      throw config.unsupported("quantization_config.quant_method", "absent");
    }
  }

  private void noWindow() {
    boolean window = config.findFlag(at + "use_sliding_window").orElse(true);
    if (window && config.has(at + "sliding_window")) {
      throw config.unsupported(at + "sliding_window", "null");
    }
  }

  private void experts() {
    noWindow();
    require("expert_count", config.has("num_experts") ? "num_experts" : "num_local_experts");
    require("expert_used_count", "num_experts_per_tok");
    require("expert_feed_forward_length", "moe_intermediate_size");
    config.usual("decoder_sparse_step", 1);
    if (config.isIntegers("mlp_only_layers")) {
      throw config.unsupported("mlp_only_layers", "empty");
    }
    if (!config.findFlag("norm_topk_prob").orElse(false)) {
      throw config.unsupported("norm_topk_prob", "true");
    }
  }

  /** Each so many'th layer sees all; new files list the kinds of layers. */
  private void windows() {
    copy("attention.sliding_window", "sliding_window");
    config.usual(at + "attn_logit_softcapping", Double.NaN);
    config.usual(at + "final_logit_softcapping", Double.NaN);
    String own = "sliding_window_pattern";
    copy("attention.sliding_window_pattern", config.has(at + own) ? own : "_" + own);
    int pattern =
        config
            .findInteger(at + own, 1, MOST)
            .orElse(config.findInteger(at + "_" + own, 1, MOST).orElse(6));
    List<String> kinds = config.findStrings(at + "layer_types").orElse(List.of());
    for (int i = 0; i < kinds.size(); i++) {
      if (kinds.get(i).equals("full_attention") != ((i + 1) % pattern == 0)) {
        throw config.unsupported(
            at + "layer_types", "full_attention in each " + pattern + ". layer");
      }
    }
    String local = "rope_parameters.sliding_attention.rope_theta";
    copy("rope.freq_base_swa", config.has(at + local) ? local : "rope_local_base_freq");
    String localType = at + "rope_parameters.sliding_attention.rope_type";
    if (!config.findString(localType).orElse("default").equals("default")) {
      throw config.unsupported(localType, "\"default\"");
    }
    if (config.findFlag(at + "use_bidirectional_attention").orElse(false)) {
      throw config.unsupported(at + "use_bidirectional_attention", "false");
    }
    boolean largest = config.integer(at + "num_hidden_layers", 1, MOST) == LAYERS_OF_GEMMA_27B;
    config.usual(at + "query_pre_attn_scalar", largest ? widthByHeads() : headDim());
  }

  private void longRope() {
    copy("attention.sliding_window", "sliding_window");
    String partial =
        config.has("rope_parameters.partial_rotary_factor")
            ? "rope_parameters.partial_rotary_factor"
            : "partial_rotary_factor";
    double part = config.findReal(partial).orElse(1);
    put(prefix + "rope.dimension_count", partial, (long) (headDim() * part));
    if (!isLong()) {
      return;
    }
    int context = config.integer("max_position_embeddings", 1, Integer.MAX_VALUE);
    String originalKey = config.has(scaling() + ORIGINAL) ? scaling() + ORIGINAL : ORIGINAL;
    int original = config.integer(originalKey, 2, Integer.MAX_VALUE);
    copy("rope.scaling.original_context_length", originalKey);
    double stretched = (double) context / original;
    double magnitude =
        stretched <= 1 ? 1 : Math.sqrt(1 + StrictMath.log(stretched) / StrictMath.log(original));
    put(
        prefix + "rope.scaling.attn_factor",
        originalKey,
        config.findReal(scaling() + "attention_factor").orElse(magnitude));
  }

  /** Phi 3 had three names for it; GGUF has none, and tells by the factors. */
  private boolean isLong() {
    return prefix.equals("phi3.") && Set.of("longrope", "su", "yarn").contains(ropeType());
  }

  /** Returns the tensors that a GGUF file has for what is here a part of the configuration. */
  Map<String, float[]> madeTensors() {
    Map<String, float[]> made = new LinkedHashMap<>();
    if (ropeType().equals("llama3")) {
      made.put("rope_freqs.weight", ropeFactors());
    }
    if (isLong()) {
      made.put("rope_factors_long.weight", factors(scaling() + "long_factor"));
      made.put("rope_factors_short.weight", factors(scaling() + "short_factor"));
    }
    return made;
  }

  private float[] factors(String key) {
    double[] all =
        config.isIntegers(key)
            ? Arrays.stream(config.findIntegers(key).orElseThrow()).asDoubleStream().toArray()
            : config.findReals(key).orElseThrow(() -> config.missing(key, "numbers"));
    float[] factors = new float[all.length];
    for (int i = 0; i < all.length; i++) {
      factors[i] = (float) all[i];
      if (!(factors[i] > 0 && factors[i] < Float.POSITIVE_INFINITY)) {
        throw config.wrong(key, "numbers above 0");
      }
    }
    return factors;
  }

  /** Returns by what Llama 3 divides each frequency. */
  private float[] ropeFactors() {
    String scaling = at + scaling();
    int dimensions = headDim();
    double base = config.findReal(at + ropeBase()).orElse(DEFAULT_ROPE_BASE);
    double factor = config.real(scaling + "factor");
    double low = config.real(scaling + "low_freq_factor");
    double high = config.real(scaling + "high_freq_factor");
    double context = config.integer(scaling + "original_max_position_embeddings", 1, 1 << 30);
    if (factor < 1 || low <= 0 || high <= low) {
      throw config.wrong(
          scaling + "factor",
          "at least 1, with low_freq_factor above 0 and below high_freq_factor",
          "%s, %s, %s".formatted(factor, low, high));
    }
    float[] factors = new float[dimensions / 2];
    for (int i = 0; i < factors.length; i++) {
      double turns = context * StrictMath.pow(base, -2.0 * i / dimensions) / (2 * Math.PI);
      double kept = Math.clamp((turns - low) / (high - low), 0.0, 1.0);
      factors[i] = (float) (1 / ((1 - kept) / factor + kept));
    }
    return factors;
  }

  private int headDim() {
    return config.findInteger(at + "head_dim", 1, MOST).orElseGet(this::widthByHeads);
  }

  private int widthByHeads() {
    return config.integer(at + "hidden_size", 1, MOST)
        / config.integer(at + "num_attention_heads", 1, MOST);
  }

  private void require(String key, String own) {
    if (!config.has(at + own)) {
      throw config.missing(at + own, "a number");
    }
    copy(key, own);
  }

  private void copy(String key, String own) {
    ModelMetadata.Entry entry = config.entry(at + own);
    if (entry != null) {
      entries.put(prefix + key, entry);
    }
  }

  private void put(String key, String own, Object value) {
    entries.put(key, new ModelMetadata.Entry(value, own, OptionalLong.empty()));
  }
}
