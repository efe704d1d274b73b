package dev.sojourn.engine.weights;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Objects;

/**
 * Makes models with random weights: what is served when no model is given, and what tests and
 * measurements run on. A model is complete (a byte-level vocabulary trained on a short text, a
 * ChatML template, every tensor) and its bytes depend on the spec and the seed alone.
 *
 * <p>Its answers mean nothing, but they are varied: readable words of that text, in an order that
 * depends on everything before. They end by themselves, after fifty tokens on average, some after
 * five and some after two hundred. {@link SyntheticWeights} says how.
 */
public final class SyntheticModel {

  /** Which architecture a model has. */
  public enum Architecture {
    LLAMA("llama-bpe"),
    QWEN2("qwen2"),
    QWEN3("qwen2"),
    QWEN3MOE("qwen2"),
    GEMMA3("llama-bpe"),
    PHI3("llama-bpe");

    private final String preTokenizer;

    Architecture(String preTokenizer) {
      this.preTokenizer = preTokenizer;
    }

    /** Returns the name in a GGUF file. */
    public String key() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /**
   * The shape of a model.
   *
   * @param layers number of transformer blocks
   * @param dimension numbers in the residual stream
   * @param hidden numbers inside the feed-forward part, or inside each expert
   * @param heads of queries
   * @param kvHeads of keys and values; divides {@code heads}
   * @param headDimension numbers of a head; even
   * @param vocabulary tokens, at least {@value #SMALLEST_VOCABULARY}; those beyond what the text
   *     gives are padding
   * @param type of the matrices; vectors are F32
   * @param mixed whether some matrices are finer, as in the files that are called {@code Q4_K_M}
   * @param context longest context in tokens
   */
  public record Spec(
      Architecture architecture,
      int layers,
      int dimension,
      int hidden,
      int heads,
      int kvHeads,
      int headDimension,
      int vocabulary,
      TensorType type,
      boolean mixed,
      int context) {

    /** Creates the shape of a model whose matrices are all of one type. */
    public Spec(
        Architecture architecture,
        int layers,
        int dimension,
        int hidden,
        int heads,
        int kvHeads,
        int headDimension,
        int vocabulary,
        TensorType type,
        int context) {
      this(
          architecture,
          layers,
          dimension,
          hidden,
          heads,
          kvHeads,
          headDimension,
          vocabulary,
          type,
          false,
          context);
    }

    public Spec {
      Objects.requireNonNull(architecture);
      within("layers", layers, 1, 1024);
      within("dimension", dimension, 32, 1 << 16);
      within("hidden", hidden, 32, 1 << 18);
      within("heads", heads, 1, 1024);
      within("kv-heads", kvHeads, 1, heads);
      within("head-dimension", headDimension, 2, 1024);
      within("vocabulary", vocabulary, SMALLEST_VOCABULARY, 1 << 20);
      within("context", context, 1, 1 << 24);
      if (!type.supported()) {
        throw new IllegalArgumentException(
            ("type is one of " + TensorType.supportedNames() + ", not " + type)
                .toLowerCase(Locale.ROOT));
      }
      if (mixed && type != TensorType.Q4_K) {
        throw new IllegalArgumentException("a mix is of q4_k, not " + type);
      }
      multiple("heads", heads, "kv-heads, ", kvHeads);
      multiple("head-dimension", headDimension, 2);
      multiple("dimension", dimension, type.blockElements());
      multiple("hidden", hidden, type.blockElements());
      multiple("heads * head-dimension", heads * headDimension, type.blockElements());
    }

    /**
     * Returns the type of a matrix.
     *
     * @param layer where it is; 0 outside of layers
     */
    TensorType typeOf(String name, int layer) {
      if (!mixed) {
        return type;
      }
      int eighth = layers / 8;
      boolean important = layer < eighth || layer >= layers - eighth || (layer - eighth) % 3 == 2;
      boolean sensitive = name.contains(".attn_v.") || name.contains(".ffn_down");
      if (name.equals("output.weight") || (sensitive && important)) {
        return TensorType.Q6_K;
      }
      return name.contains(".attn_qkv.") ? TensorType.Q5_K : type;
    }

    /** Returns the model that is served when none is given: 4 million parameters. */
    public static Spec small() {
      return new Spec(Architecture.QWEN3, 4, 256, 768, 4, 2, 64, 2048, TensorType.Q8_0, 32_768);
    }

    /**
     * Returns the shape of the smallest models that people use, 0.6 billion parameters as Qwen 3
     * counts them: for measurements.
     */
    public static Spec halfBillion() {
      return new Spec(
          Architecture.QWEN3, 28, 1024, 3072, 16, 8, 128, 151_936, TensorType.Q8_0, 32_768);
    }

    /** Returns the shape of Llama 3.2's 1.2 billion parameters: for measurements. */
    public static Spec oneBillion() {
      return new Spec(
          Architecture.LLAMA, 16, 2048, 8192, 32, 8, 64, 128_256, TensorType.Q8_0, 32_768);
    }

    private static void within(String what, int value, int min, int max) {
      if (value < min || value > max) {
        throw new IllegalArgumentException(
            what + " must be " + min + " to " + max + ", is " + value);
      }
    }

    private static void multiple(String what, int value, int of) {
      multiple(what, value, "", of);
    }

    private static void multiple(String what, int value, String ofWhat, int of) {
      if (value % of != 0) {
        throw new IllegalArgumentException(
            what + " must be a multiple of " + ofWhat + of + ", is " + value);
      }
    }
  }

  /**
   * Names the bytes that a spec and a seed give: raised whenever they change, so that a model kept
   * from an earlier version is told from one of this.
   */
  public static final int EDITION = 3;

  /** Bytes and special tokens. */
  public static final int SMALLEST_VOCABULARY = 256 + 3;

  /** Of a layer of a mixture. */
  static final int EXPERTS = 8;

  private static final int USED_EXPERTS = 2;

  /** Positions that five of six layers see, as in the models of 1 billion weights and less. */
  private static final int GEMMA_WINDOW = 512;

  private static final double FLATTENING = 0.7;
  private static final double TURN_END_SHARE = 1.0 / 100;
  private static final float NEVER = -30;

  private static final String END_OF_TEXT = "<|endoftext|>";
  private static final String TURN_START = "<|im_start|>";
  private static final String TURN_END = "<|im_end|>";
  private static final int NORMAL = 1; // token types of GGUF
  private static final int CONTROL = 3;
  private static final int UNUSED = 5;

  private SyntheticModel() {}

  /**
   * Writes a model.
   *
   * @throws ModelFileException.Unwritable if there is no room or no permission
   */
  public static void write(Path path, Spec spec, long seed, Progress progress) {
    writer(spec, seed).write(path, progress);
  }

  /** Returns how many bytes {@link #write} will write. */
  public static long bytes(Spec spec) {
    return writer(spec, 0).bytes();
  }

  private static GgufWriter writer(Spec spec, long seed) {
    BytePairTraining.Result trained =
        BytePairTraining.train(resource("synthetic-corpus.txt"), spec.vocabulary() - 3);
    GgufWriter writer = new GgufWriter();
    writeShape(writer, spec, seed);
    writeVocabulary(writer, spec, trained);
    new SyntheticWeights(spec, seed, logProbabilities(spec, trained)).addTo(writer);
    return writer;
  }

  private static void writeShape(GgufWriter writer, Spec spec, long seed) {
    String key = spec.architecture().key();
    writer
        .text("general.architecture", key)
        .text("general.name", "synthetic " + key + ", seed " + seed)
        .whole("general.alignment", GgufReader.DEFAULT_ALIGNMENT)
        .whole(key + ".context_length", spec.context())
        .whole(key + ".embedding_length", spec.dimension())
        .whole(key + ".block_count", spec.layers())
        .whole(key + ".feed_forward_length", spec.hidden())
        .whole(key + ".attention.head_count", spec.heads())
        .whole(key + ".attention.head_count_kv", spec.kvHeads())
        .whole(key + ".attention.key_length", spec.headDimension())
        .whole(key + ".attention.value_length", spec.headDimension())
        .real(key + ".attention.layer_norm_rms_epsilon", 1e-6f)
        .whole(key + ".rope.dimension_count", spec.headDimension())
        .real(key + ".rope.freq_base", 1e6f)
        .whole(key + ".vocab_size", spec.vocabulary());
    switch (spec.architecture()) {
      case QWEN3MOE ->
          writer
              .whole(key + ".expert_count", EXPERTS)
              .whole(key + ".expert_used_count", USED_EXPERTS)
              .whole(key + ".expert_feed_forward_length", spec.hidden());
      case GEMMA3 -> writer.whole(key + ".attention.sliding_window", GEMMA_WINDOW);
      default -> {}
    }
  }

  private static void writeVocabulary(
      GgufWriter writer, Spec spec, BytePairTraining.Result trained) {
    List<String> tokens = new ArrayList<>(trained.tokens());
    List<Integer> types = new ArrayList<>(Collections.nCopies(tokens.size(), NORMAL));
    for (String special : List.of(END_OF_TEXT, TURN_START, TURN_END)) {
      tokens.add(special);
      types.add(CONTROL);
    }
    while (tokens.size() < spec.vocabulary()) {
      tokens.add("[PAD" + tokens.size() + "]");
      types.add(UNUSED);
    }
    writer
        .text("tokenizer.ggml.model", "gpt2")
        .text("tokenizer.ggml.pre", spec.architecture().preTokenizer)
        .texts("tokenizer.ggml.tokens", tokens)
        .wholes("tokenizer.ggml.token_type", types.stream().mapToInt(type -> type).toArray())
        .texts("tokenizer.ggml.merges", trained.merges())
        .whole("tokenizer.ggml.bos_token_id", tokens.indexOf(END_OF_TEXT))
        .whole("tokenizer.ggml.eos_token_id", tokens.indexOf(TURN_END))
        .flag("tokenizer.ggml.add_bos_token", false)
        .text("tokenizer.chat_template", resource("synthetic-template.jinja"));
  }

  /**
   * Returns for each token the logarithm of how likely it should be, whatever stands before it: its
   * count in the text, flattened so that the commonest words do not crowd out all others. Bytes
   * that the text does not contain, which would spell broken characters, and tokens that stand for
   * nothing never come up; parts of words that the text does not need are rare.
   */
  private static float[] logProbabilities(Spec spec, BytePairTraining.Result trained) {
    double[] weights = new double[spec.vocabulary()];
    for (int id = 0; id < trained.counts().size(); id++) {
      double rare = id < 256 ? 0 : 0.1;
      weights[id] = StrictMath.pow(Math.max(trained.counts().get(id), rare), FLATTENING);
    }
    double all = Arrays.stream(weights).sum();
    weights[trained.tokens().size() + 2] = all * TURN_END_SHARE;
    float[] log = new float[weights.length];
    for (int id = 0; id < log.length; id++) {
      log[id] = weights[id] == 0 ? NEVER : (float) StrictMath.log(weights[id] / all);
    }
    return log;
  }

  private static String resource(String name) {
    try (InputStream in = SyntheticModel.class.getResourceAsStream(name)) {
      return new String(Objects.requireNonNull(in, name).readAllBytes(), UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read " + name + " in our own jar", e);
    }
  }
}
