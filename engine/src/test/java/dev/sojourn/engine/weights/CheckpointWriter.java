package dev.sojourn.engine.weights;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import tools.jackson.databind.json.JsonMapper;

/** Writes what a GGUF file holds as the checkpoint that it could have been converted from. */
public final class CheckpointWriter {

  private static final Map<String, String> KEYS =
      Map.of(
          "context_length", "max_position_embeddings",
          "embedding_length", "hidden_size",
          "block_count", "num_hidden_layers",
          "feed_forward_length", "intermediate_size",
          "attention.head_count", "num_attention_heads",
          "attention.head_count_kv", "num_key_value_heads",
          "attention.key_length", "head_dim");

  private final GgufFile model;
  private final CheckpointFamily family;

  private CheckpointWriter(GgufFile model) {
    this.model = model;
    this.family = CheckpointFamily.of(config(Map.of("model_type", model.architecture())));
  }

  private static ModelMetadata config(Map<String, Object> values) {
    Map<String, ModelMetadata.Entry> entries = new LinkedHashMap<>();
    values.forEach((key, value) ->
        entries.put(key, new ModelMetadata.Entry(value, key, OptionalLong.empty())));
    return new ModelMetadata(Path.of("config.json"), entries);
  }

  /** Writes a checkpoint in so many files, with an index if there are several. */
  public static void write(GgufFile model, Path directory, int shards) throws IOException {
    new CheckpointWriter(model).write(directory, shards);
  }

  private void write(Path directory, int count) throws IOException {
    Files.createDirectories(directory);
    write(directory.resolve("config.json"), config());
    Map<String, String> index = new LinkedHashMap<>();
    List<ModelTensor> all = model.tensors();
    for (int shard = 0; shard < count; shard++) {
      String name =
          count == 1
              ? "model.safetensors"
              : "model-%05d-of-%05d.safetensors".formatted(shard + 1, count);
      Map<String, ModelTensor> tensors = new LinkedHashMap<>();
      for (int i = shard; i < all.size(); i += count) {
        tensors.put(family.ownName(all.get(i).name()), all.get(i));
      }
      tensors.keySet().forEach(tensor -> index.put(tensor, name));
      Files.write(directory.resolve(name), file(tensors));
    }
    if (count > 1) {
      write(directory.resolve("model.safetensors.index.json"), Map.of("weight_map", index));
    }
  }

  private static void write(Path file, Map<String, ?> json) throws IOException {
    Files.writeString(file, JsonMapper.shared().writeValueAsString(json));
  }

  private Map<String, Object> config() {
    String prefix = model.architecture() + ".";
    Map<String, Object> config = new LinkedHashMap<>();
    config.put("model_type", model.architecture());
    config.put("hidden_act", "silu");
    config.put("tie_word_embeddings", !model.has("output.weight"));
    config.put("rms_norm_eps", model.metadata().real(prefix + "attention.layer_norm_rms_epsilon"));
    config.put("rope_theta", model.metadata().real(prefix + "rope.freq_base"));
    KEYS.forEach((key, own) ->
        config.put(own, model.metadata().integer(prefix + key, 0, Integer.MAX_VALUE)));
    return config;
  }

  private byte[] file(Map<String, ModelTensor> tensors) {
    Map<String, Object> header = new LinkedHashMap<>();
    ByteArrayOutputStream data = new ByteArrayOutputStream();
    tensors.forEach((name, tensor) -> {
      List<Long> shape = new ArrayList<>(tensor.dimensions());
      Collections.reverse(shape);
      int begin = data.size();
      data.writeBytes(bytes(tensor));
      header.put(
          name,
          Map.of(
              "dtype",
              tensor.type().name(),
              "shape",
              shape,
              "data_offsets",
              List.of(begin, data.size())));
    });
    byte[] json = JsonMapper.shared().writeValueAsString(header).getBytes(UTF_8);
    return ByteBuffer.allocate(Long.BYTES + json.length + data.size())
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(json.length)
        .put(json)
        .put(data.toByteArray())
        .array();
  }

  /** Returns a tensor's bytes; the rows of llama's queries and keys in halves of each head. */
  private byte[] bytes(ModelTensor tensor) {
    byte[] bytes = tensor.data().toArray(ValueLayout.JAVA_BYTE);
    if (!family.neighbours() || !tensor.name().matches(".*attn_[qk]\\..*")) {
      return bytes;
    }
    int headDim =
        model.metadata().integer(model.architecture() + ".attention.key_length", 2, 1 << 14);
    int rowBytes = (int) (bytes.length / tensor.rows());
    byte[] halves = new byte[bytes.length];
    for (int row = 0; row < tensor.rows(); row++) {
      int inHead = row % headDim;
      int to = row - inHead + inHead / 2 + inHead % 2 * (headDim / 2);
      System.arraycopy(bytes, row * rowBytes, halves, to * rowBytes, rowBytes);
    }
    return halves;
  }
}
