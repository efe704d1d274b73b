package dev.sojourn.engine.weights;

import dev.sojourn.text.HuggingFaceVocabulary;
import dev.sojourn.text.Vocabulary;
import dev.sojourn.text.VocabularyException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeSet;

/**
 * An open checkpoint in Hugging Face's form: a directory with {@code config.json}, {@code
 * tokenizer.json}, and one {@code model.safetensors} or several with an index.
 *
 * <p>It presents itself as the GGUF file that a converter would make of it, bit by bit: the same
 * names, keys and numbers. Where the numbers differ from those on the disk, or their order does, it
 * says so.
 */
public final class Checkpoint extends ModelFile {

  private static final long MAX_TOKENIZER_BYTES = 128 << 20;
  private static final int MAX_VOCABULARY = 1 << 20;

  private final CheckpointFamily family;

  private Checkpoint(
      Path directory,
      TensorFiles files,
      ModelMetadata metadata,
      CheckpointFamily family,
      List<ModelTensor> tensors) {
    super(directory, files, metadata, tensors);
    this.family = family;
  }

  /**
   * Maps a checkpoint and reads its headers.
   *
   * @param path the directory, or one of its {@code .safetensors} files
   * @throws ModelFileException if a file is missing, damaged, or contradicts another
   */
  public static Checkpoint open(Path path) {
    if (!Files.exists(path)) {
      throw new ModelFileException.Unreadable(path, "no such file");
    }
    Path whole = path.toAbsolutePath().normalize();
    Path directory = Files.isDirectory(whole) ? whole : whole.resolveSibling("");
    Path configFile = directory.resolve("config.json");
    if (whole.equals(directory) && !Files.exists(configFile)) {
      throw new ModelFileException.Foreign(
          path,
          OptionalLong.empty(),
          "a checkpoint's directory (config.json, tokenizer.json and *.safetensors), or a GGUF"
              + " file's path",
          "no config.json in it");
    }
    ModelMetadata config = JsonMetadata.read(configFile);
    CheckpointFamily family = CheckpointFamily.of(config);
    CheckpointConfig translated =
        CheckpointConfig.of(config, family, String.valueOf(directory.getFileName()));
    TensorFiles files = new TensorFiles();
    boolean opened = false;
    try {
      new Shards(directory, family, files).read();
      List<ModelTensor> tensors = new ArrayList<>(files.tensors());
      tie(directory, config, tensors);
      translated.madeTensors().forEach((name, numbers) -> tensors.add(made(name, numbers)));
      Checkpoint checkpoint =
          new Checkpoint(directory, files, translated.metadata(configFile), family, tensors);
      opened = true;
      return checkpoint;
    } finally {
      if (!opened) {
        files.close();
      }
    }
  }

  /** A model whose output is its embeddings once more may still hold a copy of them. */
  private static void tie(Path directory, ModelMetadata config, List<ModelTensor> tensors) {
    boolean output = tensors.stream().anyMatch(tensor -> tensor.name().equals("output.weight"));
    if (config.findFlag("tie_word_embeddings").orElse(!output)) {
      tensors.removeIf(tensor -> tensor.name().equals("output.weight"));
    } else if (!output) {
      throw new ModelFileException.Malformed(
          directory,
          "tensor \"lm_head.weight\", as tie_word_embeddings is false",
          "no such tensor");
    }
  }

  @Override
  public List<Path> files() {
    List<Path> files = new ArrayList<>(super.files());
    files.add(path().resolve("config.json"));
    return files;
  }

  @Override
  public String format() {
    return "safetensors";
  }

  @Override
  public Optional<String> tokenizer() {
    return Optional.of("tokenizer.json");
  }

  @Override
  public Vocabulary vocabulary() {
    ModelTensor embeddings = tensorOfAnyShape("token_embd.weight");
    if (embeddings.rows() > MAX_VOCABULARY) {
      throw wrong(embeddings, "at most " + MAX_VOCABULARY + " rows", "" + embeddings.rows());
    }
    Path file = path().resolve("tokenizer.json");
    String json = new String(JsonMetadata.bytes(file, MAX_TOKENIZER_BYTES), StandardCharsets.UTF_8);
    ModelMetadata settings = settings();
    try {
      return HuggingFaceVocabulary.read(
          json,
          (int) embeddings.rows(),
          special(settings, "bos_token"),
          special(settings, "eos_token"),
          ends());
    } catch (VocabularyException e) {
      throw new ModelFileException.Malformed(
          file, "a vocabulary for this model", String.valueOf(e.getMessage()));
    }
  }

  private ModelMetadata settings() {
    return JsonMetadata.readIfThere(path().resolve("tokenizer_config.json"));
  }

  private static Optional<String> special(ModelMetadata settings, String key) {
    return settings.findString(settings.has(key) ? key : key + ".content");
  }

  /** Returns the ids that end a turn: one or several, in either of two files. */
  private Set<Integer> ends() {
    Set<Integer> ends = new TreeSet<>();
    for (String name : List.of("config.json", "generation_config.json")) {
      ModelMetadata file = JsonMetadata.readIfThere(path().resolve(name));
      for (String key : List.of("eos_token_id", "text_config.eos_token_id")) {
        if (file.isIntegers(key)) {
          Arrays.stream(file.findIntegers(key).orElseThrow())
              .forEach(id -> ends.add(Math.clamp(id, -1, Integer.MAX_VALUE)));
        } else {
          file.findInteger(key, 0, Integer.MAX_VALUE).ifPresent(ends::add);
        }
      }
    }
    return ends;
  }

  @Override
  public Optional<String> chatTemplate() {
    Path file = path().resolve("chat_template.jinja");
    if (Files.exists(file)) {
      return Optional.of(
          new String(JsonMetadata.bytes(file, MAX_TOKENIZER_BYTES), StandardCharsets.UTF_8));
    }
    ModelMetadata settings = settings();
    for (int i = 0; settings.has("chat_template." + i + ".name"); i++) {
      if (settings.string("chat_template." + i + ".name").equals("default")) {
        return settings.findString("chat_template." + i + ".template");
      }
    }
    return settings
        .findString("chat_template")
        .or(() ->
            JsonMetadata.readIfThere(path().resolve("chat_template.json"))
                .findString("chat_template"));
  }

  @Override
  String ownName(String name) {
    return family.ownName(name);
  }

  @Override
  public RowOrder order(ModelTensor tensor) {
    if (family.neighbours() && tensor.name().contains(".attn_q.")) {
      return inHalves(tensor, "attention.head_count");
    }
    if (family.neighbours() && tensor.name().contains(".attn_k.")) {
      String key = "attention.head_count_kv";
      return inHalves(
          tensor, metadata().has(architecture() + "." + key) ? key : "attention.head_count");
    }
    return RowOrder.SAME;
  }

  /** The numbers that are rotated together are half a head apart. */
  private RowOrder inHalves(ModelTensor tensor, String headsKey) {
    long rows = tensor.dimensions().size() == 1 ? tensor.columns() : tensor.rows();
    long heads = metadata().integer(architecture() + "." + headsKey, 1, Integer.MAX_VALUE);
    return new RowOrder(rows / heads / 2);
  }

  @Override
  public float[] vector(ModelTensor tensor) {
    RowOrder order = order(tensor);
    boolean fromOne = family.normsFromOne() && tensor.name().endsWith("norm.weight");
    float[] stored = super.vector(tensor);
    float[] numbers = new float[stored.length];
    for (int i = 0; i < numbers.length; i++) {
      float number = stored[Math.toIntExact(order.stored(i))];
      numbers[i] = fromOne ? number + 1 : number;
    }
    return numbers;
  }

  private static ModelTensor made(String name, float[] numbers) {
    MemorySegment data = MemorySegment.ofArray(new byte[numbers.length * Float.BYTES]);
    TensorCodec.encode(TensorType.F32, numbers, data);
    return new ModelTensor(name, TensorType.F32, List.of((long) numbers.length), 0, data);
  }
}
