package dev.sojourn.engine.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GgufWriterTest {

  private static final GgufWriter.Rows ZEROS = (row, into) -> {};

  @TempDir Path directory;

  @Test
  void write_largeTensor_reportsProgressUpToTheWhole() {
    List<Long> done = new ArrayList<>();
    GgufWriter writer = new GgufWriter().tensor("t", TensorType.F32, ZEROS, 1024, 1024);
    writer.write(
        directory.resolve("m.gguf"),
        (what, bytes, total) -> {
          assertThat(what).isEqualTo("writing m.gguf");
          assertThat(total).isEqualTo(writer.bytes());
          done.add(bytes);
        });
    assertThat(done).isSorted().hasSizeGreaterThan(3).endsWith(writer.bytes());
  }

  @Test
  void write_overAnOldFile_replacesIt() throws IOException {
    Path path = Files.writeString(directory.resolve("m.gguf"), "old");
    new GgufWriter().whole("k", 1).write(path, Progress.NONE);
    try (GgufFile file = GgufFile.open(path)) {
      assertThat(file.metadata().integer("k", 1, 1)).isEqualTo(1);
    }
  }

  @Test
  void write_failingHalfWay_leavesTheOldFileAndNothingElse() throws IOException {
    Path path = Files.writeString(directory.resolve("m.gguf"), "old");
    GgufWriter writer =
        new GgufWriter()
            .tensor(
                "t",
                TensorType.F32,
                (row, into) -> {
                  if (row == 3000) {
                    throw new IllegalStateException("no more rows");
                  }
                },
                1024,
                4096);
    assertThatThrownBy(() -> writer.write(path, Progress.NONE))
        .hasMessageContaining("no more rows");
    assertThat(path).hasContent("old");
    assertThat(directory.toFile().list()).containsExactly("m.gguf");
  }

  @Test
  void write_whereTheMoveFails_saysWhatWasNeededAndFound() {
    Path path = directory.resolve("m.gguf");
    GgufWriter writer =
        new GgufWriter()
            .tensor(
                "t",
                TensorType.F32,
                (row, into) -> {
                  try {
                    Files.createDirectories(path.resolve("in the way"));
                  } catch (IOException e) {
                    throw new UncheckedIOException(e);
                  }
                },
                4);
    assertThatThrownBy(() -> writer.write(path, Progress.NONE))
        .isInstanceOf(ModelFileException.Unwritable.class)
        .hasMessageContaining("expected " + writer.bytes() + " bytes free in " + directory)
        .hasMessageContaining(" bytes free, and: ");
    assertThat(directory.toFile().list()).containsExactly("m.gguf");
  }

  @Test
  void write_moreThanTheDiskHolds_isRefusedBeforeAByteIsWritten() {
    Path path = directory.resolve("m.gguf");
    GgufWriter writer = new GgufWriter().tensor("t", TensorType.F32, ZEROS, 1 << 20, 1L << 30);
    assertThatThrownBy(() -> writer.write(path, Progress.NONE))
        .isInstanceOf(ModelFileException.Unwritable.class)
        .hasMessageMatching(
            ".*expected " + writer.bytes() + " bytes free in .*, found \\d+ bytes free");
    assertThat(directory.toFile().list()).isEmpty();
  }

  @Test
  void write_whereNoFileCanBe_isRefused() throws IOException {
    GgufWriter writer = new GgufWriter();
    assertThatThrownBy(() -> writer.write(directory, Progress.NONE))
        .hasMessage(directory + ": expected a file to write, found a directory");
    assertThatThrownBy(() -> writer.write(directory.resolve("absent/m.gguf"), Progress.NONE))
        .isInstanceOf(ModelFileException.Unwritable.class)
        .hasMessageEndingWith(
            "expected a file in an existing directory, found no directory "
                + directory.resolve("absent"));
    Path file = Files.createFile(directory.resolve("file"));
    assertThatThrownBy(() -> writer.write(file.resolve("m.gguf"), Progress.NONE))
        .hasMessageEndingWith("found no directory " + file);
  }

  @Test
  void add_whatCannotBeWritten_isRefused() {
    GgufWriter writer = new GgufWriter().whole("k", 1).tensor("t", TensorType.F32, ZEROS, 4);
    assertThatThrownBy(() -> writer.text("k", "")).hasMessage("key k is there already");
    assertThatThrownBy(() -> writer.whole("n", -1)).hasMessage("n must not be negative, is -1");
    assertThatThrownBy(() -> writer.tensor("t", TensorType.F32, ZEROS, 4))
        .hasMessage("tensor t is there already");
    assertThatThrownBy(() -> writer.tensor("u", TensorType.Q8_0, ZEROS, 40))
        .hasMessageEndingWith("rows of a multiple of 32, not [40]");
    assertThatThrownBy(() -> writer.tensor("u", TensorType.Q3_K, ZEROS, 256))
        .hasMessageStartingWith("tensor type Q3_K; supported are F32");
  }
}
