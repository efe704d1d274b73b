package dev.sojourn.engine.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class WholeFileTest {

  private static final String LEFT = ".file.0123456789abcdef.part";

  @TempDir Path directory;
  private Path target;

  @BeforeEach
  void setTarget() {
    target = directory.resolve("file");
  }

  private static void one(FileChannel channel) throws IOException {
    channel.write(ByteBuffer.wrap(new byte[] {1}));
  }

  private List<String> names() throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }

  @Test
  void write_thatFails_leavesTheOldFileAndNothingElse() throws IOException {
    Files.write(target, new byte[] {7});
    WholeFile.Content failing =
        channel -> {
          one(channel);
          throw new IOException("no more");
        };
    assertThatThrownBy(() -> WholeFile.write(target, 1, List.of(), failing))
        .isInstanceOf(ModelFileException.Unwritable.class)
        .hasMessageContaining("no more");
    assertThat(names()).containsExactly("file");
    assertThat(target).hasBinaryContent(new byte[] {7});
  }

  @Test
  void write_afterAProcessThatWasKilled_deletesWhatItLeft() throws IOException {
    Files.write(directory.resolve(LEFT), new byte[10]);
    Files.write(directory.resolve(".file.other.part"), new byte[10]);
    Files.write(directory.resolve(".files.0123456789abcdef.part"), new byte[10]);
    Files.createSymbolicLink(directory.resolve(".file.0.part"), directory.resolve("elsewhere"));
    WholeFile.write(target, 1, List.of(), WholeFileTest::one);
    assertThat(names())
        .containsExactly(
            ".file.0.part", ".file.other.part", ".files.0123456789abcdef.part", "file");
  }

  @Test
  void write_whileAnotherIsWriting_leavesItsPart() throws IOException {
    WholeFile.write(
        target,
        1,
        List.of(),
        channel -> {
          WholeFile.write(target, 1, List.of(), WholeFileTest::one);
          channel.write(ByteBuffer.wrap(new byte[] {2}));
        });
    assertThat(names()).containsExactly("file");
    assertThat(target).hasBinaryContent(new byte[] {2});
  }

  @ParameterizedTest
  @CsvSource({
    "rw-------, rw-r--r--, rw-------",
    "rw-r-----, rw-r--r--, rw-r-----",
    "r--r--r--, rwxr-xr-x, rw-r--r--",
    "rw----r--, rw-rw-rw-, rw----r--",
    "rw-r-----, rw----r--, rw-------",
  })
  void write_fromSources_isReadableByThoseWhoMayReadAll(String one, String two, String expected)
      throws IOException {
    assumeThat(directory.getFileSystem().supportedFileAttributeViews()).contains("posix");
    List<Path> sources = List.of(source("one", one), source("two", two));
    WholeFile.write(
        target,
        1,
        sources,
        channel -> {
          one(channel);
          Path part = directory.resolve(names().getFirst());
          assertThat(part).isNotEqualTo(target);
          assertThat(permissions(part)).isEqualTo(expected);
        });
    assertThat(permissions(target)).isEqualTo(expected);
  }

  private Path source(String name, String permissions) throws IOException {
    Path source = Files.createFile(directory.resolve(name));
    return Files.setPosixFilePermissions(source, PosixFilePermissions.fromString(permissions));
  }

  private static String permissions(Path file) throws IOException {
    return PosixFilePermissions.toString(Files.getPosixFilePermissions(file));
  }
}
