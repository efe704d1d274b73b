package dev.sojourn.engine.weights;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.fail;

import dev.sojourn.engine.model.LoadOptions;
import dev.sojourn.engine.model.LoadedModel;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.URISyntaxException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is said of checkpoints that are damaged, incomplete, or more than we can run. */
class CheckpointFileTest {

  private static final String INDEX = "model.safetensors.index.json";
  private static final String FIRST = "model-00001-of-00005.safetensors";
  private static final int RUNS = 3000;

  @TempDir Path directory;

  @BeforeEach
  void copyASoundOne() throws IOException, URISyntaxException {
    copy("qwen3");
  }

  private void copy(String name) throws IOException, URISyntaxException {
    try (Stream<Path> files = Files.list(resource(name))) {
      for (Path file : files.toList()) {
        Files.copy(
            file, directory.resolve(file.getFileName()), StandardCopyOption.REPLACE_EXISTING);
      }
    }
  }

  private Path resource(String name) throws URISyntaxException {
    return Path.of(Objects.requireNonNull(getClass().getResource("transformers/" + name)).toURI());
  }

  @Test
  void open_anyPathOfTheCheckpoint_findsAllOfIt() {
    for (Path path : List.of(directory, directory.resolve(FIRST))) {
      try (ModelFile file = ModelFile.open(path)) {
        assertThat(file.format()).isEqualTo("safetensors");
        assertThat(file.architecture()).isEqualTo("qwen3");
        assertThat(file.has("blk.1.ffn_down.weight")).isTrue();
        assertThat(file.tensor("token_embd.weight", 32, 416).type()).isEqualTo(TensorType.BF16);
        assertThat(file.chatTemplate().orElseThrow()).startsWith("{{ bos_token }}");
        assertThat(file.vocabulary().tokens()).hasSize(416);
        assertThat(file.vocabulary().endOfTurn()).containsExactly(341);
        ModelInfo info = ModelInfo.of(file);
        assertThat(info.vocabulary()).hasValue(416);
        assertThat(info.layers()).hasValue(2);
        assertThat(info.unsupported()).isEmpty();
      }
    }
  }

  @Test
  void order_ofAllMatrices_givesTheBytesOfThisVersion() throws Exception {
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    for (String name :
        List.of("llama", "mistral", "qwen2", "qwen3", "qwen3moe", "gemma3", "phi3")) {
      try (Checkpoint file = Checkpoint.open(resource(name))) {
        for (ModelTensor tensor : file.tensors()) {
          if (tensor.dimensions().size() > 1) {
            for (int row = 0; row < tensor.rows(); row++) {
              long at = file.order(tensor).stored(row) * tensor.rowBytes();
              MemorySegment stored = tensor.data().asSlice(at, tensor.rowBytes());
              digest.update(stored.toArray(ValueLayout.JAVA_BYTE));
            }
          }
        }
      }
    }
    assertThat(HexFormat.of().formatHex(digest.digest()))
        .as("the bytes of version %d: other bytes are another", ModelFile.RESTORED)
        .isEqualTo("da8e8d1a93169b03f247621b78d05cb6e57245dd53f2c27a175baab0a939ab2c");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "\"model_type\": \"qwen3\" | \"model_type\": \"gpt2\" | expected \"model_type\" to be one of",
        "\"hidden_size\": 32 | \"hidden_size\": 48 | \"model.embed_tokens.weight\" with dimensions [48, 416]",
        "\"hidden_size\": 32 | \"hidden_size\": -1 | expected \"hidden_size\" to be a whole number from 1",
        "\"hidden_size\": 32 | \"hidden\": 32 | expected \"hidden_size\" in the metadata",
        "\"num_hidden_layers\": 2 | \"num_hidden_layers\": 3 | tensor \"model.layers.2.",
        "\"num_hidden_layers\": 2 | \"num_hidden_layers\": 1 | no others, found tensor \"model.layers.1.",
        "\"hidden_act\": \"silu\" | \"hidden_act\": \"relu\" | expected \"hidden_act\" to be \"silu\"",
        "\"use_sliding_window\": false | \"use_sliding_window\": true, \"sliding_window\": 16 | \"sliding_window\"",
        "\"rope_type\": \"default\" | \"rope_type\": \"dynamic\" | expected \"rope_parameters.rope_type\"",
        "\"tie_word_embeddings\": false | \"quantization_config\": {\"quant_method\": \"fp8\"} | \"fp8\"",
      })
  void load_ofAnotherConfiguration_namesItsKey(String old, String text, String message)
      throws IOException {
    editConfig(old, text);
    refused(message);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "qwen3moe | \"norm_topk_prob\": true | \"norm_topk_prob\": false | \"norm_topk_prob\" to be true",
        "qwen3moe | \"mlp_only_layers\": [] | \"mlp_only_layers\": [1] | \"mlp_only_layers\" to be empty",
        "qwen3moe | \"decoder_sparse_step\": 1 | \"decoder_sparse_step\": 2 | \"decoder_sparse_step\" to be 1",
        "qwen3moe | \"num_local_experts\": 4 | \"num_local_experts\": 5 | tensor \"model.layers.0.mlp.gate.weight\"",
        "gemma3 | \"query_pre_attn_scalar\": 16 | \"query_pre_attn_scalar\": 24 | \"query_pre_attn_scalar\" to be 16",
        "gemma3 | \"query_pre_attn_scalar\" | \"other\" | \"query_pre_attn_scalar\" to be 16",
        "gemma3 | \"final_logit_softcapping\": null | \"final_logit_softcapping\": 30.0 | \"final_logit_softcapping\"",
        "gemma3 | \"_sliding_window_pattern\": 6 | \"_sliding_window_pattern\": 3 | \"layer_types\" to be full",
        "gemma3 | \"use_bidirectional_attention\": false | \"use_bidirectional_attention\": true | to be false",
        "phi3 | \"short_factor\" | \"shorter_factor\" | \"rope_scaling.short_factor\"",
        "phi3 | 1.25 | -1.25 | \"rope_scaling.short_factor\" to be numbers above 0",
        "phi3 | 1.25 | 1.25, 2.5 | tensor \"rope_factors_short.weight\" with dimensions [3]",
      })
  void load_ofWhatTheFamilyIsNotComputedWith_namesItsKey(
      String family, String old, String text, String message)
      throws IOException, URISyntaxException {
    copy(family);
    Files.deleteIfExists(directory.resolve(INDEX));
    editConfig(old, text);
    refused(message);
  }

  @ParameterizedTest
  @ValueSource(strings = {"0", "null", "{}", "[]"})
  void open_longKeysThatRepeatInManyMembers_isRefused(String member) throws IOException {
    String key = "\"" + "k".repeat(49_000) + "\":{";
    String members =
        IntStream.range(0, 200)
            .mapToObj(i -> "\"x" + i + "\":" + member)
            .collect(Collectors.joining(","));
    Files.writeString(
        directory.resolve("config.json"), "{" + key.repeat(20) + members + "}".repeat(21));
    refused("expected keys of at most");
  }

  @Test
  void open_indexThatLeadsElsewhere_isRefused() throws IOException {
    for (String elsewhere : List.of("../" + FIRST, "/etc/passwd", "a/b.safetensors", "", "..")) {
      edit(INDEX, json -> json.replaceFirst("model-00005-of-00005\\.safetensors", elsewhere));
      refused("the name of a .safetensors file in the same directory");
      edit(
          INDEX,
          json -> json.replace('"' + elsewhere + '"', "\"model-00005-of-00005.safetensors\""));
    }
  }

  @Test
  void open_indexAndFilesThatDisagree_namesTheTensor() throws IOException {
    edit(INDEX, json -> json.replace("model.norm.weight", "model.morn.weight"));
    refused("tensor \"model.norm.weight\" where " + INDEX + " has it");
    edit(
        INDEX,
        json ->
            json.replace("model.morn.weight\"", "model.norm.weight\": \"" + FIRST + "\", \"a\""));
    refused("\"model.norm.weight\"");
  }

  @Test
  void open_missingFile_isNamed() throws IOException {
    Files.delete(directory.resolve(FIRST));
    refused(FIRST + ": expected a readable model file, found no such file");
    Files.delete(directory.resolve(INDEX));
    refused("model.safetensors: expected a readable model file, found no such file");
    Files.delete(directory.resolve("config.json"));
    refused(
        directory
            + ": expected a checkpoint's directory (config.json, tokenizer.json and *.safetensors),"
            + " or a GGUF file's path, found no config.json in it");
  }

  @Test
  void open_headersThatContradict_areRefusedWithWhatWasWrong() throws IOException {
    single("{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4);
    refused("expected tensor \"a\" to be F32, F16 or BF16, found \"F8_E4M3\"");
    single("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4);
    refused("expected tensor \"a\" to have 8 bytes, for its shape and type, found 4");
    single("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 3);
    refused("the file seems cut short");
    single("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 5);
    refused("expected the tensors to end where the file does");
    single(
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
            + "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[2,6]}}",
        6);
    refused("expected tensor \"b\" to begin where the one before it ends, at 4, found 2");
    single(
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
            + "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
        8);
    refused("expected each tensor once, found \"a\" again");
    single(
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,4]}}", 4);
    refused("expected tensor \"a\" to fit into memory");
    single("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4);
    refused("up to 4 whole numbers");
    single("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4);
    refused("expected tensors of a qwen3 model, found \"a\"");
    single("{\"a\":", 0);
    refused("expected a header in JSON");
    Files.writeString(
        directory.resolve("model.safetensors"), "version https://git-lfs.github.com/");
    refused("a Git LFS pointer");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "a\\n\\u001b[31m | F8 | tensor \"a\\u000a\\u001b[31m\" to be F32, F16 or BF16, found \"F8\"",
        "a | F\\n\\u001b[31m | to be F32, F16 or BF16, found \"F\\u000a\\u001b[31m\"",
        "a | F32\", \"\\u202e\\u0085\": \" | data_offsets, found \"\\u202e\\u0085\" too",
      })
  void open_namesThatWouldCommandATerminal_areShownEscaped(String name, String type, String message)
      throws IOException {
    single(
        "{\"" + name + "\":{\"dtype\":\"" + type + "\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4);
    refused(message);
  }

  @Test
  void open_nameAndTypeWithoutEnd_areCutInTheMiddle() throws IOException {
    String name = "b" + "n".repeat(40_000) + "e";
    String type = "b" + "t".repeat(40_000) + "e";
    single(
        "{\"" + name + "\":{\"dtype\":\"" + type + "\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4);
    assertThatThrownBy(() -> ModelFile.open(directory).close())
        .isInstanceOf(ModelFileException.Unsupported.class)
        .message()
        .hasSizeLessThan(2000)
        .containsPattern(
            "expected tensor \"bn+\\.\\.\\.n+e\" to be F32, F16 or BF16, found \"bt+\\.\\.\\.t+e\"");
  }

  @Test
  void vocabulary_thatDoesNotFit_namesTheFile() throws IOException {
    edit("tokenizer.json", json -> json.replaceFirst("\"type\": \"BPE\"", "\"type\": \"Unigram\""));
    try (ModelFile file = ModelFile.open(directory)) {
      assertThatThrownBy(file::vocabulary)
          .isInstanceOf(ModelFileException.Malformed.class)
          .hasMessageContaining("tokenizer.json")
          .hasMessageContaining("Unigram");
    }
  }

  @Test
  void open_damagedCheckpoint_isRefusedOrReadable() throws IOException {
    long seed = Long.getLong("sojourn.seed", System.nanoTime());
    List<String> names = List.of("config.json", "tokenizer.json", INDEX, FIRST);
    int refused = 0;
    for (int run = 0; run < RUNS; run++) {
      Random random = new Random(seed + run);
      Path path = directory.resolve(names.get(random.nextInt(names.size())));
      byte[] sound = Files.readAllBytes(path);
      Files.write(path, damaged(sound, random));
      try {
        readAll();
      } catch (ModelFileException e) {
        refused++;
      } catch (RuntimeException | Error e) {
        fail("run with -Dsojourn.seed=" + (seed + run), e);
      }
      Files.write(path, sound);
    }
    assertThat(refused).as("refused, seed %d", seed).isGreaterThan(RUNS / 4);
  }

  private void readAll() {
    try (ModelFile file = ModelFile.open(directory)) {
      ModelInfo.of(file);
      file.tensors().forEach(ModelTensor::toFloats);
      file.vocabulary();
      file.chatTemplate();
    }
  }

  /** Damages the first kilobytes, where headers are: cuts, swaps words, repeats, flips. */
  private static byte[] damaged(byte[] sound, Random random) {
    byte[] bytes = sound.clone();
    int near = Math.min(bytes.length, 2000);
    switch (random.nextInt(4)) {
      case 0 -> bytes = Arrays.copyOf(bytes, random.nextInt(bytes.length));
      case 1 -> {
        int length = 1 + random.nextInt(40);
        System.arraycopy(
            sound, random.nextInt(near - length), bytes, random.nextInt(near - length), length);
      }
      case 2 -> {
        byte[] numbers = String.valueOf(random.nextLong() >> random.nextInt(64)).getBytes(UTF_8);
        int at = random.nextInt(near - 20);
        while (at < near - 20 && !Character.isDigit(bytes[at])) {
          at++;
        }
        System.arraycopy(numbers, 0, bytes, at, numbers.length);
      }
      default -> {
        for (int i = 1 + random.nextInt(4); i > 0; i--) {
          bytes[random.nextInt(near)] = (byte) random.nextInt(256);
        }
      }
    }
    return bytes;
  }

  private void editConfig(String old, String text) throws IOException {
    edit(
        "config.json",
        json -> {
          assertThat(json).contains(old);
          return json.replace(old, text);
        });
  }

  private void edit(String name, UnaryOperator<String> change) throws IOException {
    Path file = directory.resolve(name);
    Files.writeString(file, change.apply(Files.readString(file)));
  }

  /** Puts one file in place of the shards. */
  private void single(String header, int dataBytes) throws IOException {
    byte[] json = header.getBytes(UTF_8);
    Files.write(
        directory.resolve("model.safetensors"),
        ByteBuffer.allocate(Long.BYTES + json.length + dataBytes)
            .order(ByteOrder.LITTLE_ENDIAN)
            .putLong(json.length)
            .put(json)
            .array());
  }

  private void refused(String message) {
    assertThatThrownBy(
            () -> {
              try (ModelFile file = ModelFile.open(directory)) {
                LoadedModel.load(file, LoadOptions.defaults(), Progress.NONE).close();
              }
            })
        .isInstanceOf(ModelFileException.class)
        .hasMessageContaining(message);
  }
}
