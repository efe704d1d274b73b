package dev.sojourn.acceptance;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The script {@code ./sojourn}, over the distribution that this build has just packaged. */
class LauncherTest {

  private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();

  @TempDir Path elsewhere;

  @BeforeAll
  static void isPackaged() throws IOException {
    Path lib = ROOT.resolve("cli/target/dist/lib");
    assumeTrue(Files.isDirectory(lib), "nothing is packaged: run the build to verify");
    try (Stream<Path> jars = Files.list(lib)) {
      assumeTrue(
          jars.anyMatch(jar -> jar.getFileName().toString().startsWith("sojourn-cli-")),
          "the command is not packaged: run the build to verify");
    }
  }

  /**
   * Links out of a temporary directory are for those who made them to remove; JUnit warns of each.
   */
  @AfterEach
  void removeLinks() throws IOException {
    List<Path> links;
    try (Stream<Path> files = Files.walk(elsewhere)) {
      links = files.filter(Files::isSymbolicLink).toList();
    }
    for (Path link : links) {
      Files.delete(link);
    }
  }

  @Test
  void anyDirectory_throughASymlink_runsTheCommand() throws Exception {
    Path link = Files.createSymbolicLink(elsewhere.resolve("s"), ROOT.resolve("sojourn"));
    assertThat(run(0, link.toString(), "version", "--json")).contains("\"sojourn\" : \"");
  }

  @Test
  void wrongWord_passesTheExitCodeOn() throws Exception {
    assertThat(run(2, ROOT.resolve("sojourn").toString(), "frob"))
        .contains("sojourn: Unmatched argument at index 0: 'frob'");
  }

  @Test
  void noJdk_saysWhatToInstall() throws Exception {
    Path script = Files.createDirectories(elsewhere.resolve("empty/.mvn")).resolve("find-jdk.sh");
    // The search itself, with nothing to be found in any of its places.
    String search = Files.readString(ROOT.resolve(".mvn/find-jdk.sh"));
    Files.writeString(script, search.replaceAll("/(usr|opt|Library)/[^ ]*", elsewhere + "/none"));
    Path copy = Files.copy(ROOT.resolve("sojourn"), elsewhere.resolve("empty/sojourn"));
    ProcessBuilder builder = new ProcessBuilder(copy.toString(), "version");
    builder.environment().keySet().removeAll(List.of("JAVA_HOME", "SOJOURN_JAVA_HOME"));
    builder.environment().put("HOME", elsewhere.toString());
    builder.environment().put("PATH", toolsWithoutJava());
    assertThat(finish(1, builder)).contains("Sojourn needs a JDK 25 and found none");
  }

  /** Makes a directory of links to the few tools that the script uses. */
  private String toolsWithoutJava() throws IOException {
    Path bin = Files.createDirectories(elsewhere.resolve("bin"));
    for (String tool : List.of("sh", "dirname", "readlink", "grep", "find", "tee", "cat")) {
      for (String place : List.of("/usr/bin/", "/bin/")) {
        if (Files.exists(Path.of(place + tool)) && !Files.exists(bin.resolve(tool))) {
          Files.createSymbolicLink(bin.resolve(tool), Path.of(place + tool));
        }
      }
    }
    return bin.toString();
  }

  private String run(int exit, String... words) throws Exception {
    return finish(exit, new ProcessBuilder(words));
  }

  private String finish(int exit, ProcessBuilder builder) throws Exception {
    Process process = builder.directory(elsewhere.toFile()).redirectErrorStream(true).start();
    String out;
    try (BufferedReader reader = process.inputReader(UTF_8)) {
      out = reader.lines().collect(Collectors.joining("\n"));
    }
    assertThat(process.waitFor()).as(out).isEqualTo(exit);
    return out;
  }
}
