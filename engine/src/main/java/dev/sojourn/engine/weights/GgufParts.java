package dev.sojourn.engine.weights;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * Reads the header of a GGUF model, be it one file or in the parts that llama.cpp's {@code
 * gguf-split} makes: {@code NAME-00001-of-00003.gguf} and so on, side by side. The first part has
 * all metadata. Each part has tensors of its own, and says which of how many it is.
 */
final class GgufParts {

  private static final String NUMBER = "split.no"; // from 0
  private static final String COUNT = "split.count"; // 0 in files that were merged again
  private static final String TENSORS = "split.tensors.count"; // of all parts

  private static final int MOST = 65_535; // the keys have 16 bits

  private final Path first;
  private final GgufReader.Header header;
  private final int count;
  private final TensorFiles files;

  private GgufParts(Path first, GgufReader.Header header, int count, TensorFiles files) {
    this.first = first;
    this.header = header;
    this.count = count;
    this.files = files;
  }

  /**
   * Reads a model's headers, and adds its files and tensors.
   *
   * @param path the model's file, or the first of its parts
   * @return the header of that file
   */
  static GgufReader.Header read(Path path, TensorFiles files) {
    GgufReader.Header header = GgufReader.read(path, files.map(path));
    int count = header.metadata().findInteger(COUNT, 0, MOST).orElse(1);
    GgufParts parts = new GgufParts(path, header, count, files);
    if (count > 1) {
      parts.checkFirst();
    }
    parts.add(path, header);
    for (int number = 1; number < count; number++) {
      parts.addOther(number);
    }
    if (count > 1) {
      parts.checkTensors();
    }
    return header;
  }

  private void add(Path part, GgufReader.Header own) {
    own.tensors().forEach(tensor -> files.add(part, tensor));
  }

  private void checkFirst() {
    int number = header.metadata().integer(NUMBER, 0, count - 1);
    String name = name(first);
    String end = end(number);
    if (number > 0) {
      String start = name.endsWith(end) ? name.substring(0, name.length() - end.length()) : "*";
      throw new ModelFileException.Foreign(
          first,
          OptionalLong.empty(),
          "the first of the model's " + count + " parts (" + start + end(0) + ")",
          "part " + (number + 1));
    }
    if (!name.endsWith(end)) {
      throw new ModelFileException.Malformed(
          first, "the name of a first part, *" + end + ", by which to find the others", name);
    }
  }

  private void addOther(int number) {
    String name = name(first);
    String start = name.substring(0, name.length() - end(0).length());
    Path part = first.resolveSibling(start + end(number));
    String which = "part %d of %d of %s".formatted(number + 1, count, name);
    if (!Files.exists(part)) {
      throw new ModelFileException.Unreadable(part, which, "no such file");
    }
    GgufReader.Header own = GgufReader.read(part, files.map(part));
    check(own.metadata(), NUMBER, number, which);
    check(own.metadata(), COUNT, count, which);
    OptionalInt all = tensorCount(header.metadata());
    if (all.isPresent() && own.metadata().has(TENSORS)) {
      check(own.metadata(), TENSORS, all.getAsInt(), which);
    }
    add(part, own);
  }

  private static void check(ModelMetadata own, String key, int expected, String which) {
    if (own.integer(key, 0, Integer.MAX_VALUE) != expected) {
      throw own.wrong(key, expected + ", being " + which);
    }
  }

  private void checkTensors() {
    int found = files.tensors().size();
    if (tensorCount(header.metadata()).orElse(found) != found) {
      throw header.metadata().wrong(TENSORS, found + ", as many as its parts hold together");
    }
  }

  private static OptionalInt tensorCount(ModelMetadata metadata) {
    return metadata.findInteger(TENSORS, 0, Integer.MAX_VALUE);
  }

  private String end(int number) {
    return String.format(Locale.ROOT, "-%05d-of-%05d.gguf", number + 1, count);
  }

  private static String name(Path file) {
    return String.valueOf(file.getFileName());
  }
}
