package dev.sojourn.engine.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GgufPartsTest {

  @TempDir Path directory;

  private Path part(int number) {
    return directory.resolve("m-0000" + number + "-of-00003.gguf");
  }

  /** Writes a part, with a tensor of one number for each name. */
  private static void write(Path path, int number, int count, int all, String... tensors) {
    GgufWriter writer =
        new GgufWriter()
            .whole("split.no", number)
            .whole("split.count", count)
            .whole("split.tensors.count", all);
    for (String tensor : tensors) {
      writer.tensor(tensor, TensorType.F32, (_, row) -> row[0] = tensor.charAt(0), 1);
    }
    writer.write(path, Progress.NONE);
  }

  private void writeAll() {
    write(part(1), 0, 3, 3); // as with --no-tensor-first-split
    write(part(2), 1, 3, 3, "b", "a");
    write(part(3), 2, 3, 3, "c");
  }

  private void refused(Path path, Class<? extends ModelFileException> type, String message) {
    assertThatThrownBy(() -> GgufFile.open(path).close()).isInstanceOf(type).hasMessage(message);
  }

  /** Of parts that gguf's writer made, and that llama.cpp computes the same with. */
  @Test
  void open_theFirstOfRecordedParts_isTheWholeModel() throws URISyntaxException {
    Path first = recorded("phi3-f16-00001-of-00003.gguf");
    try (GgufFile parts = GgufFile.open(first);
        GgufFile whole = GgufFile.open(recorded("phi3-f16.gguf"))) {
      assertThat(parts.path()).isEqualTo(first);
      assertThat(parts.files())
          .containsExactly(
              first,
              first.resolveSibling("phi3-f16-00002-of-00003.gguf"),
              first.resolveSibling("phi3-f16-00003-of-00003.gguf"));
      assertThat(parts.size())
          .isEqualTo(parts.files().stream().mapToLong(file -> file.toFile().length()).sum());
      assertThat(parts.format()).isEqualTo("GGUF version 3 in 3 parts");
      assertThat(parts.metadata().keys())
          .containsAll(whole.metadata().keys())
          .hasSize(whole.metadata().keys().size() + 3);
      assertThat(parts.tensors()).hasSameSizeAs(whole.tensors());
      for (int i = 0; i < whole.tensors().size(); i++) {
        ModelTensor expected = whole.tensors().get(i);
        ModelTensor found = parts.tensors().get(i);
        assertThat(found.name()).isEqualTo(expected.name());
        assertThat(found.type()).isEqualTo(expected.type());
        assertThat(found.dimensions()).isEqualTo(expected.dimensions());
        assertThat(found.data().mismatch(expected.data())).as(found.name()).isEqualTo(-1);
      }
    }
  }

  private static Path recorded(String name) throws URISyntaxException {
    return Path.of(
        Objects.requireNonNull(GgufPartsTest.class.getResource("llamacpp/" + name), name).toURI());
  }

  @Test
  void open_aFirstPartWithoutTensors_findsThemInTheOthers() {
    writeAll();
    try (GgufFile file = GgufFile.open(part(1))) {
      assertThat(file.tensors()).extracting(ModelTensor::name).containsExactly("b", "a", "c");
      assertThat(file.tensor("c", 1).toFloats()).containsExactly('c');
      assertThatThrownBy(() -> file.tensor("c", 2))
          .hasMessageStartingWith(part(3) + ", byte ")
          .hasMessageEndingWith("expected tensor \"c\" with dimensions [2], found [1]");
    }
  }

  /** 0 is what llama.cpp leaves in a file that it merged. */
  @ParameterizedTest
  @ValueSource(ints = {0, 1})
  void open_aFileThatIsNoPart_needsNoName(int count) {
    Path path = directory.resolve("merged.gguf");
    write(path, 0, count, 1, "a");
    try (GgufFile file = GgufFile.open(path)) {
      assertThat(file.files()).containsExactly(path);
      assertThat(file.format()).isEqualTo("GGUF version 3");
    }
  }

  @Test
  void open_anotherThanTheFirst_namesTheFirst() {
    writeAll();
    refused(
        part(2),
        ModelFileException.Foreign.class,
        part(2)
            + ": expected the first of the model's 3 parts (m-00001-of-00003.gguf), found part 2");
    Path renamed = directory.resolve("x.gguf");
    write(renamed, 2, 3, 3, "c");
    refused(
        renamed,
        ModelFileException.Foreign.class,
        renamed
            + ": expected the first of the model's 3 parts (*-00001-of-00003.gguf), found part 3");
  }

  @Test
  void open_aFirstPartOfAnotherName_saysHowItIsCalled() {
    writeAll();
    Path renamed = directory.resolve("m-00001-of-00002.gguf");
    write(renamed, 0, 3, 3);
    refused(
        renamed,
        ModelFileException.Malformed.class,
        renamed
            + ": expected the name of a first part, *-00001-of-00003.gguf, by which to find the"
            + " others, found m-00001-of-00002.gguf");
  }

  @Test
  void open_withAPartMissing_namesIt() throws IOException {
    writeAll();
    Files.delete(part(3));
    refused(
        part(1),
        ModelFileException.Unreadable.class,
        part(3) + ": expected part 3 of 3 of m-00001-of-00003.gguf, found no such file");
  }

  @Test
  void open_withAPartOfAnotherModel_saysWhatIsNotTheSame() {
    writeAll();
    String which = ", being part 2 of 3 of m-00001-of-00003.gguf, found ";
    write(part(2), 2, 3, 3, "b", "a");
    refused(part(2), "\"split.no\" to be 1" + which + "2");
    write(part(2), 1, 4, 3, "b", "a");
    refused(part(2), "\"split.count\" to be 3" + which + "4");
    write(part(2), 1, 3, 9, "b", "a");
    refused(part(2), "\"split.tensors.count\" to be 3" + which + "9");
    new GgufWriter().write(part(2), Progress.NONE);
    refused(
        part(2),
        "\"split.no\" in the metadata (a whole number from 0 to 2147483647), found no such key");
  }

  @Test
  void open_withATensorInTwoPartsOrNone_isRefused() {
    writeAll();
    write(part(3), 2, 3, 3, "a");
    refused(part(3), "each tensor once, found \"a\", which m-00002-of-00003.gguf has too");
    write(part(3), 2, 3, 3);
    refused(
        part(1), "\"split.tensors.count\" to be 2, as many as its parts hold together, found 3");
  }

  /** Opening the first part is refused for what is in one of them. */
  private void refused(Path culprit, String message) {
    assertThatThrownBy(() -> GgufFile.open(part(1)).close())
        .isInstanceOf(ModelFileException.Malformed.class)
        .hasMessageStartingWith(culprit.toString())
        .hasMessageEndingWith("expected " + message);
  }
}
