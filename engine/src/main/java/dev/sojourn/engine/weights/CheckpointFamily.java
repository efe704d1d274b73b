package dev.sojourn.engine.weights;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * What Hugging Face calls the tensors of an architecture, and how their numbers differ from those
 * in a GGUF file of the same model.
 *
 * @param modelTypes as {@code config.json} names them
 * @param architecture GGUF's name
 * @param activation of the feed-forward part, which no file may change
 * @param layer names of a layer's tensors, by Hugging Face's
 * @param neighbours whether GGUF reorders the rows of queries and keys so that the numbers rotated
 *     together are neighbours; Hugging Face has them in halves
 * @param normsFromOne whether 1 is to be added to the factors of the norms
 * @param ignored what names of tensors begin with that are not part of the language model
 * @param defaults of settings that {@code config.json} may leave out
 */
record CheckpointFamily(
    List<String> modelTypes,
    String architecture,
    String activation,
    Map<String, String> layer,
    boolean neighbours,
    boolean normsFromOne,
    List<String> ignored,
    Map<String, Object> defaults) {

  private static final Map<String, String> DENSE =
      Map.of(
          "input_layernorm", "attn_norm",
          "post_attention_layernorm", "ffn_norm",
          "self_attn.q_proj", "attn_q",
          "self_attn.k_proj", "attn_k",
          "self_attn.v_proj", "attn_v",
          "self_attn.o_proj", "attn_output",
          "mlp.gate_proj", "ffn_gate",
          "mlp.up_proj", "ffn_up",
          "mlp.down_proj", "ffn_down");

  private static final Map<String, String> DENSE_WITH_HEAD_NORMS =
      with(DENSE, Map.of("self_attn.q_norm", "attn_q_norm", "self_attn.k_norm", "attn_k_norm"));

  private static final Map<String, String> MIXTURE =
      with(
          DENSE_WITH_HEAD_NORMS,
          Map.of(
              "mlp.gate", "ffn_gate_inp",
              "mlp.experts.gate_proj", "ffn_gate_exps",
              "mlp.experts.up_proj", "ffn_up_exps",
              "mlp.experts.down_proj", "ffn_down_exps"));

  private static final Map<String, String> GEMMA =
      with(
          DENSE_WITH_HEAD_NORMS,
          Map.of(
              "post_attention_layernorm", "post_attention_norm",
              "pre_feedforward_layernorm", "ffn_norm",
              "post_feedforward_layernorm", "post_ffw_norm"));

  private static final Map<String, String> FUSED =
      Map.of(
          "input_layernorm", "attn_norm",
          "post_attention_layernorm", "ffn_norm",
          "self_attn.qkv_proj", "attn_qkv",
          "self_attn.o_proj", "attn_output",
          "mlp.gate_up_proj", "ffn_up",
          "mlp.down_proj", "ffn_down");

  private static final List<CheckpointFamily> KNOWN =
      List.of(
          plain(List.of("llama", "mistral"), "llama", true, DENSE),
          plain(List.of("qwen2"), "qwen2", false, DENSE),
          plain(List.of("qwen3"), "qwen3", false, DENSE_WITH_HEAD_NORMS),
          plain(List.of("qwen3_moe"), "qwen3moe", false, MIXTURE),
          plain(List.of("phi3"), "phi3", false, FUSED),
          new CheckpointFamily(
              List.of("gemma3_text", "gemma3"),
              "gemma3",
              "gelu_pytorch_tanh",
              GEMMA,
              false,
              true,
              List.of(
                  "vision_tower.",
                  "multi_modal_projector.",
                  "model.vision_tower.",
                  "model.multi_modal_projector."),
              Map.of(
                  "max_position_embeddings", 131_072L,
                  "num_attention_heads", 8L,
                  "num_key_value_heads", 4L,
                  "head_dim", 256L,
                  "query_pre_attn_scalar", 256L,
                  "sliding_window", 4096L,
                  "rms_norm_eps", 1e-6,
                  "rope_theta", 1e6,
                  "hidden_activation", "gelu_pytorch_tanh")));

  private static final Map<String, String> OUTSIDE =
      Map.of(
          "model.embed_tokens.weight", "token_embd.weight",
          "model.norm.weight", "output_norm.weight",
          "lm_head.weight", "output.weight");

  private static final Pattern IN_LAYER =
      Pattern.compile("model\\.layers\\.(0|[1-9]\\d{0,3})\\.(.+)\\.(weight|bias)");
  private static final Pattern GGUF_IN_LAYER =
      Pattern.compile("blk\\.(\\d+)\\.(\\w+)(?:\\.(\\d+))?\\.(\\w+)");

  /** Experts are numbered, and tensors of their own. */
  private static final String EXPERTS = "mlp.experts.";

  private static final Pattern EXPERT = Pattern.compile("mlp\\.experts\\.(0|[1-9]\\d{0,3})\\.(.+)");

  /** What language models that are part of something larger begin their names with. */
  private static final Pattern PART =
      Pattern.compile("^(language_model\\.model|model\\.language_model)\\.|^language_model\\.");

  /** Buffers that old checkpoints hold and nobody reads. */
  private static final String COMPUTED = ".rotary_emb.inv_freq";

  private static CheckpointFamily plain(
      List<String> types, String architecture, boolean neighbours, Map<String, String> layer) {
    return new CheckpointFamily(
        types, architecture, "silu", layer, neighbours, false, List.of(), Map.of());
  }

  private static Map<String, String> with(Map<String, String> names, Map<String, String> more) {
    Map<String, String> all = new HashMap<>(names);
    all.putAll(more);
    return Map.copyOf(all);
  }

  /**
   * Returns the family that {@code config.json} names.
   *
   * @throws ModelFileException if there is none, or it is not known
   */
  static CheckpointFamily of(ModelMetadata config) {
    String type = config.string("model_type");
    for (CheckpointFamily family : KNOWN) {
      if (family.modelTypes.contains(type)) {
        return family;
      }
    }
    throw config.unsupported(
        "model_type",
        "one of "
            + KNOWN.stream()
                .flatMap(family -> family.modelTypes.stream())
                .collect(Collectors.joining(", ")));
  }

  /** Returns whether a tensor is no weight of the language model. */
  boolean ignores(String name) {
    return name.endsWith(COMPUTED) || ignored.stream().anyMatch(name::startsWith);
  }

  /** Returns GGUF's name of a tensor, if a model of this family has it. */
  Optional<String> ggufName(String whole) {
    String name = ignored.isEmpty() ? whole : alone(whole);
    Matcher inLayer = IN_LAYER.matcher(name);
    if (!inLayer.matches()) {
      return Optional.ofNullable(OUTSIDE.get(name));
    }
    String inner = inLayer.group(2);
    Matcher expert = EXPERT.matcher(inner);
    boolean numbered = expert.matches();
    String number = numbered ? "." + expert.group(1) : "";
    return Optional.ofNullable(layer.get(numbered ? EXPERTS + expert.group(2) : inner))
        .map(gguf -> "blk." + inLayer.group(1) + "." + gguf + number + "." + inLayer.group(3));
  }

  private static String alone(String name) {
    Matcher part = PART.matcher(name);
    return part.find() ? part.replaceFirst(part.group(1) == null ? "" : "model.") : name;
  }

  /** Returns the name that Hugging Face gives a tensor, for messages. */
  String ownName(String ggufName) {
    Matcher inLayer = GGUF_IN_LAYER.matcher(ggufName);
    if (!inLayer.matches()) {
      return key(OUTSIDE, ggufName).orElse(ggufName);
    }
    String number = inLayer.group(3) == null ? "" : inLayer.group(3) + ".";
    return key(layer, inLayer.group(2))
        .map(own -> number.isEmpty() ? own : own.replace(EXPERTS, EXPERTS + number))
        .map(own -> "model.layers." + inLayer.group(1) + "." + own + "." + inLayer.group(4))
        .orElse(ggufName);
  }

  private static Optional<String> key(Map<String, String> map, String value) {
    return map.entrySet().stream()
        .filter(entry -> entry.getValue().equals(value))
        .map(Map.Entry::getKey)
        .findFirst();
  }
}
