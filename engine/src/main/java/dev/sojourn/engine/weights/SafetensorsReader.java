package dev.sojourn.engine.weights;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.databind.json.JsonMapper;

/**
 * Reads the header of a safetensors file: its length in eight bytes, little-endian; a JSON object
 * that gives each tensor's type, shape and place; then the tensors, without holes, to the end.
 *
 * <p>A tensor is refused that is not F32, F16 or BF16, or whose place and shape contradict each
 * other, the file's size or another tensor.
 */
final class SafetensorsReader {

  /** The format's own limit. */
  private static final long MAX_HEADER_BYTES = 100_000_000;

  private static final int MAX_TENSORS = 1 << 17;
  private static final int MAX_DIMENSIONS = 4;

  private final Path file;
  private final MemorySegment bytes;
  private final long dataStart;

  private SafetensorsReader(Path file, MemorySegment bytes) {
    this.file = file;
    this.bytes = bytes;
    if (bytes.byteSize() < Long.BYTES + 2) {
      throw foreign();
    }
    long header = bytes.get(ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), 0);
    if (header < 2
        || header > MAX_HEADER_BYTES
        || bytes.get(ValueLayout.JAVA_BYTE, Long.BYTES) != '{') {
      throw foreign();
    }
    this.dataStart = Long.BYTES + header;
    if (dataStart > bytes.byteSize()) {
      throw new ModelFileException.Truncated(file, "a header of ", dataStart, bytes.byteSize());
    }
  }

  /**
   * Reads the header of a file mapped as {@code bytes}.
   *
   * @return its tensors by their names in the file, dimensions in GGUF's order, ordered by place
   */
  static List<ModelTensor> read(Path file, MemorySegment bytes) {
    return new SafetensorsReader(file, bytes).tensors();
  }

  /** A tensor as the header describes it; {@code begin} and {@code end} count from the data on. */
  private record Row(String name, TensorType type, List<Long> dimensions, long begin, long end) {}

  private List<ModelTensor> tensors() {
    byte[] header =
        bytes.asSlice(Long.BYTES, dataStart - Long.BYTES).toArray(ValueLayout.JAVA_BYTE);
    List<Row> rows = new ArrayList<>();
    Set<String> names = new HashSet<>();
    try (JsonParser json = JsonMapper.shared().createParser(header)) {
      json.nextToken(); // the object's start: its letter was seen
      while (json.nextToken() == JsonToken.PROPERTY_NAME) {
        String name = json.currentName();
        if (!names.add(name)) {
          throw malformed("each tensor once", "\"" + name + "\" again");
        }
        if (names.size() > MAX_TENSORS) {
          throw malformed("at most " + MAX_TENSORS + " tensors", "more");
        }
        json.nextToken();
        if (name.equals("__metadata__")) {
          json.skipChildren();
        } else {
          rows.add(row(json, name));
        }
      }
      if (json.nextToken() != null) {
        throw malformed("nothing behind the header's JSON object", "more");
      }
    } catch (JacksonException e) {
      throw malformed("a header in JSON", e.getOriginalMessage());
    }
    rows.sort(Comparator.comparingLong(Row::begin).thenComparingLong(Row::end));
    return placed(rows);
  }

  private Row row(JsonParser json, String name) {
    String type = "";
    List<Long> shape = List.of();
    List<Long> place = List.of();
    if (json.currentToken() != JsonToken.START_OBJECT) {
      throw malformed(quoted(name) + " to be an object", "something else");
    }
    while (json.nextToken() == JsonToken.PROPERTY_NAME) {
      String key = json.currentName();
      json.nextToken();
      switch (key) {
        case "dtype" -> type = json.getValueAsString("");
        case "shape" -> shape = numbers(json, name, key);
        case "data_offsets" -> place = numbers(json, name, key);
        default ->
            throw malformed(
                quoted(name) + " to have dtype, shape and data_offsets", "\"" + key + "\" too");
      }
    }
    if (place.size() != 2 || place.get(0) > place.get(1)) {
      throw malformed(quoted(name) + " to begin before it ends", "data_offsets " + place);
    }
    if (shape.isEmpty() || shape.size() > MAX_DIMENSIONS || shape.contains(0L)) {
      throw malformed(
          quoted(name) + " to have 1 to " + MAX_DIMENSIONS + " dimensions above 0",
          shape.toString());
    }
    shape = new ArrayList<>(shape);
    Collections.reverse(shape);
    return new Row(name, type(name, type), List.copyOf(shape), place.get(0), place.get(1));
  }

  private List<Long> numbers(JsonParser json, String name, String key) {
    List<Long> numbers = new ArrayList<>();
    boolean sound = json.currentToken() == JsonToken.START_ARRAY;
    while (sound && json.nextToken() != JsonToken.END_ARRAY) {
      sound = json.currentToken() == JsonToken.VALUE_NUMBER_INT && numbers.size() < MAX_DIMENSIONS;
      if (sound) {
        numbers.add(json.getLongValue());
        sound = numbers.getLast() >= 0;
      }
    }
    if (!sound) {
      throw malformed(
          quoted(name) + " to have as " + key + " up to " + MAX_DIMENSIONS + " whole numbers",
          "something else");
    }
    return numbers;
  }

  private TensorType type(String name, String type) {
    return switch (type) {
      case "F32" -> TensorType.F32;
      case "F16" -> TensorType.F16;
      case "BF16" -> TensorType.BF16;
      default ->
          throw new ModelFileException.Unsupported(
              file,
              OptionalLong.empty(),
              quoted(name) + " to be F32, F16 or BF16",
              '"' + type + '"');
    };
  }

  private List<ModelTensor> placed(List<Row> rows) {
    List<ModelTensor> tensors = new ArrayList<>(rows.size());
    long end = 0;
    for (Row row : rows) {
      if (row.begin() != end) {
        throw malformed(
            quoted(row.name()) + " to begin where the one before it ends, at " + end,
            String.valueOf(row.begin()));
      }
      end = row.end();
      if (end > bytes.byteSize() - dataStart) {
        throw new ModelFileException.Truncated(
            file, quoted(row.name()) + " within ", dataStart + end, bytes.byteSize());
      }
      long expected = bytes(row);
      if (end - row.begin() != expected) {
        throw malformed(
            quoted(row.name()) + " to have " + expected + " bytes, for its shape and type",
            String.valueOf(end - row.begin()));
      }
      long start = dataStart + row.begin();
      tensors.add(
          new ModelTensor(
              row.name(), row.type(), row.dimensions(), start, bytes.asSlice(start, expected)));
    }
    if (end != bytes.byteSize() - dataStart) {
      throw malformed(
          "the tensors to end where the file does, at " + bytes.byteSize(),
          "an end at " + (dataStart + end));
    }
    return tensors;
  }

  private long bytes(Row row) {
    try {
      return row.type().bytes(row.dimensions().stream().reduce(1L, Math::multiplyExact));
    } catch (ArithmeticException e) {
      throw malformed(quoted(row.name()) + " to fit into memory", "shape " + row.dimensions());
    }
  }

  private static String quoted(String name) {
    return "tensor \"" + name + '"';
  }

  private ModelFileException malformed(String expected, String found) {
    return new ModelFileException.Malformed(file, expected, found);
  }

  private ModelFileException foreign() {
    return new ModelFileException.Foreign(
        file, "a safetensors file, which begins with its header", ForeignFile.describe(bytes));
  }
}
