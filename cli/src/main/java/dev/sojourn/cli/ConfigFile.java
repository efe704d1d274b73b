package dev.sojourn.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.TokenStreamLocation;
import tools.jackson.dataformat.yaml.YAMLFactory;

/**
 * A configuration file: a flat YAML mapping whose keys are the long names of options without their
 * dashes.
 *
 * <pre>
 * model: models/qwen3.gguf
 * kv-tokens: 262144
 * implicit-sessions: false
 * </pre>
 *
 * <p>Each value remembers where it stands, so that whoever finds it wrong can say so.
 *
 * @param entries what is set, by key
 */
record ConfigFile(Map<String, Entry> entries) {

  /** A file longer than this is not one of ours. */
  private static final long MAX_BYTES = 1 << 20;

  /**
   * One value.
   *
   * @param value the scalar as it is written
   * @param where file, line and column of its key
   */
  record Entry(String value, String where) {}

  /** No file. */
  static final ConfigFile NONE = new ConfigFile(Map.of());

  /**
   * Reads a file.
   *
   * @throws UserError if it cannot be read, or is not a flat mapping of scalars
   */
  static ConfigFile read(Path file) {
    try {
      long size = Files.size(file);
      if (size > MAX_BYTES) {
        throw UserError.usage(
            file + " has " + size + " bytes; a configuration file has at most " + MAX_BYTES);
      }
      return parse(file.toString(), Files.readString(file));
    } catch (NoSuchFileException e) {
      throw UserError.usage("there is no configuration file " + file);
    } catch (IOException e) {
      throw UserError.usage(
          "the configuration file " + file + " cannot be read: " + UserError.reason(e));
    }
  }

  /** Reads YAML text; {@code name} is what errors call the file. */
  static ConfigFile parse(String name, String yaml) {
    Map<String, Entry> entries = new LinkedHashMap<>();
    try (JsonParser parser = new YAMLFactory().createParser(ObjectReadContext.empty(), yaml)) {
      JsonToken first = parser.nextToken();
      if (first == null) {
        return NONE;
      }
      if (first != JsonToken.START_OBJECT) {
        throw UserError.usage(
            where(name, parser.currentTokenLocation()) + ": expected lines of the form key: value");
      }
      while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
        String key = parser.currentName();
        String where = where(name, parser.currentTokenLocation());
        JsonToken value = parser.nextToken();
        if (!value.isScalarValue() || value == JsonToken.VALUE_NULL) {
          throw UserError.usage(
              where + ": '" + key + "' takes one value; leave the key out to use its default");
        }
        if (entries.put(key, new Entry(parser.getString(), where)) != null) {
          throw UserError.usage(where + ": '" + key + "' is set twice");
        }
      }
      if (parser.nextToken() != null) {
        throw UserError.usage(
            where(name, parser.currentTokenLocation()) + ": only one YAML document is read");
      }
      return new ConfigFile(Map.copyOf(entries));
    } catch (JacksonException e) {
      throw UserError.usage(where(name, e.getLocation()) + ": " + firstLine(e));
    }
  }

  private static String where(String name, TokenStreamLocation at) {
    return name + ":" + at.getLineNr() + ":" + at.getColumnNr();
  }

  private static String firstLine(JacksonException e) {
    return e.getOriginalMessage().lines().findFirst().orElse("not YAML");
  }
}
