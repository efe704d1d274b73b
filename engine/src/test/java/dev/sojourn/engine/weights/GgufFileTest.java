package dev.sojourn.engine.weights;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class GgufFileTest {

  @TempDir Path directory;

  @Test
  void open_afterWrite_givesEveryValueBack() {
    Path path = directory.resolve("all.gguf");
    GgufWriter writer =
        new GgufWriter()
            .text("general.architecture", "llama")
            .text("unicode", "zwölf ☃ 😀")
            .whole("llama.block_count", 7)
            .real("eps", 1e-5f)
            .flag("flag", true)
            .texts("texts", List.of("a", "", "c"))
            .wholes("wholes", 3, -1, 2)
            .reals("reals", 0.5f, -2)
            .tensor("m", TensorType.F32, (row, into) -> into[0] = row, 4, 3)
            .tensor("v", TensorType.F32, (row, into) -> into[1] = 9, 2);
    writer.write(path, Progress.NONE);
    try (GgufFile file = GgufFile.open(path)) {
      ModelMetadata metadata = file.metadata();
      assertThat(file.size()).isEqualTo(writer.bytes());
      assertThat(file.version()).isEqualTo(3);
      assertThat(file.architecture()).isEqualTo("llama");
      assertThat(file.chatTemplate()).isEmpty();
      assertThat(metadata.string("unicode")).isEqualTo("zwölf ☃ 😀");
      assertThat(metadata.integer("llama.block_count", 1, 100)).isEqualTo(7);
      assertThat(metadata.real("eps")).isEqualTo(1e-5f);
      assertThat(metadata.findFlag("flag")).contains(true);
      assertThat(metadata.strings("texts")).containsExactly("a", "", "c");
      assertThat(metadata.findIntegers("wholes").orElseThrow()).containsExactly(3, -1, 2);
      assertThat(metadata.findReals("reals").orElseThrow()).containsExactly(0.5, -2);
      assertThat(metadata.findString("absent")).isEmpty();
      assertThat(file.tensors()).extracting(ModelTensor::name).containsExactly("m", "v");
      assertThat(file.tensor("m", 4, 3).toFloats())
          .containsExactly(0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0);
      assertThat(file.tensor("v", 2).toFloats()).containsExactly(0, 9);
      assertThat(file.tensor("m", 4, 3).offset() % 32).isZero();
    }
    assertThat(directory.toFile().list()).containsExactly("all.gguf");
  }

  @ParameterizedTest
  @EnumSource(
      value = TensorType.class,
      names = {
        "F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K"
      })
  void tensor_ofEachSupportedType_isWithinHalfAStepOfWhatWasWritten(TensorType type) {
    Path path = directory.resolve(type + ".gguf");
    new GgufWriter()
        .tensor(
            "t",
            type,
            (row, into) -> {
              for (int i = 0; i < into.length; i++) {
                into[i] = value(row, i);
              }
            },
            256,
            5)
        .write(path, Progress.NONE);
    double step =
        switch (type) {
          case F32 -> 0;
          case F16 -> 0x1p-11;
          case BF16 -> 0x1p-8;
          case Q8_0 -> 1 / 127.0;
          case Q6_K -> 1.2 / 32; // scales are rounded, too
          case Q5_0 -> 1 / 16.0;
          case Q5_1, Q5_K -> 1.2 / 31;
          case Q4_1, Q4_K -> 1.2 / 15;
          default -> 1 / 8.0;
        };
    try (GgufFile file = GgufFile.open(path)) {
      ModelTensor tensor = file.tensor("t", 256, 5);
      float[] found = tensor.toFloats();
      assertThat(tensor.rows()).isEqualTo(5);
      assertThat(tensor.data().byteSize()).isEqualTo(5 * tensor.rowBytes());
      for (int i = 0; i < found.length; i++) {
        // A block's largest number is below 1; Q4_0 reaches 7/8 on the side without the extreme.
        assertThat((double) found[i]).isBetween(value(i) - step - 1e-3 * step, value(i) + step);
      }
    }
  }

  private static float value(long row, int column) {
    return (float) StrictMath.sin((double) (row * 256 + column));
  }

  private static float value(int index) {
    return value(index / 256, index % 256);
  }

  @Test
  void metadata_wrongTypeOrRange_namesKeyPlaceExpectedAndFound() {
    Path path = directory.resolve("m.gguf");
    new GgufWriter().whole("heads", 0).text("name", "x").write(path, Progress.NONE);
    try (GgufFile file = GgufFile.open(path)) {
      assertThatThrownBy(() -> file.metadata().integer("heads", 1, 64))
          .isInstanceOf(ModelFileException.Malformed.class)
          .hasMessage(
              path + ", byte 24: expected \"heads\" to be a whole number from 1 to 64, found 0");
      assertThatThrownBy(() -> file.metadata().integer("name", 1, 64))
          .hasMessageEndingWith("\"name\" to be a whole number from 1 to 64, found \"x\"");
      assertThatThrownBy(() -> file.metadata().string("absent"))
          .hasMessage(path + ": expected \"absent\" in the metadata (text), found no such key");
    }
  }

  @Test
  void tensor_absentOrOfAnotherShape_isRefused() {
    Path path = directory.resolve("t.gguf");
    new GgufWriter()
        .tensor("t", TensorType.F32, (row, into) -> {}, 2, 3)
        .write(path, Progress.NONE);
    try (GgufFile file = GgufFile.open(path)) {
      assertThatThrownBy(() -> file.tensor("u", 2))
          .hasMessageEndingWith("expected tensor \"u\" with dimensions [2], found no such tensor");
      assertThatThrownBy(() -> file.tensor("t", 3, 2))
          .hasMessageEndingWith("expected tensor \"t\" with dimensions [3, 2], found [2, 3]");
    }
  }

  @Test
  void tensor_ofAKnownTypeNotSupported_isListedButNotLoaded() throws IOException {
    Path path =
        write(
            header(3, 1, 0)
                .string("t")
                .i32(1)
                .i64(256)
                .i32(TensorType.Q3_K.code())
                .i64(0)
                .pad(110));
    try (GgufFile file = GgufFile.open(path)) {
      assertThat(file.tensors().getFirst().type()).isEqualTo(TensorType.Q3_K);
      assertThatThrownBy(() -> file.tensor("t", 256))
          .isInstanceOf(ModelFileException.Unsupported.class)
          .hasMessageEndingWith(
              "expected tensor \"t\" of a supported type (F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0,"
                  + " Q4_K, Q5_K, Q6_K, BF16), found type Q3_K, which is not supported yet");
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "PK\u0003\u0004stuff|a ZIP archive",
        "<!DOCTYPE html><html>|an HTML or XML page",
        "version https://git-lfs.github.com/spec/v1|a Git LFS pointer",
        "tjggxxxx|an old GGML file",
        "{\"a\": 1}|JSON text",
        "GGU|bytes 47 47 55",
        "whatever|bytes 77 68 61 74 65 76 65 72",
      })
  void open_foreignFile_saysWhatItLooksLike(String content, String expected) throws IOException {
    Path path = Files.writeString(directory.resolve("f"), content);
    assertThatThrownBy(() -> GgufFile.open(path))
        .isInstanceOf(ModelFileException.Foreign.class)
        .hasMessageStartingWith(
            path + ", byte 0: expected a GGUF file, which begins with \"GGUF\", found " + expected);
  }

  @Test
  void open_safetensorsAndEmptyFiles_areRecognised() throws IOException {
    String json = "{\"t\":{}}";
    Path path =
        write(new Bytes().i64(json.length()).raw(json.getBytes(US_ASCII)).raw(new byte[16]));
    assertThatThrownBy(() -> GgufFile.open(path)).hasMessageContaining("a safetensors file");
    Path empty = Files.createFile(directory.resolve("empty"));
    assertThatThrownBy(() -> GgufFile.open(empty)).hasMessageContaining("an empty file");
  }

  @Test
  void open_missingFileOrDirectory_isUnreadable() {
    assertThatThrownBy(() -> GgufFile.open(directory.resolve("absent")))
        .isInstanceOf(ModelFileException.Unreadable.class)
        .hasMessageEndingWith("expected a readable model file, found no such file");
    assertThatThrownBy(() -> GgufFile.open(directory))
        .isInstanceOf(ModelFileException.Unreadable.class)
        .hasMessageEndingWith("found a directory");
  }

  @Test
  void open_version2_isRead() throws IOException {
    Path path = write(header(2, 0, 1).string("k").i32(10).i64(Long.MIN_VALUE));
    try (GgufFile file = GgufFile.open(path)) {
      assertThat(file.version()).isEqualTo(2);
      assertThat(file.metadata().describe("k")).isEqualTo("9223372036854775808");
      assertThatThrownBy(() -> file.metadata().integer("k", 0, 9))
          .hasMessageEndingWith("found 9223372036854775808");
    }
  }

  @Test
  void open_damagedHeader_namesTheByteAndBothSides() throws IOException {
    refused(header(1, 0, 0), "byte 4: expected GGUF version 2 or 3, found version 1");
    refused(header(3 << 24, 0, 0), "byte 4: expected a little-endian file, found a big-endian one");
    refused(
        header(3, 0, 1 << 30),
        "byte 16: expected at most 16777216 metadata entries, found 1073741824");
    refused(header(3, 0, -1).pad(100), "metadata entries, found 1844674");
    refused(
        header(3, 0, 1).i64(1L << 40).pad(20), "expected a metadata key of at most 65535 bytes");
    refused(header(3, 0, 1).string("k").i32(13).i64(0), "expected a type from 0 to 12 for \"k\"");
    refused(header(3, 0, 1).string("k").i32(7).raw((byte) 2), "\"k\" to be 0 or 1, found 2");
    refused(
        header(3, 0, 2).string("k").i32(4).i32(1).string("k").i32(4).i32(1),
        "byte 41: expected each metadata key once, found \"k\" again");
    refused(
        header(3, 0, 1).string("k").i32(9).i32(8).i64(1 << 20).pad(8),
        "expected at least 8388657 bytes, found 72: the file seems cut short; download");
    refused(header(3, 0, 1).string("k").i32(9).i32(9).i64(1).pad(20), "a nested one, which is not");
    refused(header(3, 0, 1).string("").i32(4).i32(1).pad(9), "a metadata key of printable UTF-8");
    refused(
        header(3, 0, 1).string("general.alignment").i32(4).i32(48),
        "\"general.alignment\" to be a power of two, found 48");
  }

  @Test
  void open_damagedTensorTable_namesTheTensor() throws IOException {
    refused(tensor("t", 0, 4, 0).pad(4), "the file seems cut short; download or copy it again");
    refused(tensor("t", 0, 4, 7).pad(64), "\"t\" at a multiple of 32 bytes, found offset 7");
    refused(tensor("t", 0, 4, 1 << 20).pad(64), "expected 1048656 bytes, found 128: the file");
    refused(tensor("t", 0, 4, 1L << 60).pad(64), "tensor \"t\" inside a file of at most");
    refused(tensor("t", 0, 0, 0).pad(64), "dimensions above 0 and rows of whole blocks (F32: 1)");
    refused(tensor("t", 8, 33, 0).pad(64), "whole blocks (Q8_0: 32), found [33]");
    refused(tensor("t", 0, Long.MAX_VALUE / 2, 0).pad(64), "dimensions above 0");
    refused(tensor("t", 0, Long.MAX_VALUE / 8, 0).pad(64), "tensor \"t\" inside a file of at most");
    refused(tensor("t", 99, 4, 0).pad(64), "found type number 99, which is not supported yet");
    refused(
        header(3, 1, 0).string("t").i32(5).i64(1).pad(64), "\"t\" with 1 to 4 dimensions, found 5");
    refused(header(3, 2, 0).row("t", 0, 4, 0).row("t", 0, 4, 32).pad(99), "each tensor once");
    refused(
        header(3, 2, 0).row("t", 0, 9, 0).row("u", 0, 9, 32).pad(99),
        "tensor \"u\" after the end of \"t\"");
  }

  private void refused(Bytes content, String message) throws IOException {
    Path path = write(content);
    assertThatThrownBy(() -> GgufFile.open(path).close())
        .isInstanceOf(ModelFileException.class)
        .hasMessageStartingWith(path.toString())
        .hasMessageContaining(message);
  }

  private Path write(Bytes content) throws IOException {
    return Files.write(directory.resolve("raw.gguf"), content.bytes());
  }

  private static Bytes header(int version, long tensors, long entries) {
    return new Bytes().raw("GGUF".getBytes(US_ASCII)).i32(version).i64(tensors).i64(entries);
  }

  private static Bytes tensor(String name, int type, long dimension, long offset) {
    return header(3, 1, 0).row(name, type, dimension, offset);
  }

  /** Little-endian bytes, written by hand so that the writer is not what checks the reader. */
  private static final class Bytes {
    private final ByteBuffer buffer = ByteBuffer.allocate(1 << 12).order(ByteOrder.LITTLE_ENDIAN);

    Bytes raw(byte... bytes) {
      return with(to -> to.put(bytes));
    }

    Bytes i32(int value) {
      return with(to -> to.putInt(value));
    }

    Bytes i64(long value) {
      return with(to -> to.putLong(value));
    }

    Bytes string(String text) {
      byte[] bytes = text.getBytes(UTF_8);
      return i64(bytes.length).raw(bytes);
    }

    Bytes row(String name, int type, long dimension, long offset) {
      return string(name).i32(1).i64(dimension).i32(type).i64(offset);
    }

    /** Zeros up to the next multiple of 32 and then so many. */
    Bytes pad(int count) {
      return with(to -> to.position((to.position() + 31) / 32 * 32 + count));
    }

    byte[] bytes() {
      byte[] bytes = new byte[buffer.position()];
      buffer.get(0, bytes);
      return bytes;
    }

    private Bytes with(Consumer<ByteBuffer> change) {
      change.accept(buffer);
      return this;
    }
  }
}
