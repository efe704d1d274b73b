package dev.sojourn.engine.model;

import dev.sojourn.engine.weights.GgufFile;
import dev.sojourn.engine.weights.GgufWriter;
import dev.sojourn.engine.weights.Progress;
import dev.sojourn.engine.weights.TensorType;
import java.nio.file.Path;
import java.util.OptionalInt;
import java.util.Random;
import java.util.stream.IntStream;

/** A random model small enough to compute by hand, in a file. */
record TinyModel(
    String architecture,
    TensorType type,
    int headDim,
    boolean tied,
    boolean ropeFactors,
    String scaling) {

  static final int LAYERS = 2;
  static final int HEADS = 6;
  static final int KV_HEADS = 2;
  static final int VOCABULARY = 77; // no multiple of anything
  static final int CONTEXT = 320;
  static final int EXPERTS = 5;
  static final int USED_EXPERTS = 2;

  /** Of gemma3's first layer and phi3's both; within the contexts that tests compare. */
  static final int WINDOW = 21;

  static TinyModel of(String architecture, TensorType type) {
    return new TinyModel(architecture, type, headDim(type, 32), true, false, "none");
  }

  /** Returns a head dimension, or, for types with large blocks, one with which they fit. */
  static int headDim(TensorType type, int headDim) {
    return type.blockElements() == 256 ? 128 : headDim;
  }

  int width() {
    return Math.max(64, type.blockElements());
  }

  private int expertHidden() {
    return Math.max(96, type.blockElements());
  }

  int hidden() {
    return Math.max(160, type.blockElements());
  }

  /** Models of Q4_K are mixed, as they are found in the wild. */
  private TensorType typeOf(String name) {
    boolean finer =
        name.contains("attn_v") || name.contains("ffn_down") || name.contains("output.");
    return type == TensorType.Q4_K && finer ? TensorType.Q6_K : type;
  }

  GgufWriter writer() {
    String a = architecture + ".";
    GgufWriter writer =
        new GgufWriter()
            .text("general.architecture", architecture)
            .whole(a + "context_length", CONTEXT)
            .whole(a + "embedding_length", width())
            .whole(a + "block_count", LAYERS)
            .whole(a + "feed_forward_length", hidden())
            .whole(a + "attention.head_count", HEADS)
            .whole(a + "attention.head_count_kv", KV_HEADS)
            .whole(a + "attention.key_length", headDim)
            .whole(a + "attention.value_length", headDim)
            .real(a + "attention.layer_norm_rms_epsilon", 1e-5f)
            .real(a + "rope.freq_base", ropeBase());
    if (!scaling.equals("none")) {
      writer.text(a + "rope.scaling.type", scaling).real(a + "rope.scaling.factor", 4);
    }
    switch (architecture) {
      case "qwen3moe" ->
          writer
              .whole(a + "expert_count", EXPERTS)
              .whole(a + "expert_used_count", USED_EXPERTS)
              .whole(a + "expert_feed_forward_length", expertHidden());
      case "gemma3" ->
          writer
              .whole(a + "attention.sliding_window", WINDOW)
              .whole(a + "attention.sliding_window_pattern", 2);
      case "phi3" ->
          writer
              .whole(a + "attention.sliding_window", WINDOW)
              .whole(a + "rope.scaling.original_context_length", CONTEXT / 2)
              .real(a + "rope.scaling.attn_factor", 1.25f);
      default -> {}
    }
    Random random = new Random(20261121);
    matrix(writer, random, "token_embd.weight", VOCABULARY, width());
    for (int layer = 0; layer < LAYERS; layer++) {
      String p = "blk." + layer + ".";
      attention(writer, random, p);
      feedForward(writer, random, p);
    }
    if (architecture.equals("phi3")) {
      vector(writer, random, "rope_factors_long.weight", headDim / 2, 3);
      vector(writer, random, "rope_factors_short.weight", headDim / 2, 2);
    }
    vector(writer, random, "output_norm.weight", width(), 1);
    if (!tied) {
      matrix(writer, random, "output.weight", VOCABULARY, width());
    }
    if (ropeFactors) {
      vector(writer, random, "rope_freqs.weight", headDim / 2, 3);
    }
    return writer;
  }

  private void attention(GgufWriter writer, Random random, String p) {
    int queries = HEADS * headDim;
    int keys = KV_HEADS * headDim;
    vector(writer, random, p + "attn_norm.weight", width(), 1);
    if (architecture.equals("phi3")) {
      matrix(writer, random, p + "attn_qkv.weight", queries + 2 * keys, width());
    } else {
      matrix(writer, random, p + "attn_q.weight", queries, width());
      matrix(writer, random, p + "attn_k.weight", keys, width());
      matrix(writer, random, p + "attn_v.weight", keys, width());
    }
    if (architecture.equals("qwen2")) {
      vector(writer, random, p + "attn_q.bias", queries, 0);
      vector(writer, random, p + "attn_k.bias", keys, 0);
      vector(writer, random, p + "attn_v.bias", keys, 0);
    }
    if (architecture.startsWith("qwen3") || architecture.equals("gemma3")) {
      vector(writer, random, p + "attn_q_norm.weight", headDim, 1);
      vector(writer, random, p + "attn_k_norm.weight", headDim, 1);
    }
    matrix(writer, random, p + "attn_output.weight", width(), queries);
    if (architecture.equals("gemma3")) {
      vector(writer, random, p + "post_attention_norm.weight", width(), 1);
      vector(writer, random, p + "post_ffw_norm.weight", width(), 1);
    }
  }

  private void feedForward(GgufWriter writer, Random random, String p) {
    vector(writer, random, p + "ffn_norm.weight", width(), 1);
    switch (architecture) {
      case "qwen3moe" -> {
        matrix(writer, random, p + "ffn_gate_inp.weight", EXPERTS, width());
        matrices(writer, random, p + "ffn_gate_exps.weight", expertHidden(), width());
        matrices(writer, random, p + "ffn_up_exps.weight", expertHidden(), width());
        matrices(writer, random, p + "ffn_down_exps.weight", width(), expertHidden());
      }
      case "phi3" -> {
        matrix(writer, random, p + "ffn_up.weight", 2 * hidden(), width());
        matrix(writer, random, p + "ffn_down.weight", width(), hidden());
      }
      default -> {
        matrix(writer, random, p + "ffn_gate.weight", hidden(), width());
        matrix(writer, random, p + "ffn_up.weight", hidden(), width());
        matrix(writer, random, p + "ffn_down.weight", width(), hidden());
      }
    }
  }

  /** The base that the file states: not that of gemma3's local layers. */
  float ropeBase() {
    return architecture.equals("gemma3") ? 1_000_000 : 10_000;
  }

  Path path(Path directory) {
    return directory.resolve(Integer.toHexString(toString().hashCode()) + ".gguf");
  }

  Path write(Path directory) {
    writer().write(path(directory), Progress.NONE);
    return path(directory);
  }

  LoadedModel load(Path directory, int threads, KvType kvType) {
    LoadOptions options = new LoadOptions(threads, OptionalInt.empty(), kvType);
    write(directory);
    return load(directory, options, Progress.NONE);
  }

  /** Loads what {@link #write} wrote. */
  LoadedModel load(Path directory, LoadOptions options, Progress progress) {
    try (GgufFile file = GgufFile.open(path(directory))) {
      return LoadedModel.load(file, options, progress);
    }
  }

  private void matrix(GgufWriter writer, Random random, String name, int rows, int columns) {
    tensor(writer, random, name, columns, rows);
  }

  /** A matrix for each expert. */
  private void matrices(GgufWriter writer, Random random, String name, int rows, int columns) {
    tensor(writer, random, name, columns, rows, EXPERTS);
  }

  private void tensor(GgufWriter writer, Random random, String name, int columns, int... rows) {
    long seed = random.nextLong();
    double scale = 2 / Math.sqrt(columns);
    writer.tensor(
        name,
        typeOf(name),
        (index, row) -> {
          Random numbers = new Random(seed + index);
          for (int i = 0; i < row.length; i++) {
            row[i] = (float) (numbers.nextGaussian() * scale);
          }
        },
        dimensions(columns, rows));
  }

  private static long[] dimensions(int columns, int... rows) {
    return IntStream.concat(IntStream.of(columns), IntStream.of(rows)).asLongStream().toArray();
  }

  private static void vector(
      GgufWriter writer, Random random, String name, int length, float around) {
    float[] numbers = new float[length];
    for (int i = 0; i < length; i++) {
      numbers[i] = around + (float) random.nextGaussian() * 0.3f;
    }
    writer.tensor(
        name, TensorType.F32, (_, row) -> System.arraycopy(numbers, 0, row, 0, length), length);
  }
}
