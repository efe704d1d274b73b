package dev.sojourn.server.openai;

import dev.sojourn.core.Fault;
import dev.sojourn.core.FaultException;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.TokenStreamLocation;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.json.JsonMapper;

/**
 * A JSON object of a request, read field by field. Whatever is not as it should be becomes a 400
 * that names the field by its path. A field that is {@code null} counts as absent.
 */
final class Fields {

  private static final JsonMapper JSON =
      JsonMapper.builder(
              JsonFactory.builder()
                  .streamReadConstraints(
                      StreamReadConstraints.builder()
                          .maxNestingDepth(64)
                          .maxStringLength(32 << 20)
                          .maxNumberLength(100)
                          .build())
                  .build())
          .build();

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
      throw Fault.invalid("the body is not valid JSON" + where + ": " + e.getOriginalMessage())
          .asException();
    }
    if (tree instanceof Map<?, ?> object) {
      return new Fields("", object);
    }
    throw Fault.invalid("the body has to be a JSON object").asException();
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
      case Object other -> throw wrong(name, "is a string, not " + kind(other));
    };
  }

  String requiredText(String name) {
    return text(name).filter(text -> !text.isBlank()).orElseThrow(() -> wrong(name, "is required"));
  }

  boolean flag(String name) {
    return switch (raw(name)) {
      case null -> false;
      case Boolean flag -> flag;
      case Object other -> throw wrong(name, "is true or false, not " + kind(other));
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
      case BigInteger _ -> throw wrong(name, "is " + least + " to " + most);
      case Double d when d == Math.rint(d) && Math.abs(d) < 1e15 -> value = d.longValue();
      case Object other -> throw wrong(name, "is a whole number, not " + kind(other));
    }
    if (value < least || value > most) {
      throw wrong(name, "is " + least + " to " + most + ", not " + value);
    }
    return OptionalLong.of(value);
  }

  /** Returns a number within bounds, both included. */
  Optional<Double> number(String name, double least, double most) {
    return switch (raw(name)) {
      case null -> Optional.empty();
      case Number number -> {
        double value = number.doubleValue();
        if (!(value >= least && value <= most)) {
          throw wrong(name, "is " + least + " to " + most + ", not " + number);
        }
        yield Optional.of(value);
      }
      case Object other -> throw wrong(name, "is a number, not " + kind(other));
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
    throw wrong(name, "is one of " + String.join(", ", known) + ", not " + shown(text.get()));
  }

  /** Returns an object's fields. */
  Optional<Fields> object(String name) {
    return switch (raw(name)) {
      case null -> Optional.empty();
      case Map<?, ?> object -> Optional.of(new Fields(at(name) + ".", object));
      case Object other -> throw wrong(name, "is an object, not " + kind(other));
    };
  }

  /** Returns a list's elements; none where it is absent. */
  List<?> list(String name) {
    return switch (raw(name)) {
      case null -> List.of();
      case List<?> list -> list;
      case Object other -> throw wrong(name, "is a list, not " + kind(other));
    };
  }

  /** Returns a list's elements as objects. */
  List<Fields> objects(String name) {
    List<Fields> objects = new ArrayList<>();
    List<?> list = list(name);
    for (int i = 0; i < list.size(); i++) {
      String element = name + "[" + i + "]";
      if (!(list.get(i) instanceof Map<?, ?> object)) {
        throw wrong(element, "is an object, not " + kind(list.get(i)));
      }
      objects.add(new Fields(at(element) + ".", object));
    }
    return objects;
  }

  /** Returns a list's elements as strings. */
  List<String> texts(String name) {
    List<String> texts = new ArrayList<>();
    List<?> list = list(name);
    for (int i = 0; i < list.size(); i++) {
      if (!(list.get(i) instanceof String text)) {
        throw wrong(name + "[" + i + "]", "is a string, not " + kind(list.get(i)));
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
