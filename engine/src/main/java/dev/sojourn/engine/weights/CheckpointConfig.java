package dev.sojourn.engine.weights;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/**
 * Says in GGUF's keys what {@code config.json} says in its own; a message about a value names the
 * file's key. What would change the arithmetic and has no key in GGUF must have its usual value.
 */
final class CheckpointConfig {

  private static final double DEFAULT_ROPE_BASE = 10_000;
  private static final int MOST = 1 << 20;

  private final ModelMetadata config;
  private final String at;
  private final String prefix;
  private final Map<String, ModelMetadata.Entry> entries = new LinkedHashMap<>();

  private CheckpointConfig(ModelMetadata config, String architecture) {
    this.config = config;
    this.at = config.has("text_config.model_type") ? "text_config." : "";
    this.prefix = architecture + ".";
  }

  /**
   * Translates a configuration.
   *
   * @param name of the model, for a person
   * @throws ModelFileException if something is missing or not supported
   */
  static CheckpointConfig of(ModelMetadata config, CheckpointFamily family, String name) {
    CheckpointConfig translation = new CheckpointConfig(config, family.architecture());
    translation.put("general.architecture", "model_type", family.architecture());
    translation.put("general.name", "model_type", name);
    translation.shape();
    translation.rope();
    translation.check(family);
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
    return config.has(at + "rope_parameters.rope_type") ? "rope_parameters." : "rope_scaling.";
  }

  private String ropeBase() {
    String inner = "rope_parameters.rope_theta";
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
    usual(scaling + "beta_fast", 32);
    usual(scaling + "beta_slow", 1);
    usual(scaling + "mscale", Double.NaN);
    usual(scaling + "mscale_all_dim", Double.NaN);
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
    boolean window =
        config.findFlag(at + "use_sliding_window").orElse(config.has(at + "sliding_window"));
    if (window && config.has(at + "sliding_window")) {
      throw config.unsupported(at + "sliding_window", "null");
    }
  }

  /**
   * Returns by what Llama 3 divides each frequency, as a GGUF file of the model would hold it; none
   * if the model is not scaled so.
   */
  float[] ropeFactors() {
    if (!ropeType().equals("llama3")) {
      return new float[0];
    }
    String scaling = at + scaling();
    int heads = config.integer(at + "num_attention_heads", 1, MOST);
    int width = config.integer(at + "hidden_size", 1, MOST);
    int dimensions = config.findInteger(at + "head_dim", 2, MOST).orElse(width / heads);
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

  private void usual(String key, double usual) {
    OptionalDouble value = config.findReal(key);
    if (value.isPresent() && value.getAsDouble() != usual) {
      throw config.unsupported(key, Double.isNaN(usual) ? "absent" : String.valueOf(usual));
    }
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
