package dev.sojourn.engine.weights;

import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The key-value part of a model file. Every question names the type and range it expects; another
 * answer in the file is a {@link ModelFileException} with the key, its place and what stands there.
 *
 * <p>Immutable and safe for use by any thread, also after the file is closed.
 */
public final class ModelMetadata {

  /**
   * A value and where its key begins.
   *
   * @param value a {@code String}, {@code Long} (or {@code BigInteger} beyond 2^63), {@code
   *     Double}, {@code Boolean}, {@code List<String>}, {@code long[]}, {@code double[]} or {@code
   *     boolean[]}
   * @param name the key as the file spells it
   * @param offset in bytes, if the file has any
   */
  record Entry(Object value, String name, OptionalLong offset) {}

  private final Path file;
  private final Map<String, Entry> entries;

  ModelMetadata(Path file, Map<String, Entry> entries) {
    this.file = file;
    this.entries = Collections.unmodifiableMap(new LinkedHashMap<>(entries));
  }

  /** Returns all keys in the order of the file. */
  public Set<String> keys() {
    return entries.keySet();
  }

  /** Returns whether the file has this key. */
  public boolean has(String key) {
    return entries.containsKey(key);
  }

  /** Returns these key-values, and others for keys that are missing. */
  ModelMetadata withDefaults(String prefix, Map<String, Object> defaults) {
    Map<String, Entry> all = new LinkedHashMap<>(entries);
    defaults.forEach((key, value) ->
        all.putIfAbsent(prefix + key, new Entry(value, prefix + key, OptionalLong.empty())));
    return new ModelMetadata(file, all);
  }

  /** Returns whether the value is a list of whole numbers. */
  boolean isIntegers(String key) {
    Entry entry = entries.get(key);
    return entry != null && entry.value() instanceof long[];
  }

  /** Returns a value in a few words, for listings and messages. */
  public String describe(String key) {
    Entry entry = entries.get(key);
    return entry == null ? "no such key" : describe(entry.value());
  }

  /** Returns a text that must be there. */
  public String string(String key) {
    return findString(key).orElseThrow(() -> missing(key, "text"));
  }

  /** Returns a text if the key is there. */
  public Optional<String> findString(String key) {
    return Optional.ofNullable(as(key, "text", String.class));
  }

  /** Returns a whole number that must be there, in {@code min} to {@code max}. */
  public int integer(String key, int min, int max) {
    OptionalInt found = findInteger(key, min, max);
    if (found.isEmpty()) {
      throw missing(key, range(min, max));
    }
    return found.getAsInt();
  }

  /** Returns a whole number in {@code min} to {@code max}, if the key is there. */
  public OptionalInt findInteger(String key, int min, int max) {
    Number number = as(key, range(min, max), Number.class);
    if (number == null) {
      return OptionalInt.empty();
    }
    if (!(number instanceof Long whole) || whole < min || whole > max) {
      throw wrong(key, range(min, max));
    }
    return OptionalInt.of(whole.intValue());
  }

  /** Returns a finite number that must be there, whole or not. */
  public float real(String key) {
    OptionalDouble found = findReal(key);
    if (found.isEmpty()) {
      throw missing(key, "a number");
    }
    return (float) found.getAsDouble();
  }

  /** Returns a finite number, whole or not, if the key is there. */
  public OptionalDouble findReal(String key) {
    Number number = as(key, "a number", Number.class);
    if (number == null) {
      return OptionalDouble.empty();
    }
    if (!Float.isFinite(number.floatValue())) {
      throw wrong(key, "a finite number");
    }
    return OptionalDouble.of(number.doubleValue());
  }

  /**
   * Checks that a number is absent, or what it is in all models that we know.
   *
   * @param usual not a number: it must be absent
   * @throws ModelFileException if it is another
   */
  public void usual(String key, double usual) {
    OptionalDouble value = findReal(key);
    if (value.isPresent() && value.getAsDouble() != usual) {
      throw unsupported(key, Double.isNaN(usual) ? "absent" : String.valueOf(usual));
    }
  }

  /** Returns a truth value if the key is there. */
  public Optional<Boolean> findFlag(String key) {
    return Optional.ofNullable(as(key, "true or false", Boolean.class));
  }

  /** Returns a list of texts, if the key is there. */
  @SuppressWarnings("unchecked") // the reader puts no other lists in
  public Optional<List<String>> findStrings(String key) {
    return Optional.ofNullable((List<String>) as(key, "an array of texts", List.class));
  }

  /** Returns a list of texts that must be there. */
  public List<String> strings(String key) {
    return findStrings(key).orElseThrow(() -> missing(key, "an array of texts"));
  }

  /** Returns whole numbers, if the key is there. */
  public Optional<long[]> findIntegers(String key) {
    return Optional.ofNullable(as(key, "an array of whole numbers", long[].class))
        .map(long[]::clone);
  }

  /** Returns numbers with fractions, if the key is there. */
  public Optional<double[]> findReals(String key) {
    return Optional.ofNullable(as(key, "an array of numbers", double[].class)).map(double[]::clone);
  }

  /** Returns what to throw where the value of a key is of the right type but makes no sense. */
  public ModelFileException wrong(String key, String expected) {
    return wrong(key, expected, describe(key));
  }

  /** Returns what to throw where something particular about a key's value makes no sense. */
  public ModelFileException wrong(String key, String expected, String found) {
    Entry entry = entries.get(key);
    if (entry == null) {
      return missing(key, expected);
    }
    return new ModelFileException.Malformed(
        file, entry.offset(), quoted(entry.name()) + " to be " + expected, found);
  }

  /** Returns what to throw where the value of a key is sound but not supported yet. */
  public ModelFileException unsupported(String key, String supported) {
    Entry entry = entries.get(key);
    if (entry == null) {
      return missing(key, supported);
    }
    return new ModelFileException.Unsupported(
        file, entry.offset(), quoted(entry.name()) + " to be " + supported, describe(key));
  }

  private <T> @Nullable T as(String key, String expected, Class<T> type) {
    Entry entry = entries.get(key);
    if (entry == null) {
      return null;
    }
    if (!type.isInstance(entry.value())) {
      throw wrong(key, expected);
    }
    return type.cast(entry.value());
  }

  /** Returns a value under another key, with its name and place in the file as they are. */
  @Nullable Entry entry(String key) {
    return entries.get(key);
  }

  /** Returns what to throw where a key is missing. */
  ModelFileException missing(String key, String expected) {
    return new ModelFileException.Malformed(
        file, quoted(key) + " in the metadata (" + expected + ")", "no such key");
  }

  private static String range(int min, int max) {
    return "a whole number from " + min + " to " + max;
  }

  private static String quoted(String key) {
    return '"' + key + '"';
  }

  private static String describe(Object value) {
    return switch (value) {
      case String text when text.length() > 80 -> "text of " + text.length() + " characters";
      case String text -> '"' + text + '"';
      case List<?> list -> "array of " + list.size() + " texts";
      case long[] numbers -> "array of " + numbers.length + " whole numbers";
      case double[] numbers -> "array of " + numbers.length + " numbers";
      case boolean[] flags -> "array of " + flags.length + " truth values";
      default -> value.toString();
    };
  }
}
