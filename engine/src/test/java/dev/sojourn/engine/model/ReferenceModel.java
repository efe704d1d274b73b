package dev.sojourn.engine.model;

import dev.sojourn.engine.weights.GgufFile;
import dev.sojourn.engine.weights.ModelTensor;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * The forward pass written from the papers in double, without cache, pages, tiles or threads: what
 * the fast one must come close to.
 */
final class ReferenceModel {

  private final GgufFile file;
  private final TinyModel model;

  /** Each is asked for once a token, and unpacking takes longer than using it. */
  private final Map<String, float[]> tensors = new HashMap<>();

  ReferenceModel(GgufFile file, TinyModel model) {
    this.file = file;
    this.model = model;
  }

  /** Returns the logits after the last token. */
  double[] logits(int... ids) {
    double[][] state = new double[ids.length][];
    for (int t = 0; t < ids.length; t++) {
      state[t] = new double[model.width()];
      float[] embeddings = tensor("token_embd.weight");
      for (int i = 0; i < model.width(); i++) {
        state[t][i] = embeddings[ids[t] * model.width() + i];
        state[t][i] *= gemma() ? Math.sqrt(model.width()) : 1;
      }
    }
    for (int layer = 0; layer < TinyModel.LAYERS; layer++) {
      String p = "blk." + layer + ".";
      attention(state, p, layer);
      for (double[] x : state) {
        double[] n = norm(x, tensor(p + "ffn_norm.weight"));
        add(x, post(feedForward(n, p), p + "post_ffw_norm.weight"));
      }
    }
    double[] last = norm(state[ids.length - 1], tensor("output_norm.weight"));
    return times(model.tied() ? "token_embd" : "output", last);
  }

  private boolean gemma() {
    return model.architecture().equals("gemma3");
  }

  private double[] feedForward(double[] n, String p) {
    if (!model.architecture().equals("qwen3moe")) {
      boolean fused = model.architecture().equals("phi3");
      double[] up = times(p + "ffn_up", n);
      double[] gate = fused ? up : times(p + "ffn_gate", n);
      int length = model.hidden();
      return times(
          p + "ffn_down",
          gated(
              Arrays.copyOf(gate, length), Arrays.copyOfRange(up, up.length - length, up.length)));
    }
    double[] scores = times(p + "ffn_gate_inp", n);
    List<Integer> chosen =
        IntStream.range(0, scores.length)
            .boxed()
            .sorted(Comparator.comparingDouble(id -> -scores[id]))
            .limit(TinyModel.USED_EXPERTS)
            .toList();
    double sum = chosen.stream().mapToDouble(id -> Math.exp(scores[id])).sum();
    double[] result = new double[model.width()];
    for (int id : chosen) {
      double[] gate = times(expert(p + "ffn_gate_exps", id), n);
      double[] up = times(expert(p + "ffn_up_exps", id), n);
      double[] down = times(expert(p + "ffn_down_exps", id), gated(gate, up));
      for (int i = 0; i < down.length; i++) {
        result[i] += Math.exp(scores[id]) / sum * down[i];
      }
    }
    return result;
  }

  private float[] expert(String name, int id) {
    float[] all = tensor(name + ".weight");
    int size = all.length / TinyModel.EXPERTS;
    return Arrays.copyOfRange(all, id * size, (id + 1) * size);
  }

  private double[] gated(double[] gate, double[] up) {
    double[] result = new double[gate.length];
    for (int i = 0; i < gate.length; i++) {
      double x = gate[i];
      double cubic = Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x);
      double active = gemma() ? 0.5 * x * (1 + Math.tanh(cubic)) : x / (1 + Math.exp(-x));
      result[i] = active * up[i];
    }
    return result;
  }

  private double[] post(double[] delta, String normName) {
    return file.has(normName) ? norm(delta, tensor(normName)) : delta;
  }

  private void attention(double[][] state, String p, int layer) {
    int length = state.length;
    int size = model.headDim();
    int queries = TinyModel.HEADS * size;
    int keys = TinyModel.KV_HEADS * size;
    int group = TinyModel.HEADS / TinyModel.KV_HEADS;
    boolean phi = model.architecture().equals("phi3");
    int window = phi || (gemma() && layer == 0) ? TinyModel.WINDOW : length;
    double[][] q = new double[length][];
    double[][] k = new double[length][];
    double[][] v = new double[length][];
    for (int t = 0; t < length; t++) {
      double[] n = norm(state[t], tensor(p + "attn_norm.weight"));
      double[] all = phi ? times(p + "attn_qkv", n) : new double[0];
      q[t] = phi ? Arrays.copyOf(all, queries) : times(p + "attn_q", n);
      k[t] = phi ? Arrays.copyOfRange(all, queries, queries + keys) : times(p + "attn_k", n);
      v[t] = phi ? Arrays.copyOfRange(all, queries + keys, all.length) : times(p + "attn_v", n);
      rotate(q[t], t, p + "attn_q_norm.weight", layer);
      rotate(k[t], t, p + "attn_k_norm.weight", layer);
    }
    for (int t = 0; t < length; t++) {
      double[] result = new double[queries];
      int first = Math.max(0, t - window + 1);
      for (int head = 0; head < TinyModel.HEADS; head++) {
        int kv = head / group * size;
        double[] weight = new double[t + 1];
        double sum = 0;
        for (int s = first; s <= t; s++) {
          double score = 0;
          for (int d = 0; d < size; d++) {
            score += q[t][head * size + d] * k[s][kv + d];
          }
          weight[s] = Math.exp(score / Math.sqrt(size));
          sum += weight[s];
        }
        for (int s = first; s <= t; s++) {
          for (int d = 0; d < size; d++) {
            result[head * size + d] += weight[s] / sum * v[s][kv + d];
          }
        }
      }
      add(state[t], post(times(p + "attn_output", result), p + "post_attention_norm.weight"));
    }
  }

  private void rotate(double[] heads, int position, String normName, int layer) {
    int size = model.headDim();
    boolean local = gemma() && layer == 0;
    boolean phi = model.architecture().equals("phi3");
    for (int at = 0; at < heads.length; at += size) {
      if (file.has(normName)) {
        double[] head = Arrays.copyOfRange(heads, at, at + size);
        System.arraycopy(norm(head, tensor(normName)), 0, heads, at, size);
      }
      for (int i = 0; i < size / 2; i++) {
        double frequency = Math.pow(local ? 10_000 : model.ropeBase(), -2.0 * i / size);
        if (model.ropeFactors()) {
          frequency /= tensor("rope_freqs.weight")[i];
        }
        if (phi) {
          frequency /= tensor("rope_factors_long.weight")[i];
        }
        if (model.scaling().equals("linear") && !local) {
          frequency /= 4;
        }
        double angle = position * frequency;
        double magnitude = phi ? 1.25 : 1;
        boolean neighbours = model.architecture().equals("llama");
        int first = at + (neighbours ? 2 * i : i);
        int second = first + (neighbours ? 1 : size / 2);
        double x = heads[first] * magnitude;
        double y = heads[second] * magnitude;
        heads[first] = x * Math.cos(angle) - y * Math.sin(angle);
        heads[second] = x * Math.sin(angle) + y * Math.cos(angle);
      }
    }
  }

  private static double[] norm(double[] x, float[] factors) {
    double squares = 0;
    for (double value : x) {
      squares += value * value;
    }
    double[] result = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      result[i] = x[i] / Math.sqrt(squares / x.length + 1e-5f) * factors[i];
    }
    return result;
  }

  private double[] times(String name, double[] x) {
    double[] result = times(tensor(name + ".weight"), x);
    if (file.has(name + ".bias")) {
      float[] bias = tensor(name + ".bias");
      for (int row = 0; row < result.length; row++) {
        result[row] += bias[row];
      }
    }
    return result;
  }

  private static double[] times(float[] weights, double[] x) {
    double[] result = new double[weights.length / x.length];
    for (int row = 0; row < result.length; row++) {
      for (int i = 0; i < x.length; i++) {
        result[row] += weights[row * x.length + i] * x[i];
      }
    }
    return result;
  }

  private static void add(double[] x, double[] delta) {
    for (int i = 0; i < x.length; i++) {
      x[i] += delta[i];
    }
  }

  private float[] tensor(String name) {
    return tensors.computeIfAbsent(name, this::read);
  }

  private float[] read(String name) {
    return file.tensors().stream()
        .filter(tensor -> tensor.name().equals(name))
        .findFirst()
        .map(ModelTensor::toFloats)
        .orElseThrow();
  }
}
