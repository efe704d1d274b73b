package dev.sojourn.engine.weights;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * Writes a GGUF file (version 3): collect key-values and tensors, then {@link #write}. Tensors are
 * asked for row by row while they are written, by all processors, so a model of any size needs
 * little memory.
 *
 * <p>Not thread-safe. The same calls give the same bytes on every machine.
 */
public final class GgufWriter {

  /** Where the numbers of a tensor come from. */
  @FunctionalInterface
  public interface Rows {

    /**
     * Fills {@code into}, one row long and zero, with row {@code index}. Called by several threads
     * at a time, in any order.
     */
    void fill(long index, float[] into);
  }

  private record Planned(
      String name, TensorType type, List<Long> dimensions, long bytes, long offset, Rows rows) {

    int columns() {
      return Math.toIntExact(dimensions.getFirst());
    }
  }

  private static final int BUFFER_BYTES = 1 << 20; // rows that are made at a time

  private final ByteArrayOutputStream entries = new ByteArrayOutputStream();
  private final Set<String> keys = new LinkedHashSet<>();
  private final Set<String> names = new LinkedHashSet<>();
  private final List<Planned> tensors = new ArrayList<>();
  private long dataBytes;

  /** Adds a text. */
  public GgufWriter text(String key, String value) {
    key(key, 8);
    string(entries, value);
    return this;
  }

  /** Adds a whole number of 32 bits, not negative. */
  public GgufWriter whole(String key, int value) {
    if (value < 0) {
      throw new IllegalArgumentException(key + " must not be negative, is " + value);
    }
    key(key, 4);
    i32(entries, value);
    return this;
  }

  /** Adds a number with a fraction. */
  public GgufWriter real(String key, float value) {
    key(key, 6);
    i32(entries, Float.floatToRawIntBits(value));
    return this;
  }

  /** Adds a truth value. */
  public GgufWriter flag(String key, boolean value) {
    key(key, 7);
    entries.write(value ? 1 : 0);
    return this;
  }

  /** Adds a list of texts. */
  public GgufWriter texts(String key, List<String> values) {
    array(key, 8, values.size());
    values.forEach(value -> string(entries, value));
    return this;
  }

  /** Adds a list of whole numbers of 32 bits. */
  public GgufWriter wholes(String key, int... values) {
    array(key, 5, values.length);
    Arrays.stream(values).forEach(value -> i32(entries, value));
    return this;
  }

  /** Adds a list of numbers with fractions. */
  public GgufWriter reals(String key, float... values) {
    array(key, 6, values.length);
    for (float value : values) {
      i32(entries, Float.floatToRawIntBits(value));
    }
    return this;
  }

  /**
   * Adds a tensor.
   *
   * @param dimensions GGUF's order: length of a row first
   */
  public GgufWriter tensor(String name, TensorType type, Rows rows, long... dimensions) {
    if (!type.supported()) {
      throw new IllegalArgumentException(
          "tensor type " + type + "; supported are " + TensorType.supportedNames());
    }
    if (dimensions.length < 1
        || dimensions.length > 4
        || Arrays.stream(dimensions).anyMatch(dimension -> dimension < 1)
        || dimensions[0] % type.blockElements() != 0) {
      throw new IllegalArgumentException(
          "tensor "
              + name
              + " of type "
              + type
              + " has 1 to 4 dimensions above 0 and rows of a multiple of "
              + type.blockElements()
              + ", not "
              + Arrays.toString(dimensions));
    }
    if (!names.add(name)) {
      throw new IllegalArgumentException("tensor " + name + " is there already");
    }
    long bytes = type.bytes(Arrays.stream(dimensions).reduce(1, Math::multiplyExact));
    tensors.add(
        new Planned(
            name, type, Arrays.stream(dimensions).boxed().toList(), bytes, dataBytes, rows));
    dataBytes = aligned(Math.addExact(dataBytes, bytes));
    return this;
  }

  /** Returns the size of the file that {@link #write} makes. */
  public long bytes() {
    return header().length + dataBytes;
  }

  /**
   * Writes the file, as {@link WholeFile} does.
   *
   * @throws ModelFileException.Unwritable if there is no room or no permission
   */
  public void write(Path target, Progress progress) {
    String what = "writing " + target.getFileName();
    WholeFile.write(target, bytes(), List.of(), channel -> write(channel, what, progress));
  }

  private void write(FileChannel channel, String what, Progress progress) throws IOException {
    byte[] header = header();
    long total = header.length + dataBytes;
    writeAll(channel, ByteBuffer.wrap(header));
    ByteBuffer buffer = ByteBuffer.allocate(0);
    for (Planned tensor : tensors) {
      int rowBytes = Math.toIntExact(tensor.type().bytes(tensor.columns()));
      int most = Math.max(1, BUFFER_BYTES / rowBytes);
      if (buffer.capacity() < most * rowBytes) {
        buffer = ByteBuffer.allocate(most * rowBytes);
      }
      long rows = tensor.bytes() / rowBytes;
      for (long first = 0; first < rows; first += most) {
        int count = (int) Math.min(most, rows - first);
        fill(tensor, first, count, MemorySegment.ofBuffer(buffer.clear().limit(count * rowBytes)));
        writeAll(channel, buffer);
        progress.at(what, channel.position(), total);
      }
      writeAll(channel, ByteBuffer.allocate((int) (aligned(tensor.bytes()) - tensor.bytes())));
    }
    progress.at(what, total, total);
  }

  private static void fill(Planned tensor, long first, int count, MemorySegment into) {
    long rowBytes = into.byteSize() / count;
    IntStream.range(0, count)
        .parallel()
        .forEach(i -> {
          float[] row = new float[tensor.columns()];
          tensor.rows().fill(first + i, row);
          TensorCodec.encode(tensor.type(), row, into.asSlice(i * rowBytes, rowBytes));
        });
  }

  private static void writeAll(FileChannel channel, ByteBuffer buffer) throws IOException {
    while (buffer.hasRemaining()) {
      channel.write(buffer);
    }
  }

  private byte[] header() {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    i32(out, GgufReader.MAGIC);
    i32(out, 3);
    i64(out, tensors.size());
    i64(out, keys.size());
    out.writeBytes(entries.toByteArray());
    for (Planned tensor : tensors) {
      string(out, tensor.name());
      i32(out, tensor.dimensions().size());
      tensor.dimensions().forEach(dimension -> i64(out, dimension));
      i32(out, tensor.type().code());
      i64(out, tensor.offset());
    }
    out.writeBytes(new byte[(int) (aligned(out.size()) - out.size())]);
    return out.toByteArray();
  }

  private void array(String key, int elementType, int count) {
    key(key, GgufReader.ARRAY);
    i32(entries, elementType);
    i64(entries, count);
  }

  private void key(String key, int type) {
    if (!keys.add(key)) {
      throw new IllegalArgumentException("key " + key + " is there already");
    }
    string(entries, key);
    i32(entries, type);
  }

  private static void string(ByteArrayOutputStream out, String value) {
    byte[] bytes = value.getBytes(UTF_8);
    i64(out, bytes.length);
    out.writeBytes(bytes);
  }

  private static void i32(ByteArrayOutputStream out, int value) {
    out.writeBytes(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array());
  }

  private static void i64(ByteArrayOutputStream out, long value) {
    out.writeBytes(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array());
  }

  private static long aligned(long bytes) {
    long mask = GgufReader.DEFAULT_ALIGNMENT - 1L;
    return Math.addExact(bytes, mask) & ~mask;
  }
}
