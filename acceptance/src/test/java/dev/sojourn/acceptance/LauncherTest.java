package dev.sojourn.acceptance;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

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
    assertThat(run(0, link.toString(), "version", "--json"))
        .contains("\"sojourn\" : \"")
        .doesNotContain("CompileCommand"); // which the JVM would tell of among results
  }

  @Test
  void wrongWord_passesTheExitCodeOn() throws Exception {
    assertThat(run(2, ROOT.resolve("sojourn").toString(), "frob"))
        .contains("sojourn: there is no command 'frob'");
  }

  @ParameterizedTest
  @ValueSource(strings = {"serve", "bench engine --quick"})
  void processorWithoutFma_isRefusedInOneLine(String command) throws Exception {
    List<String> words = new ArrayList<>(List.of(ROOT.resolve("sojourn").toString()));
    words.addAll(List.of(command.split(" ")));
    ProcessBuilder builder = new ProcessBuilder(words);
    builder.environment().put("SOJOURN_JVM_ARGS", "-XX:-UseFMA");
    builder.environment().put("XDG_CACHE_HOME", elsewhere.toString()); // where no model is yet
    assertThat(finish(1, builder).lines())
        .filteredOn(line -> !line.startsWith("WARNING: Using incubator modules"))
        .containsExactly(
            "sojourn: this CPU has no FMA instructions, or the JVM does not use them"
                + " (-XX:+UseFMA); Sojourn's engine needs FMA3 on x86 or NEON on ARM");
  }

  /** 1.15 times the weights and 300 MB, at any time so far: with no KV in use yet, nor the file. */
  @Test
  @EnabledOnOs(OS.LINUX)
  void serve_whenReady_hasTakenNoMoreMemoryThanItsBoundAndLetGoOfTheFile() throws Exception {
    Path model = elsewhere.resolve("m.gguf");
    String launcher = ROOT.resolve("sojourn").toString();
    run(0, launcher, "model", "synth", model.toString());
    ProcessBuilder builder =
        new ProcessBuilder(
            launcher, "serve", "--model", model.toString(), "--kv-tokens", "2048", "--port", "0");
    Process server = builder.directory(elsewhere.toFile()).redirectErrorStream(true).start();
    try (BufferedReader says = server.inputReader(UTF_8)) {
      assertThat(says.lines().anyMatch(line -> line.contains("http://"))).isTrue();
      Path status = Path.of("/proc/" + server.pid() + "/status");
      String peak =
          Files.readAllLines(status).stream()
              .filter(l -> l.startsWith("VmHWM"))
              .findAny()
              .orElseThrow();
      long kilobytes = Long.parseLong(peak.replaceAll("\\D", ""));
      assertThat(kilobytes).isLessThan(Files.size(model) * 115 / 100 / 1024 + 300 * 1024);
      assertThat(Files.readString(Path.of("/proc/" + server.pid() + "/maps")))
          .contains("/libjvm.so") // as a file is named there
          .doesNotContain(model.getFileName().toString());
    } finally {
      server.destroy();
      server.waitFor();
    }
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
    builder.environment().put("PATH", tools());
    assertThat(finish(1, builder)).contains("Sojourn needs a JDK 25 and found none");
    builder.environment().put("SOJOURN_JAVA_HOME", elsewhere + "/none");
    assertThat(finish(2, builder))
        .contains("SOJOURN_JAVA_HOME is '" + elsewhere + "/none', where no JDK 25 is");
  }

  /**
   * Two first starts at once, of a copy whose build waits for a word from us: with the lock that
   * the system has, and with the one for systems without flock.
   */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void twoFirstStarts_buildOnce(boolean withFlock) throws Exception {
    Path root = copy("echo runs");
    script(
        root.resolve("mvnw"),
        """
        echo built >>builds
        read -r word <go
        mkdir -p cli/target/dist/lib
        : >cli/target/dist/lib/sojourn-cli-1.jar\
        """);
    Path launcher = root.resolve("sojourn");
    String path = tools(withFlock ? "flock" : "sleep");
    finish(0, new ProcessBuilder("mkfifo", root.resolve("go").toString()));
    ProcessBuilder builder = new ProcessBuilder(launcher.toString()).redirectErrorStream(true);
    builder.environment().put("PATH", path);
    Process first = builder.start();
    try (BufferedReader firstSays = first.inputReader(UTF_8)) {
      assertThat(firstSays.readLine()).startsWith("Building Sojourn");
      Process second = builder.start();
      try (BufferedReader secondSays = second.inputReader(UTF_8)) {
        assertThat(secondSays.readLine()).contains("is building; waiting for it.");
        Files.writeString(root.resolve("go"), "on\n");
        assertThat(firstSays.readLine()).isEqualTo("runs");
        assertThat(secondSays.readLine()).isEqualTo("runs");
      }
      assertThat(second.waitFor()).isZero();
    }
    assertThat(first.waitFor()).isZero();
    assertThat(Files.readAllLines(root.resolve("builds"))).hasSize(1);
  }

  /** Patterns are words for the JVM, whatever files there are that they would match. */
  @Test
  void arguments_ofTheJvm_areNoPatternsOfFiles() throws Exception {
    Path root = copy("printf '%s\\n' \"$@\"");
    Path lib = Files.createDirectories(root.resolve("cli/target/dist/lib"));
    Files.writeString(lib.resolve("sojourn-cli-1.jar"), "");
    String kernels = "CompileThresholdScaling,dev.sojourn.engine.kernel.*::*,0.1";
    Files.writeString(elsewhere.resolve("-XX:CompileCommand=" + kernels.replace('*', 'a')), "");
    assertThat(run(0, root.resolve("sojourn").toString(), "version").lines())
        .contains("-XX:CompileCommand=" + kernels, "-XX:CompileCommand=quiet")
        .contains(lib + "/*")
        .endsWith("dev.sojourn.cli.Main", "version");
  }

  /** Makes a place with nothing built, and a JDK whose java does what is said. */
  private Path copy(String java) throws IOException {
    Path root = Files.createDirectories(elsewhere.resolve("fresh"));
    Files.createDirectories(root.resolve("cli/src/main"));
    Files.createDirectories(root.resolve(".mvn"));
    Files.writeString(root.resolve("pom.xml"), "");
    Files.writeString(root.resolve("cli/pom.xml"), "");
    Files.writeString(root.resolve(".mvn/find-jdk.sh"), "JAVA_HOME=" + root + "/jdk\n");
    script(Files.createDirectories(root.resolve("jdk/bin")).resolve("java"), java);
    Files.copy(ROOT.resolve("sojourn"), root.resolve("sojourn"));
    return root;
  }

  private static void script(Path file, String text) throws IOException {
    Files.writeString(file, "#!/bin/sh\n" + text + "\n");
    assertThat(file.toFile().setExecutable(true)).isTrue();
  }

  /** Makes a directory of links to the few tools that the script uses. */
  private String tools(String... more) throws IOException {
    Path bin = Files.createDirectories(elsewhere.resolve("bin"));
    List<String> tools = new ArrayList<>(List.of(more));
    tools.addAll(List.of("sh", "dirname", "readlink", "grep", "find", "tee", "cat"));
    tools.addAll(List.of("mkdir", "rm"));
    for (String tool : tools) {
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
