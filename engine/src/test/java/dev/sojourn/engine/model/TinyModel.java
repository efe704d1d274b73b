package dev.sojourn.engine.model;

import dev.sojourn.engine.weights.GgufFile;
import dev.sojourn.engine.weights.GgufWriter;
import dev.sojourn.engine.weights.Progress;
import dev.sojourn.engine.weights.TensorType;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.OptionalInt;
import java.util.Random;

/** A random model small enough to compute by hand, in a file. */
record TinyModel(
    String architecture,
    TensorType type,
    int headDim,
    boolean tied,
    boolean ropeFactors,
    String scaling) {

  static final int LAYERS = 2;
  static final int WIDTH = 64;
  static final int HEADS = 6;
  static final int KV_HEADS = 2;
  static final int FEED_FORWARD = 160;
  static final int VOCABULARY = 77; // no multiple of anything
  static final int CONTEXT = 320;

  /** A token whose KV is NaN, in untied models of F32. */
  static final int POISON = VOCABULARY - 1;

  static TinyModel of(String architecture, TensorType type) {
    return new TinyModel(architecture, type, 32, true, false, "none");
  }

  GgufWriter writer() {
    String a = architecture + ".";
    GgufWriter writer =
        new GgufWriter()
            .text("general.architecture", architecture)
            .whole(a + "context_length", CONTEXT)
            .whole(a + "embedding_length", WIDTH)
            .whole(a + "block_count", LAYERS)
            .whole(a + "feed_forward_length", FEED_FORWARD)
            .whole(a + "attention.head_count", HEADS)
            .whole(a + "attention.head_count_kv", KV_HEADS)
            .whole(a + "attention.key_length", headDim)
            .whole(a + "attention.value_length", headDim)
            .real(a + "attention.layer_norm_rms_epsilon", 1e-5f)
            .real(a + "rope.freq_base", 10_000);
    if (!scaling.equals("none")) {
      writer.text(a + "rope.scaling.type", scaling).real(a + "rope.scaling.factor", 4);
    }
    Random random = new Random(20261121);
    matrix(writer, random, "token_embd.weight", VOCABULARY, WIDTH);
    for (int layer = 0; layer < LAYERS; layer++) {
      String p = "blk." + layer + ".";
      vector(writer, random, p + "attn_norm.weight", WIDTH, 1);
      matrix(writer, random, p + "attn_q.weight", HEADS * headDim, WIDTH);
      matrix(writer, random, p + "attn_k.weight", KV_HEADS * headDim, WIDTH);
      matrix(writer, random, p + "attn_v.weight", KV_HEADS * headDim, WIDTH);
      if (architecture.equals("qwen2")) {
        vector(writer, random, p + "attn_q.bias", HEADS * headDim, 0);
        vector(writer, random, p + "attn_k.bias", KV_HEADS * headDim, 0);
        vector(writer, random, p + "attn_v.bias", KV_HEADS * headDim, 0);
      }
      if (architecture.equals("qwen3")) {
        vector(writer, random, p + "attn_q_norm.weight", headDim, 1);
        vector(writer, random, p + "attn_k_norm.weight", headDim, 1);
      }
      matrix(writer, random, p + "attn_output.weight", WIDTH, HEADS * headDim);
      vector(writer, random, p + "ffn_norm.weight", WIDTH, 1);
      matrix(writer, random, p + "ffn_gate.weight", FEED_FORWARD, WIDTH);
      matrix(writer, random, p + "ffn_up.weight", FEED_FORWARD, WIDTH);
      matrix(writer, random, p + "ffn_down.weight", WIDTH, FEED_FORWARD);
    }
    vector(writer, random, "output_norm.weight", WIDTH, 1);
    if (!tied) {
      matrix(writer, random, "output.weight", VOCABULARY, WIDTH);
    }
    if (ropeFactors) {
      vector(writer, random, "rope_freqs.weight", headDim / 2, 3);
    }
    return writer;
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
    try (GgufFile file = GgufFile.open(write(directory))) {
      return LoadedModel.load(file, options, Progress.NONE);
    }
  }

  private void matrix(GgufWriter writer, Random random, String name, int rows, int columns) {
    long seed = random.nextLong();
    double scale = 2 / Math.sqrt(columns);
    writer.tensor(
        name,
        type,
        (index, row) -> {
          Random numbers = new Random(seed + index);
          for (int i = 0; i < row.length; i++) {
            row[i] = (float) (numbers.nextGaussian() * scale);
          }
          if (type == TensorType.F32 && !tied && name.startsWith("token") && index == POISON) {
            Arrays.fill(row, Float.NaN);
          }
        },
        columns,
        rows);
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
