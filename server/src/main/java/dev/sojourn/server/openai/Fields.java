package dev.sojourn.server.openai;

import static java.nio.charset.StandardCharsets.UTF_16BE;
import static java.util.Objects.requireNonNull;

import dev.sojourn.core.Fault;
import dev.sojourn.core.FaultException;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.TokenStreamLocation;
import tools.jackson.core.exc.StreamConstraintsException;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.json.JsonMapper;

/**
 * A JSON object of a request, read field by field. Whatever is not as it should be becomes a 400
 * that names the field by its path. A field that is {@code null} counts as absent.
 */
final class Fields {

  private static final int MAX_DEPTH = 64;

  private static final JsonMapper JSON =
      JsonMapper.builder(
              JsonFactory.builder()
                  .streamReadConstraints(
                      StreamReadConstraints.builder()
                          .maxNestingDepth(MAX_DEPTH)
                          .maxStringLength(32 << 20)
                          .maxNumberLength(100)
                          .build())
                  .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                  .build())
          .build();

  /** Where a message of the parser begins to speak of its own classes and settings. */
  private static final Pattern ASIDE =
      Pattern.compile(
          "\\s*[:(,]?[^:(,]*(`|\\[Source|Feature\\b|tools\\.jackson).*", Pattern.DOTALL);

  private final String path; // with a dot at its end, or empty
  private final Map<?, ?> values;

  private Fields(String path, Map<?, ?> values) {
    this.path = path;
    this.values = values;
  }

  /** Parses a request's body, which has to be one JSON object. */
  static Fields parse(byte[] body) {
    if (body.length == 0) {
      throw Fault.invalid("the body is empty; it has to be a JSON object").asException();
    }
    Object tree;
    try {
      tree = JSON.readValue(body, Object.class);
    } catch (JacksonException e) {
      TokenStreamLocation at = e.getLocation();
      String where =
          at == null ? "" : " at line " + at.getLineNr() + ", column " + at.getColumnNr();
      throw Fault.invalid("the body is not valid JSON" + where + problem(e)).asException();
    }
    if (tree instanceof Map<?, ?> object) {
      return new Fields("", (Map<?, ?>) requireNonNull(wellFormed(object)));
    }
    throw Fault.invalid("the body must be a JSON object, but is " + kind(tree)).asException();
  }

  /** Says what was wrong, in words for somebody who does not know the parser. */
  private static String problem(JacksonException e) {
    if (e instanceof StreamConstraintsException) {
      return ": it may be at most " + MAX_DEPTH + " levels deep, with numbers of up to 100 digits";
    }
    String message = ASIDE.matcher(String.valueOf(e.getOriginalMessage())).replaceFirst("");
    return message.isBlank() ? "" : ": " + message;
  }

  /**
   * Returns a tree in whose strings U+FFFD stands for each half of a surrogate pair. Agents that
   * cut text at a number of UTF-16 units send such halves; they are no characters, and have no
   * UTF-8.
   */
  private static @Nullable Object wellFormed(@Nullable Object tree) {
    return switch (tree) {
      case String text -> wellFormed(text);
      case List<?> list -> {
        List<@Nullable Object> copy = new ArrayList<>(list.size());
        list.forEach(element -> copy.add(wellFormed(element)));
        yield copy;
      }
      case Map<?, ?> map -> {
        Map<Object, @Nullable Object> copy = new LinkedHashMap<>();
        map.forEach((key, value) -> copy.put(wellFormed(String.valueOf(key)), wellFormed(value)));
        yield copy;
      }
      case null, default -> tree;
    };
  }

  private static String wellFormed(String text) {
    return text.chars().noneMatch(c -> Character.isSurrogate((char) c))
        ? text
        : new String(text.getBytes(UTF_16BE), UTF_16BE); // its encoder replaces halves by U+FFFD
  }

  /** Returns a field's path, to name it in a message. */
  String at(String name) {
    return path + name;
  }

  /** Returns a fault that names a field. */
  FaultException wrong(String name, String message) {
    return Fault.invalid(at(name), at(name) + " " + message).asException();
  }

  @Nullable Object raw(String name) {
    return values.get(name);
  }

  boolean has(String name) {
    return raw(name) != null;
  }

  Optional<String> text(String name) {
    return switch (raw(name)) {
      case null -> Optional.empty();
      case String text -> Optional.of(text);
      case Object other -> throw wrong(name, "must be a string, but is " + kind(other));
    };
  }

  String requiredText(String name) {
    return text(name).filter(text -> !text.isBlank()).orElseThrow(() -> wrong(name, "is required"));
  }

  boolean flag(String name) {
    return switch (raw(name)) {
      case null -> false;
      case Boolean flag -> flag;
      case Object other -> throw wrong(name, "must be true or false, but is " + kind(other));
    };
  }

  OptionalInt integer(String name, int least, int most) {
    OptionalLong value = whole(name, least, most);
    return value.isEmpty() ? OptionalInt.empty() : OptionalInt.of((int) value.getAsLong());
  }

  OptionalLong whole(String name, long least, long most) {
    long value;
    switch (raw(name)) {
      case null -> {
        return OptionalLong.empty();
      }
      case Integer i -> value = i;
      case Long l -> value = l;
      case BigInteger big ->
          throw wrong(name, "must be " + least + " to " + most + ", but is " + big);
      case Double d when d == Math.rint(d) && Math.abs(d) < 1e15 -> value = d.longValue();
      case Number number -> throw wrong(name, "must be a whole number, but is " + number);
      case Object other -> throw wrong(name, "must be a whole number, but is " + kind(other));
    }
    if (value < least || value > most) {
      throw wrong(name, "must be " + least + " to " + most + ", but is " + value);
    }
    return OptionalLong.of(value);
  }

  /**
   * Returns a number within bounds, both included.
   *
   * @param bounds the bounds as a client should read them
   */
  Optional<Double> number(String name, double least, double most, String bounds) {
    return switch (raw(name)) {
      case null -> Optional.empty();
      case Number number -> {
        double value = number.doubleValue();
        if (!(value >= least && value <= most)) {
          throw wrong(name, "must be " + bounds + ", but is " + number);
        }
        yield Optional.of(value);
      }
      case Object other -> throw wrong(name, "must be a number, but is " + kind(other));
    };
  }

  /** Returns one of a type's values, spelled in lower case. */
  <E extends Enum<E>> Optional<E> choice(String name, Class<E> type, Set<E> allowed) {
    Optional<String> text = text(name);
    if (text.isEmpty()) {
      return Optional.empty();
    }
    List<String> known = new ArrayList<>();
    for (E value : Arrays.asList(type.getEnumConstants())) {
      if (allowed.contains(value)) {
        String spelled = value.name().toLowerCase(Locale.ROOT);
        if (spelled.equals(text.get())) {
          return Optional.of(value);
        }
        known.add(spelled);
      }
    }
    throw wrong(
        name, "must be one of " + String.join(", ", known) + ", but is " + shown(text.get()));
  }

  /** Returns an object's fields. */
  Optional<Fields> object(String name) {
    return switch (raw(name)) {
      case null -> Optional.empty();
      case Map<?, ?> object -> Optional.of(new Fields(at(name) + ".", object));
      case Object other -> throw wrong(name, "must be an object, but is " + kind(other));
    };
  }

  /** Returns a list's elements; none where it is absent. */
  List<?> list(String name) {
    return switch (raw(name)) {
      case null -> List.of();
      case List<?> list -> list;
      case Object other -> throw wrong(name, "must be a list, but is " + kind(other));
    };
  }

  /** Returns a list's elements as objects. */
  List<Fields> objects(String name) {
    List<Fields> objects = new ArrayList<>();
    List<?> list = list(name);
    for (int i = 0; i < list.size(); i++) {
      String element = name + "[" + i + "]";
      if (!(list.get(i) instanceof Map<?, ?> object)) {
        throw wrong(element, "must be an object, but is " + kind(list.get(i)));
      }
      objects.add(new Fields(at(element) + ".", object));
    }
    return objects;
  }

  /**
   * Refuses a value that is there and neither of two types.
   *
   * @param expected what it must be, for the message
   */
  void either(String name, Class<?> one, Class<?> other, String expected) {
    Object value = raw(name);
    if (value != null && !one.isInstance(value) && !other.isInstance(value)) {
      throw wrong(name, "must be " + expected + ", but is " + kind(value));
    }
  }

  /** Returns a list's elements as strings. */
  List<String> texts(String name) {
    List<String> texts = new ArrayList<>();
    List<?> list = list(name);
    for (int i = 0; i < list.size(); i++) {
      if (!(list.get(i) instanceof String text)) {
        throw wrong(name + "[" + i + "]", "must be a string, but is " + kind(list.get(i)));
      }
      texts.add(text);
    }
    return texts;
  }

  /** Returns the object's values. */
  Map<?, ?> values() {
    return values;
  }

  /** Says what a value is, for a message. */
  static String kind(@Nullable Object value) {
    return switch (value) {
      case null -> "null";
      case String _ -> "a string";
      case Boolean _ -> "a boolean";
      case Integer _, Long _, BigInteger _ -> "a whole number";
      case Number _ -> "a number";
      case List<?> _ -> "a list";
      case Map<?, ?> _ -> "an object";
      default -> value.getClass().getSimpleName();
    };
  }

  /** Shows what a client sent, cut to what fits in a message. */
  static String shown(String text) {
    return "\"" + (text.length() <= 60 ? text : text.substring(0, 60) + "…") + "\"";
  }
}
