package dev.sojourn.text;

import dev.sojourn.text.Vocabulary.TokenType;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * Writes a vocabulary as the {@code tokenizer.json} of Hugging Face's tokenizers. Special tokens
 * and the space before a text are left out: {@link Tokenizer} sees to both before this machine gets
 * a text.
 */
final class TokenizerJson {

  private static final JsonNodeFactory JSON = JsonNodeFactory.instance;

  private final Vocabulary vocabulary;

  private TokenizerJson(Vocabulary vocabulary) {
    this.vocabulary = vocabulary;
  }

  static String write(Vocabulary vocabulary) {
    TokenizerJson writer = new TokenizerJson(vocabulary);
    ObjectNode root =
        switch (vocabulary.kind()) {
          case BYTE_LEVEL_BPE -> writer.byteLevel();
          case SENTENCE_PIECE -> writer.sentencePiece();
        };
    return JsonMapper.shared().writeValueAsString(root.put("version", "1.0"));
  }

  private ObjectNode byteLevel() {
    PreTokenizer rules = PreTokenizer.named(vocabulary.preTokenizer());
    ArrayNode steps = JSON.arrayNode();
    for (String pattern : rules.patterns()) {
      steps.add(
          typed("Split")
              .put("behavior", "Isolated")
              .put("invert", false)
              .set("pattern", JSON.objectNode().put("Regex", pattern)));
    }
    steps.add(byteLevelStep());
    ArrayNode merges = JSON.arrayNode();
    vocabulary.merges().forEach(merges::add);
    ObjectNode root = JSON.objectNode();
    if (rules.composed()) {
      root.set("normalizer", typed("NFC"));
    }
    root.set("pre_tokenizer", typed("Sequence").set("pretokenizers", steps));
    root.set("decoder", byteLevelStep());
    root.set("model", model(merges).put("ignore_merges", rules.ignoreMerges()));
    return root;
  }

  private ObjectNode sentencePiece() {
    ArrayNode decoders = JSON.arrayNode();
    decoders.add(replace("\u2581", " "));
    decoders.add(typed("ByteFallback"));
    decoders.add(typed("Fuse"));
    ObjectNode model = model(mergesOfScores()).put("byte_fallback", true).put("fuse_unk", true);
    vocabulary.unknown().ifPresent(id -> model.put("unk_token", vocabulary.tokens().get(id)));
    ObjectNode root = JSON.objectNode();
    root.set("normalizer", replace(" ", "\u2581"));
    root.set("decoder", typed("Sequence").set("decoders", decoders));
    root.set("model", model);
    return root;
  }

  private ObjectNode model(ArrayNode merges) {
    ObjectNode ids = JSON.objectNode();
    for (int id = 0; id < vocabulary.tokens().size(); id++) {
      boolean unknown = vocabulary.types().get(id) == TokenType.UNKNOWN;
      if (unknown || !vocabulary.control(id)) {
        ids.put(vocabulary.tokens().get(id), id);
      }
    }
    ObjectNode model = typed("BPE");
    model.set("vocab", ids);
    model.set("merges", merges);
    return model;
  }

  /**
   * The merges that scores stand for: of two neighbours, those are joined first whose union scores
   * best. A piece that can be split in several ways gets one merge for each.
   */
  private ArrayNode mergesOfScores() {
    record Merge(String left, String right, int leftId, int rightId, float score) {}

    Map<String, Integer> ids = new HashMap<>();
    for (int id = 0; id < vocabulary.tokens().size(); id++) {
      if (vocabulary.types().get(id) == TokenType.NORMAL) {
        ids.put(vocabulary.tokens().get(id), id);
      }
    }
    List<Merge> merges = new ArrayList<>();
    ids.forEach((piece, id) -> {
      for (int cut = 1; cut < piece.length(); cut++) {
        Integer left = ids.get(piece.substring(0, cut));
        Integer right = ids.get(piece.substring(cut));
        if (left != null && right != null) {
          merges.add(
              new Merge(
                  piece.substring(0, cut),
                  piece.substring(cut),
                  left,
                  right,
                  vocabulary.scores().get(id)));
        }
      }
    });
    merges.sort(
        Comparator.comparingDouble((Merge merge) -> -merge.score())
            .thenComparingInt(Merge::leftId)
            .thenComparingInt(Merge::rightId));
    ArrayNode pairs = JSON.arrayNode();
    merges.forEach(merge -> pairs.add(JSON.arrayNode().add(merge.left()).add(merge.right())));
    return pairs;
  }

  private static ObjectNode replace(String what, String with) {
    return typed("Replace")
        .put("content", with)
        .set("pattern", JSON.objectNode().put("String", what));
  }

  private static ObjectNode byteLevelStep() {
    return typed("ByteLevel")
        .put("add_prefix_space", false)
        .put("trim_offsets", false)
        .put("use_regex", false);
  }

  private static ObjectNode typed(String type) {
    return JSON.objectNode().put("type", type);
  }
}
