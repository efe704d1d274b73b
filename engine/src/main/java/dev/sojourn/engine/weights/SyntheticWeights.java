package dev.sojourn.engine.weights;

import dev.sojourn.engine.weights.SyntheticModel.Architecture;
import dev.sojourn.engine.weights.SyntheticModel.Spec;
import java.util.Arrays;
import java.util.List;

/**
 * The numbers of a {@link SyntheticModel}.
 *
 * <p>Plain random weights answer with noise: every token is as likely as every other, most of them
 * halves of characters, and no answer ever ends. So the first number of the residual stream is set
 * apart. Each embedding puts the same constant there, no layer sees it or writes to it, and at the
 * end it multiplies a token's own weight in the output matrix: that product is the logarithm of how
 * often the token should come up. The other numbers work as in any model and add to each logit a
 * part that depends on the whole context.
 *
 * <p>The constant is as large as all the other numbers together (their variance: 1 from the
 * embedding, about 2 from each layer), so after a norm it is {@code sqrt(d / 2)} and they have a
 * variance of a half, which the weights of the norms make up for.
 *
 * <p>A number is drawn by its place (seed, tensor, row, column) with SplitMix64 (Steele et al.,
 * 2014), as the sum of four integers, nearly normal: no floating-point function is involved that
 * machines could disagree about.
 */
final class SyntheticWeights {

  /**
   * Variance that a layer adds to the residual stream, roughly: 1.4 by the feed-forward part (four
   * times what SiLU leaves of a variance of 1), and by attention between 0 (the average of many
   * values) and 1 (a single one).
   */
  private static final double PER_LAYER = 2;

  /** Standard deviation of the part of a logit that depends on the context. */
  private static final double CONTEXT_PART = 3;

  /**
   * How much larger than usual queries and keys are. Attention then picks few tokens instead of
   * averaging over all, and which ones changes from position to position: greedy answers do not run
   * in circles.
   */
  private static final float SHARPNESS = 2;

  private static final double SQRT_2 = StrictMath.sqrt(2);

  /** Four integers of 16 bits have this sum on average, and this deviation. */
  private static final int MEAN = 2 * 65535;

  private static final double DEVIATION = StrictMath.sqrt(4 * (65536.0 * 65536.0 - 1) / 12);

  private static final long GAMMA = 0x9e3779b97f4a7c15L;

  private final Spec spec;
  private final Architecture architecture;
  private final long seed;
  private final float[] logProbabilities;
  private final double constant;
  private long tensors;

  SyntheticWeights(Spec spec, long seed, float[] logProbabilities) {
    this.spec = spec;
    this.architecture = spec.architecture();
    this.seed = seed;
    this.logProbabilities = logProbabilities;
    constant = StrictMath.sqrt(spec.dimension() * (1 + PER_LAYER * spec.layers()));
  }

  void addTo(GgufWriter writer) {
    int d = spec.dimension();
    // Gemma multiplies embeddings with that root.
    double embedded = architecture == Architecture.GEMMA3 ? 1 / root(d) : 1;
    Matrix embedding = matrix(d, spec.vocabulary(), embedded);
    writer.tensor(
        "token_embd.weight",
        spec.typeOf("token_embd.weight", 0),
        (row, into) -> {
          embedding.fill(row, into);
          into[0] = (float) (constant * embedded);
        },
        d,
        spec.vocabulary());
    for (int layer = 0; layer < spec.layers(); layer++) {
      addAttention(writer, layer);
      addFeedForward(writer, layer);
    }
    writer.tensor(
        "output_norm.weight",
        TensorType.F32,
        (row, into) -> {
          Arrays.fill(into, (float) SQRT_2);
          into[0] = 1;
        },
        d);
    Matrix output = matrix(d, spec.vocabulary(), CONTEXT_PART / root(d));
    double constantAfterNorm = root(d) / SQRT_2;
    writer.tensor(
        "output.weight",
        spec.typeOf("output.weight", 0),
        (row, into) -> {
          output.fill(row, into);
          into[0] = (float) (logProbabilities[(int) row] / constantAfterNorm);
        },
        d,
        spec.vocabulary());
  }

  private void addAttention(GgufWriter writer, int layer) {
    int d = spec.dimension();
    int head = spec.headDimension();
    int queries = spec.heads() * head;
    int keys = spec.kvHeads() * head;
    String block = block(layer);
    blindNorm(writer, block + "attn_norm.weight");
    if (architecture == Architecture.PHI3) {
      Matrix all = matrix(d, queries + 2 * keys, 1 / root(d));
      add(
          writer,
          layer,
          "attn_qkv.weight",
          (row, into) -> {
            all.fill(row, into);
            for (int i = 0; row < queries + keys && i < into.length; i++) {
              into[i] *= SHARPNESS;
            }
          },
          d,
          queries + 2 * keys);
    } else {
      add(writer, layer, "attn_q.weight", matrix(d, queries, SHARPNESS / root(d)));
      add(writer, layer, "attn_k.weight", matrix(d, keys, SHARPNESS / root(d)));
      add(writer, layer, "attn_v.weight", matrix(d, keys, 1 / root(d)));
    }
    switch (architecture) {
      case QWEN2 -> {
        vector(writer, block + "attn_q.bias", queries, 0);
        vector(writer, block + "attn_k.bias", keys, 0);
        vector(writer, block + "attn_v.bias", keys, 0);
      }
      case QWEN3, QWEN3MOE, GEMMA3 -> {
        vector(writer, block + "attn_q_norm.weight", head, SHARPNESS);
        vector(writer, block + "attn_k_norm.weight", head, SHARPNESS);
      }
      default -> {}
    }
    mute(writer, layer, "attn_output.weight", 1, matrix(queries, d, 1 / root(queries)));
    if (architecture == Architecture.GEMMA3) {
      vector(writer, block + "post_attention_norm.weight", d, 1);
    }
  }

  private void addFeedForward(GgufWriter writer, int layer) {
    int d = spec.dimension();
    int hidden = spec.hidden();
    String block = block(layer);
    blindNorm(writer, block + "ffn_norm.weight");
    // SiLU halves and more what passes through it.
    double down = 2 / root(hidden);
    switch (architecture) {
      case QWEN3MOE -> {
        int count = SyntheticModel.EXPERTS;
        Matrix router = matrix(d, count, 1 / root(d));
        writer.tensor(block + "ffn_gate_inp.weight", TensorType.F32, router::fill, d, count);
        for (String part : List.of("ffn_gate_exps.weight", "ffn_up_exps.weight")) {
          Matrix all = matrix(d, hidden * count, 1 / root(d));
          add(writer, layer, part, all::fill, d, hidden, count);
        }
        mute(writer, layer, "ffn_down_exps.weight", count, matrix(hidden, d * count, down));
      }
      case PHI3 -> {
        add(writer, layer, "ffn_up.weight", matrix(d, 2 * hidden, 1 / root(d)));
        mute(writer, layer, "ffn_down.weight", 1, matrix(hidden, d, down));
      }
      default -> {
        add(writer, layer, "ffn_gate.weight", matrix(d, hidden, 1 / root(d)));
        add(writer, layer, "ffn_up.weight", matrix(d, hidden, 1 / root(d)));
        mute(writer, layer, "ffn_down.weight", 1, matrix(hidden, d, down));
      }
    }
    if (architecture == Architecture.GEMMA3) {
      vector(writer, block + "post_ffw_norm.weight", d, 1);
    }
  }

  private static String block(int layer) {
    return "blk." + layer + '.';
  }

  private void add(GgufWriter writer, int layer, String part, Matrix matrix) {
    add(writer, layer, part, matrix::fill, matrix.columns(), matrix.rows());
  }

  private void add(
      GgufWriter writer, int layer, String part, GgufWriter.Rows rows, long... dimensions) {
    String name = block(layer) + part;
    writer.tensor(name, spec.typeOf(name, layer), rows, dimensions);
  }

  /**
   * A matrix that writes to the residual stream, but not to its first number; or {@code count} of
   * them in one tensor.
   */
  private void mute(GgufWriter writer, int layer, String part, int count, Matrix matrix) {
    int rows = matrix.rows() / count;
    long[] dimensions =
        count == 1
            ? new long[] {matrix.columns(), rows}
            : new long[] {matrix.columns(), rows, count};
    add(
        writer,
        layer,
        part,
        (row, into) -> {
          if (row % rows == 0) {
            Arrays.fill(into, 0);
          } else {
            matrix.fill(row, into);
          }
        },
        dimensions);
  }

  /** A norm that hides the first number and brings the others to a variance of 1. */
  private void blindNorm(GgufWriter writer, String name) {
    Matrix noise = matrix(spec.dimension(), 1, 0.05);
    writer.tensor(
        name,
        TensorType.F32,
        (row, into) -> {
          noise.fill(row, into);
          for (int i = 0; i < into.length; i++) {
            into[i] = i == 0 ? 0 : (float) SQRT_2 * (1 + into[i]);
          }
        },
        spec.dimension());
  }

  private void vector(GgufWriter writer, String name, int length, float mean) {
    Matrix noise = matrix(length, 1, 0.1);
    writer.tensor(
        name,
        TensorType.F32,
        (row, into) -> {
          noise.fill(row, into);
          for (int i = 0; i < into.length; i++) {
            into[i] += mean;
          }
        },
        length);
  }

  private Matrix matrix(int columns, int rows, double deviation) {
    long key = mixed(seed + GAMMA * ++tensors);
    return new Matrix(key, columns, rows, (float) (deviation / DEVIATION));
  }

  private static double root(int n) {
    return StrictMath.sqrt(n);
  }

  /** Random numbers with mean 0, each found by its place. */
  private record Matrix(long key, int columns, int rows, float scale) {

    void fill(long row, float[] into) {
      for (int i = 0; i < into.length; i++) {
        long bits = mixed(key + GAMMA * (row * columns + i + 1));
        long sum =
            (bits & 0xffff) + ((bits >>> 16) & 0xffff) + ((bits >>> 32) & 0xffff) + (bits >>> 48);
        into[i] = (sum - MEAN) * scale;
      }
    }
  }

  private static long mixed(long z) {
    z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
    z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
    return z ^ (z >>> 31);
  }
}
