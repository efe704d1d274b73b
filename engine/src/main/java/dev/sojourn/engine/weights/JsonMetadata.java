package dev.sojourn.engine.weights;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalLong;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Reads the JSON files of a checkpoint as key-values: an inner object's keys follow its own and a
 * dot ({@code rope_scaling.factor}), the parts of a mixed array a number and a dot; {@code null} is
 * no value.
 */
final class JsonMetadata {

  private static final long MAX_BYTES = 16 << 20;

  /** Of all keys together: long keys of inner objects repeat in each. */
  private static final long MAX_KEY_CHARACTERS = 64 << 20;

  private final Path file;
  private final Map<String, ModelMetadata.Entry> entries = new LinkedHashMap<>();
  private long keyCharacters;

  private JsonMetadata(Path file) {
    this.file = file;
  }

  /**
   * Reads a file.
   *
   * @throws ModelFileException if it cannot be read, or is not a JSON object of sensible size
   */
  static ModelMetadata read(Path file) {
    JsonNode root;
    try {
      root = JsonMapper.shared().readTree(bytes(file, MAX_BYTES));
    } catch (JacksonException e) {
      throw new ModelFileException.Malformed(file, "JSON", e.getOriginalMessage());
    }
    if (!root.isObject()) {
      throw new ModelFileException.Malformed(file, "a JSON object", "something else");
    }
    JsonMetadata reader = new JsonMetadata(file);
    reader.add("", root);
    return new ModelMetadata(file, reader.entries);
  }

  /** Reads a file; no key-values if there is none. */
  static ModelMetadata readIfThere(Path file) {
    return Files.exists(file) ? read(file) : new ModelMetadata(file, Map.of());
  }

  /** Returns a whole file. */
  static byte[] bytes(Path file, long most) {
    try {
      long size = Files.size(file);
      if (size > most) {
        throw new ModelFileException.Malformed(file, "at most " + most + " bytes", "" + size);
      }
      return Files.readAllBytes(file);
    } catch (NoSuchFileException e) {
      throw new ModelFileException.Unreadable(file, "no such file");
    } catch (IOException e) {
      throw new ModelFileException.Unreadable(file, String.valueOf(e.getMessage()));
    }
  }

  private void add(String key, JsonNode node) {
    Object value = value(node);
    if (value != null) {
      entries.put(key, new ModelMetadata.Entry(value, key, OptionalLong.empty()));
      return;
    }
    String prefix = key.isEmpty() ? "" : key + ".";
    if (node.isObject()) {
      node.forEachEntry((name, inner) -> add(key(prefix, name), inner));
    } else {
      int index = 0;
      for (JsonNode inner : node) {
        add(key(prefix, String.valueOf(index++)), inner);
      }
    }
  }

  /** Makes a member's key, counted also where its value is none: it takes as long to make. */
  private String key(String prefix, String name) {
    keyCharacters += prefix.length() + name.length();
    if (keyCharacters > MAX_KEY_CHARACTERS) {
      throw new ModelFileException.Malformed(
          file, "keys of at most " + MAX_KEY_CHARACTERS + " characters together", "more");
    }
    return prefix + name;
  }

  /** Returns what stands for itself: not an object, nor an array of such or of mixed values. */
  private static @Nullable Object value(JsonNode node) {
    return switch (node.getNodeType()) {
      case STRING -> node.stringValue();
      case BOOLEAN -> node.booleanValue();
      case NUMBER -> number(node);
      case ARRAY -> array(node);
      default -> null;
    };
  }

  private static Object number(JsonNode node) {
    if (!node.isIntegralNumber()) {
      return node.doubleValue();
    }
    BigInteger whole = node.bigIntegerValue();
    return whole.bitLength() < Long.SIZE ? (Object) whole.longValue() : whole;
  }

  private static @Nullable Object array(JsonNode array) {
    if (all(array, JsonNode::isString)) {
      return array.valueStream().map(JsonNode::stringValue).toList();
    }
    if (all(array, node -> node.isIntegralNumber() && node.canConvertToLong())) {
      return array.valueStream().mapToLong(JsonNode::longValue).toArray();
    }
    if (all(array, JsonNode::isNumber)) {
      return array.valueStream().mapToDouble(JsonNode::doubleValue).toArray();
    }
    return null;
  }

  private static boolean all(JsonNode array, Predicate<JsonNode> kind) {
    return !array.isEmpty() && array.valueStream().allMatch(kind);
  }
}
