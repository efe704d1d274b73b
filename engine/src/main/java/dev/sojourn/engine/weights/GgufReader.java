package dev.sojourn.engine.weights;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.math.BigInteger;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;

/**
 * Reads the header of a mapped GGUF file once from front to back.
 *
 * <p>Nothing in the file is trusted: a length is compared with what is left of the file before
 * anything is allocated for it, so that memory and time are bounded by the size of the file, and
 * every tensor is checked to lie inside the file and apart from the others. The layout: magic,
 * version, counts, key-values, tensor table, padding, tensors; little-endian throughout. Version 2
 * differs from 3 only in name (3 allowed big-endian files, which are refused).
 */
final class GgufReader {

  static final int MAGIC = 0x46554747; // "GGUF"
  static final int DEFAULT_ALIGNMENT = 32;
  static final int ARRAY = 9;

  private static final int MAX_KEY_BYTES = 65_535; // of the specification
  private static final int MAX_DIMENSIONS = 4; // of GGML
  private static final long MAX_STRING_BYTES = 16 << 20;
  private static final long MAX_COUNT = 1 << 24;
  private static final long MAX_FILE_BYTES = 1L << 50; // so that sums of offsets are no overflow
  private static final long MAX_ALIGNMENT = 1 << 16;
  private static final long MIN_ENTRY_BYTES = 8 + 1 + 4 + 1; // key length, key, type, value
  private static final long MIN_TENSOR_BYTES = 8 + 1 + 4 + 8 + 4 + 8;

  private static final ValueLayout.OfShort I16 =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt I32 =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong I64 =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** What the header says. */
  record Header(int version, ModelMetadata metadata, List<ModelTensor> tensors) {}

  /** A row of the tensor table; {@code entryOffset} is where it stands. */
  private record TableRow(
      long entryOffset,
      String name,
      TensorType type,
      List<Long> dimensions,
      long bytes,
      long relativeOffset) {}

  private final Path file;
  private final MemorySegment bytes;
  private long position;

  private GgufReader(Path file, MemorySegment bytes) {
    this.file = file;
    this.bytes = bytes;
  }

  /** Reads the header of a file mapped as {@code bytes}. */
  static Header read(Path file, MemorySegment bytes) {
    return new GgufReader(file, bytes).header();
  }

  private Header header() {
    if (bytes.byteSize() < 4 || i32() != MAGIC) {
      throw new ModelFileException.Foreign(
          file, "a GGUF file, which begins with \"GGUF\"", ForeignFile.describe(bytes));
    }
    int version = version();
    long tensorCount = count("tensors", MIN_TENSOR_BYTES);
    long entryCount = count("metadata entries", MIN_ENTRY_BYTES);
    Map<String, ModelMetadata.Entry> entries = new LinkedHashMap<>();
    for (long i = 0; i < entryCount; i++) {
      long at = position;
      String key = name("a metadata key");
      Object value = value(i32(), key);
      if (entries.put(key, new ModelMetadata.Entry(value, key, OptionalLong.of(at))) != null) {
        throw malformed(at, "each metadata key once", "\"" + key + "\" again");
      }
    }
    ModelMetadata metadata = new ModelMetadata(file, entries);
    return new Header(version, metadata, tensors(tensorCount, alignment(metadata)));
  }

  private int version() {
    long at = position;
    int version = i32();
    if (Integer.reverseBytes(version) == 2 || Integer.reverseBytes(version) == 3) {
      throw unsupported(at, "a little-endian file", "a big-endian one");
    }
    if (version != 2 && version != 3) {
      throw unsupported(at, "GGUF version 2 or 3", "version " + Integer.toUnsignedString(version));
    }
    return version;
  }

  private static long alignment(ModelMetadata metadata) {
    String key = "general.alignment";
    int alignment = metadata.findInteger(key, 1, (int) MAX_ALIGNMENT).orElse(DEFAULT_ALIGNMENT);
    if (Integer.bitCount(alignment) != 1) {
      throw metadata.wrong(key, "a power of two");
    }
    return alignment;
  }

  private List<ModelTensor> tensors(long count, long alignment) {
    List<TableRow> table = new ArrayList<>((int) count);
    Set<String> names = new HashSet<>();
    for (long i = 0; i < count; i++) {
      TableRow row = tableRow();
      if (!names.add(row.name())) {
        throw malformed(row.entryOffset(), "each tensor once", "\"" + row.name() + "\" again");
      }
      if (row.relativeOffset() % alignment != 0) {
        throw malformed(
            row.entryOffset(),
            "tensor \"" + row.name() + "\" at a multiple of " + alignment + " bytes",
            "offset " + row.relativeOffset());
      }
      table.add(row);
    }
    long dataStart = (position + alignment - 1) / alignment * alignment;
    checkPlaces(table, dataStart);
    return table.stream()
        .map(row -> {
          long start = dataStart + row.relativeOffset();
          return new ModelTensor(
              row.name(), row.type(), row.dimensions(), start, bytes.asSlice(start, row.bytes()));
        })
        .toList();
  }

  private TableRow tableRow() {
    long at = position;
    String name = name("a tensor name");
    int rank = i32();
    if (rank < 1 || rank > MAX_DIMENSIONS) {
      throw malformed(
          at,
          "tensor \"" + name + "\" with 1 to " + MAX_DIMENSIONS + " dimensions",
          Integer.toUnsignedString(rank));
    }
    Long[] dimensions = new Long[rank];
    for (int i = 0; i < rank; i++) {
      dimensions[i] = i64();
    }
    int code = i32();
    TensorType type =
        TensorType.ofCode(code)
            .orElseThrow(() ->
                unsupported(
                    at,
                    "tensor \""
                        + name
                        + "\" of a supported type ("
                        + TensorType.supportedNames()
                        + ")",
                    "type number " + Integer.toUnsignedString(code)));
    long size = size(at, name, type, dimensions);
    long relative = i64();
    if (relative < 0 || relative > MAX_FILE_BYTES - size) {
      throw malformed(
          at,
          "tensor \"" + name + "\" inside a file of at most " + MAX_FILE_BYTES + " bytes",
          size + " bytes at offset " + Long.toUnsignedString(relative) + " of the tensor data");
    }
    return new TableRow(at, name, type, Arrays.asList(dimensions), size, relative);
  }

  private long size(long at, String name, TensorType type, Long[] dimensions) {
    long elements = 1;
    boolean sane = true;
    for (long dimension : dimensions) {
      sane &= dimension > 0 && dimension <= Long.MAX_VALUE / type.blockBytes() / elements;
      elements = sane ? elements * dimension : 1;
    }
    if (!sane || dimensions[0] % type.blockElements() != 0) {
      throw malformed(
          at,
          "tensor \""
              + name
              + "\" with dimensions above 0 and rows of whole blocks ("
              + type
              + ": "
              + type.blockElements()
              + ")",
          Arrays.toString(dimensions));
    }
    return type.bytes(elements);
  }

  private void checkPlaces(List<TableRow> table, long dataStart) {
    List<TableRow> byPlace = new ArrayList<>(table);
    byPlace.sort(Comparator.comparingLong(TableRow::relativeOffset));
    long freeFrom = 0;
    String before = "";
    for (TableRow row : byPlace) {
      if (row.relativeOffset() < freeFrom) {
        throw malformed(
            row.entryOffset(),
            "tensor \"" + row.name() + "\" after the end of \"" + before + '"',
            "both at byte " + (dataStart + row.relativeOffset()));
      }
      freeFrom = row.relativeOffset() + row.bytes();
      before = row.name();
    }
    if (freeFrom > 0 && dataStart + freeFrom > bytes.byteSize()) {
      throw truncated("", dataStart + freeFrom);
    }
  }

  private Object value(int type, String key) {
    return switch (type) {
      case 0, 1, 2, 3, 4, 5, 10, 11 -> wholeNumber(type);
      case 6, 12 -> realNumber(type);
      case 7 -> flag(key);
      case 8 -> string(key, MAX_STRING_BYTES);
      case ARRAY -> array(key);
      default -> throw unknownType(type, key);
    };
  }

  private Object array(String key) {
    int type = i32();
    long smallest =
        switch (type) {
          case 0, 1, 7 -> 1;
          case 2, 3 -> 2;
          case 4, 5, 6 -> 4;
          case 8, 10, 11, 12 -> 8;
          case ARRAY ->
              throw unsupported(position - 4, "\"" + key + "\" to be a flat array", "a nested one");
          default -> throw unknownType(type, key);
        };
    long count = count("elements of \"" + key + '"', smallest);
    int n = (int) count;
    return switch (type) {
      case 8 -> texts(n, key);
      case 7 -> flags(n, key);
      case 6, 12 -> realNumbers(n, type);
      default -> wholeNumbers(n, type, key);
    };
  }

  private List<String> texts(int n, String key) {
    String[] texts = new String[n];
    Arrays.setAll(texts, i -> string(key, MAX_STRING_BYTES));
    return List.of(texts);
  }

  private boolean[] flags(int n, String key) {
    boolean[] flags = new boolean[n];
    for (int i = 0; i < n; i++) {
      flags[i] = flag(key);
    }
    return flags;
  }

  private double[] realNumbers(int n, int type) {
    double[] numbers = new double[n];
    Arrays.setAll(numbers, i -> realNumber(type));
    return numbers;
  }

  private long[] wholeNumbers(int n, int type, String key) {
    long[] numbers = new long[n];
    for (int i = 0; i < n; i++) {
      long at = position;
      if (!(wholeNumber(type) instanceof Long number)) {
        throw malformed(at, "elements of \"" + key + "\" below 2^63", "a larger one");
      }
      numbers[i] = number;
    }
    return numbers;
  }

  /** Returns a {@code Long}, or a {@code BigInteger} for what only an unsigned 64 bits hold. */
  private Number wholeNumber(int type) {
    return switch (type) {
      case 0 -> (long) (i8() & 0xff);
      case 1 -> (long) i8();
      case 2 -> (long) (i16() & 0xffff);
      case 3 -> (long) i16();
      case 4 -> Integer.toUnsignedLong(i32());
      case 5 -> (long) i32();
      case 11 -> i64();
      default -> {
        long value = i64();
        yield value >= 0 ? (Number) value : new BigInteger(Long.toUnsignedString(value));
      }
    };
  }

  private double realNumber(int type) {
    return type == 6 ? Float.intBitsToFloat(i32()) : Double.longBitsToDouble(i64());
  }

  private boolean flag(String key) {
    long at = position;
    int value = i8();
    if (value != 0 && value != 1) {
      throw malformed(at, "\"" + key + "\" to be 0 or 1", "" + (value & 0xff));
    }
    return value == 1;
  }

  private String name(String what) {
    long at = position;
    String name = string(what, MAX_KEY_BYTES);
    if (name.isEmpty() || name.indexOf(0xfffd) >= 0 || name.chars().anyMatch(c -> c < ' ')) {
      throw malformed(at, what + " of printable UTF-8", "an empty or garbled one");
    }
    return name;
  }

  /** Reads a text; invalid UTF-8, which some vocabularies in use contain, becomes U+FFFD. */
  private String string(String what, long longest) {
    long at = position;
    long length = i64();
    if (length < 0 || length > longest) {
      throw malformed(
          at,
          what + " of at most " + longest + " bytes",
          "a length of " + Long.toUnsignedString(length));
    }
    if (length > left()) {
      throw truncated("at least ", position + length);
    }
    byte[] text = bytes.asSlice(position, length).toArray(ValueLayout.JAVA_BYTE);
    position += length;
    return new String(text, UTF_8);
  }

  private long count(String what, long smallestBytes) {
    long at = position;
    long count = i64();
    if (count < 0 || count > MAX_COUNT) {
      throw malformed(at, "at most " + MAX_COUNT + ' ' + what, Long.toUnsignedString(count));
    }
    if (count > left() / smallestBytes) {
      throw truncated("at least ", position + count * smallestBytes);
    }
    return count;
  }

  private long left() {
    return bytes.byteSize() - position;
  }

  private byte i8() {
    return bytes.get(ValueLayout.JAVA_BYTE, advance(1));
  }

  private short i16() {
    return bytes.get(I16, advance(2));
  }

  private int i32() {
    return bytes.get(I32, advance(4));
  }

  private long i64() {
    return bytes.get(I64, advance(8));
  }

  private long advance(int size) {
    if (size > left()) {
      throw truncated("at least ", position + size);
    }
    long at = position;
    position += size;
    return at;
  }

  private ModelFileException unknownType(int type, String key) {
    return malformed(
        position - 4,
        "a type from 0 to 12 for \"" + key + '"',
        "type " + Integer.toUnsignedString(type));
  }

  private ModelFileException truncated(String atLeast, long wholeBytes) {
    return new ModelFileException.Truncated(file, atLeast, wholeBytes, bytes.byteSize());
  }

  private ModelFileException malformed(long at, String expected, String found) {
    return new ModelFileException.Malformed(file, at, expected, found);
  }

  private ModelFileException unsupported(long at, String supported, String found) {
    return new ModelFileException.Unsupported(file, OptionalLong.of(at), supported, found);
  }
}
