package dev.sojourn.engine.model;

import dev.sojourn.engine.weights.GgufFile;
import dev.sojourn.engine.weights.ModelTensor;
import java.util.Arrays;

/**
 * The forward pass written from the papers in double, without cache, pages, tiles or threads: what
 * the fast one must come close to.
 */
final class ReferenceModel {

  private final GgufFile file;
  private final TinyModel model;

  ReferenceModel(GgufFile file, TinyModel model) {
    this.file = file;
    this.model = model;
  }

  /** Returns the logits after the last token. */
  double[] logits(int... ids) {
    double[][] state = new double[ids.length][];
    for (int t = 0; t < ids.length; t++) {
      state[t] = new double[TinyModel.WIDTH];
      float[] embeddings = tensor("token_embd.weight");
      for (int i = 0; i < TinyModel.WIDTH; i++) {
        state[t][i] = embeddings[ids[t] * TinyModel.WIDTH + i];
      }
    }
    for (int layer = 0; layer < TinyModel.LAYERS; layer++) {
      String p = "blk." + layer + ".";
      attention(state, p);
      for (double[] x : state) {
        double[] n = norm(x, tensor(p + "ffn_norm.weight"));
        double[] gate = times(p + "ffn_gate", n);
        double[] up = times(p + "ffn_up", n);
        for (int i = 0; i < gate.length; i++) {
          gate[i] = gate[i] / (1 + Math.exp(-gate[i])) * up[i];
        }
        add(x, times(p + "ffn_down", gate));
      }
    }
    double[] last = norm(state[ids.length - 1], tensor("output_norm.weight"));
    return times(model.tied() ? "token_embd" : "output", last);
  }

  private void attention(double[][] state, String p) {
    int length = state.length;
    int size = model.headDim();
    int group = TinyModel.HEADS / TinyModel.KV_HEADS;
    double[][] q = new double[length][];
    double[][] k = new double[length][];
    double[][] v = new double[length][];
    for (int t = 0; t < length; t++) {
      double[] n = norm(state[t], tensor(p + "attn_norm.weight"));
      q[t] = rotated(times(p + "attn_q", n), t, p + "attn_q_norm.weight");
      k[t] = rotated(times(p + "attn_k", n), t, p + "attn_k_norm.weight");
      v[t] = times(p + "attn_v", n);
    }
    for (int t = 0; t < length; t++) {
      double[] result = new double[TinyModel.HEADS * size];
      for (int head = 0; head < TinyModel.HEADS; head++) {
        int kv = head / group * size;
        double[] weight = new double[t + 1];
        double sum = 0;
        for (int s = 0; s <= t; s++) {
          double score = 0;
          for (int d = 0; d < size; d++) {
            score += q[t][head * size + d] * k[s][kv + d];
          }
          weight[s] = Math.exp(score / Math.sqrt(size));
          sum += weight[s];
        }
        for (int s = 0; s <= t; s++) {
          for (int d = 0; d < size; d++) {
            result[head * size + d] += weight[s] / sum * v[s][kv + d];
          }
        }
      }
      add(state[t], times(p + "attn_output", result));
    }
  }

  private double[] rotated(double[] heads, int position, String normName) {
    int size = model.headDim();
    for (int at = 0; at < heads.length; at += size) {
      if (file.has(normName)) {
        double[] head = Arrays.copyOfRange(heads, at, at + size);
        System.arraycopy(norm(head, tensor(normName)), 0, heads, at, size);
      }
      for (int i = 0; i < size / 2; i++) {
        double frequency = Math.pow(10_000, -2.0 * i / size);
        if (model.ropeFactors()) {
          frequency /= tensor("rope_freqs.weight")[i];
        }
        if (model.scaling().equals("linear")) {
          frequency /= 4;
        }
        double angle = position * frequency;
        boolean neighbours = model.architecture().equals("llama");
        int first = at + (neighbours ? 2 * i : i);
        int second = first + (neighbours ? 1 : size / 2);
        double x = heads[first];
        double y = heads[second];
        heads[first] = x * Math.cos(angle) - y * Math.sin(angle);
        heads[second] = x * Math.sin(angle) + y * Math.cos(angle);
      }
    }
    return heads;
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
    float[] weights = tensor(name + ".weight");
    double[] result = new double[weights.length / x.length];
    for (int row = 0; row < result.length; row++) {
      for (int i = 0; i < x.length; i++) {
        result[row] += weights[row * x.length + i] * x[i];
      }
      result[row] += file.has(name + ".bias") ? tensor(name + ".bias")[row] : 0;
    }
    return result;
  }

  private static void add(double[] x, double[] delta) {
    for (int i = 0; i < x.length; i++) {
      x[i] += delta[i];
    }
  }

  private float[] tensor(String name) {
    return file.tensors().stream()
        .filter(tensor -> tensor.name().equals(name))
        .findFirst()
        .map(ModelTensor::toFloats)
        .orElseThrow();
  }
}
