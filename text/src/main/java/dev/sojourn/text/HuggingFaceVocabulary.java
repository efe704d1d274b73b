package dev.sojourn.text;

import dev.sojourn.text.Vocabulary.Kind;
import dev.sojourn.text.Vocabulary.TokenType;
import dev.sojourn.text.Vocabulary.TokenizerFile;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * Reads the {@code tokenizer.json} of Hugging Face's tokenizers: byte-pair encoding over bytes as
 * letters (Llama 3, Qwen, Phi 4) or over characters with single bytes where no piece fits (Gemma,
 * Llama 2, Phi 3).
 *
 * <p>The file's rules stay as they are, for the library that they were written for. Taken out are
 * the parts that {@link Tokenizer} sees to before the library gets a text: tokens recognised by
 * their spelling, what goes around every context, and the space before a text.
 */
public final class HuggingFaceVocabulary {

  private static final String UNKNOWN = "unk_token";

  private final ObjectNode root;
  private final ObjectNode model;
  private final String[] tokens;
  private final TokenType[] types;
  private final Set<Integer> takesBefore = new HashSet<>();
  private final Set<Integer> takesBehind = new HashSet<>();

  private HuggingFaceVocabulary(String json, int size) {
    try {
      root = object(JsonMapper.shared().readTree(json), "the file");
    } catch (JacksonException e) {
      throw new VocabularyException("not JSON: " + e.getOriginalMessage(), e);
    }
    model = object(root.path("model"), "\"model\"");
    tokens = new String[size];
    types = new TokenType[size];
  }

  /**
   * Reads a vocabulary.
   *
   * @param json the text of the file
   * @param size how many tokens the model has embeddings for; ids that the file leaves out are
   *     unused ones
   * @param bos spells the token that begins a context, if another file says so
   * @param eos spells the token that ends a text, if another file says so
   * @param ends ids that end a turn, known from other files
   * @throws VocabularyException if it is of another kind, or contradicts itself or {@code size}
   */
  public static Vocabulary read(
      String json, int size, Optional<String> bos, Optional<String> eos, Collection<Integer> ends) {
    return new HuggingFaceVocabulary(json, size).vocabulary(bos, eos, ends);
  }

  private Vocabulary vocabulary(
      Optional<String> bos, Optional<String> eos, Collection<Integer> ends) {
    Kind kind = kind();
    readTokens(kind);
    readAddedTokens();
    OptionalInt unknown = idOf(Optional.ofNullable(text(model, UNKNOWN)), UNKNOWN);
    unknown.ifPresent(id -> types[id] = TokenType.UNKNOWN);
    Optional<String> first = firstOfEveryContext();
    OptionalInt eosId = idOf(eos, "eos_token");
    List<Integer> named = new ArrayList<>(ends);
    eosId.ifPresent(named::add);
    for (int end : named) {
      if (end < 0 || end >= tokens.length) {
        throw new VocabularyException(
            "token " + end + " ends a turn, of a model with " + tokens.length + " embeddings");
      }
    }
    boolean spaceFirst = takeSpacePrefix(root.path("normalizer"), "normalizers");
    spaceFirst |= takeSpacePrefix(root.path("pre_tokenizer"), "pretokenizers");
    List<String> spelled = List.of(tokens);
    List<TokenType> typed = List.of(types);
    return new Vocabulary(
        kind,
        "tokenizer.json",
        spelled,
        typed,
        List.of(),
        List.of(),
        idOf(first.or(() -> bos), "bos_token"),
        eosId,
        Vocabulary.endsOfTurn(named, spelled, typed),
        unknown,
        first.isPresent(),
        spaceFirst,
        Optional.of(new TokenizerFile(rules(), takesBefore, takesBehind)));
  }

  private Kind kind() {
    String type = model.path("type").asString("BPE"); // old files do not say
    if (!type.equals("BPE") || !model.path("merges").isArray()) {
      throw new VocabularyException(
          "the tokenizer is of type " + type + "; byte-pair encoding (BPE) is supported");
    }
    if (mentions(root.path("pre_tokenizer"), "ByteLevel")) {
      return Kind.BYTE_LEVEL_BPE;
    }
    if (model.path("byte_fallback").asBoolean(false)) {
      return Kind.SENTENCE_PIECE;
    }
    throw new VocabularyException(
        "the tokenizer spells no bytes: neither \"ByteLevel\" nor \"byte_fallback\" is there");
  }

  private static boolean mentions(JsonNode node, String type) {
    return node.path("type").asString("").equals(type)
        || node.path("pretokenizers").valueStream().anyMatch(step -> mentions(step, type));
  }

  private void readTokens(Kind kind) {
    object(model.path("vocab"), "\"model.vocab\"")
        .forEachEntry((token, value) -> {
          int id = value.isInt() ? value.intValue() : -1;
          if (id < 0 || id >= tokens.length) {
            throw new VocabularyException(
                "token \"%s\" is %s, of a model with %d embeddings"
                    .formatted(token, value, tokens.length));
          }
          boolean named = kind == Kind.SENTENCE_PIECE && token.matches("<0x[0-9A-Fa-f]{2}>");
          put(id, token, named ? TokenType.BYTE : TokenType.NORMAL);
        });
  }

  /** Those beyond the model's embeddings are left out: multimodal models have some. */
  private void readAddedTokens() {
    for (JsonNode added : root.path("added_tokens")) {
      String token = text(added, "content");
      int id = added.path("id").asInt(-1);
      if (token == null || id < 0) {
        throw new VocabularyException("an added token has no id or no content: " + added);
      }
      if (id < tokens.length) {
        boolean special = added.path("special").asBoolean(false);
        put(id, token, special ? TokenType.CONTROL : TokenType.USER_DEFINED);
        if (added.path("lstrip").asBoolean(false)) {
          takesBefore.add(id);
        }
        if (added.path("rstrip").asBoolean(false)) {
          takesBehind.add(id);
        }
      }
    }
    for (int id = 0; id < tokens.length; id++) {
      if (tokens[id] == null) {
        put(id, "[PAD" + id + "]", TokenType.UNUSED);
      }
    }
  }

  private void put(int id, String token, TokenType type) {
    if (tokens[id] != null && !tokens[id].equals(token)) {
      throw new VocabularyException(
          "token %d is both \"%s\" and \"%s\"".formatted(id, tokens[id], token));
    }
    tokens[id] = token;
    types[id] = type;
  }

  private OptionalInt idOf(Optional<String> spelling, String role) {
    if (spelling.isEmpty()) {
      return OptionalInt.empty();
    }
    int id = Arrays.asList(tokens).indexOf(spelling.get());
    if (id < 0) {
      throw new VocabularyException(
          role + " is \"" + spelling.get() + "\", which is no token of the vocabulary");
    }
    return OptionalInt.of(id);
  }

  /** Returns the token that the file's post-processor puts before a single text, if it does. */
  private Optional<String> firstOfEveryContext() {
    JsonNode last = root.path("post_processor");
    List<JsonNode> steps = new ArrayList<>(List.of(last));
    last.path("processors").forEach(steps::add);
    for (JsonNode step : steps) {
      String id = text(step.path("single").path(0).path("SpecialToken"), "id");
      if (id != null) {
        return Optional.of(id);
      }
    }
    return Optional.empty();
  }

  /** Takes out the step that puts a space before a text, alone or in a sequence. */
  private static boolean takeSpacePrefix(JsonNode step, String sequence) {
    boolean found = false;
    if (step.path("type").asString("").equals("Prepend")) {
      ((ObjectNode) step).put("prepend", "");
      found = true;
    }
    if (step.path("type").asString("").equals("Metaspace")) {
      // "first" puts a space before a text, not behind a special token: contexts begin with one.
      boolean older = step.path("add_prefix_space").asBoolean(true);
      found = step.path("prepend_scheme").asString(older ? "always" : "never").equals("always");
      ((ObjectNode) step).put("prepend_scheme", "never").put("add_prefix_space", false);
    }
    for (JsonNode inner : step.path(sequence)) {
      found |= takeSpacePrefix(inner, sequence);
    }
    return found;
  }

  /** Returns the rules without control tokens, which no plain text may come to spell. */
  private String rules() {
    ObjectNode vocabulary = (ObjectNode) model.path("vocab");
    for (int id = 0; id < tokens.length; id++) {
      if (types[id] == TokenType.CONTROL) {
        vocabulary.remove(tokens[id]);
      }
    }
    root.set("added_tokens", root.arrayNode());
    for (String part : List.of("post_processor", "truncation", "padding")) {
      root.putNull(part);
    }
    return JsonMapper.shared().writeValueAsString(root);
  }

  private static ObjectNode object(JsonNode node, String what) {
    if (!(node instanceof ObjectNode object)) {
      throw new VocabularyException(
          what
              + " should be a JSON object, is "
              + node.getNodeType().name().toLowerCase(Locale.ROOT));
    }
    return object;
  }

  private static @Nullable String text(JsonNode node, String key) {
    JsonNode value = node.path(key);
    return value.isString() ? value.stringValue() : null;
  }
}
