package dev.sojourn.acceptance;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Runs every example of the README and of {@code docs} against {@code sojourn serve}, a process of
 * its own as a reader would start it. Blocks marked {@code sh} and {@code python} are run in order;
 * a {@code json} or {@code text} block right behind one is what it prints, where an ellipsis stands
 * for anything and white space does not count.
 */
class DocumentationTest {

  private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();
  private static final Pattern BLOCK =
      Pattern.compile("^```(\\w+)\\n(.*?)^```$", Pattern.MULTILINE | Pattern.DOTALL);
  private static final Pattern ADDRESS = Pattern.compile(" at (http://127\\.0\\.0\\.1:\\d+) ");

  @TempDir static Path directory;

  private static Process server;
  private static BufferedReader serverOutput;
  private static String url = "";

  /** One fenced block. */
  private record Block(String language, String text) {}

  @BeforeAll
  static void serve() throws IOException {
    Files.writeString(directory.resolve("sojourn"), "#!/bin/sh\nexec " + command("\"$@\"") + "\n");
    assertThat(directory.resolve("sojourn").toFile().setExecutable(true)).isTrue();
    ProcessBuilder builder =
        new ProcessBuilder(
            directory.resolve("sojourn").toString(), "serve", "--port", "0", "--kv-tokens", "8192");
    builder.environment().put("SOJOURN_CACHE", directory.resolve("cache").toString());
    server = builder.redirectErrorStream(true).start();
    serverOutput = server.inputReader(UTF_8);
    StringBuilder seen = new StringBuilder();
    for (String line = serverOutput.readLine(); line != null; line = serverOutput.readLine()) {
      seen.append(line).append('\n');
      Matcher address = ADDRESS.matcher(line);
      if (address.find()) {
        url = address.group(1);
        // No library may print the JVM's warning about sun.misc.Unsafe.
        assertThat(seen.toString()).doesNotContain("terminally deprecated", "Exception");
        return;
      }
    }
    throw new AssertionError("serve ended before it told its address:\n" + seen);
  }

  @AfterAll
  static void stop() throws Exception {
    assertThat(server.toHandle().destroy())
        .isTrue(); // SIGTERM; Process.destroy would cut its output
    List<String> last = serverOutput.lines().toList();
    assertThat(server.waitFor(30, TimeUnit.SECONDS)).isTrue();
    assertThat(server.exitValue()).isEqualTo(128 + 15);
    assertThat(String.join("\n", last)).contains("Stopping").doesNotContain("Exception");
  }

  static List<Path> pages() throws IOException {
    try (Stream<Path> docs = Files.list(ROOT.resolve("docs"))) {
      return Stream.concat(Stream.of(ROOT.resolve("README.md")), docs)
          .filter(page -> page.toString().endsWith(".md"))
          .sorted()
          .map(ROOT::relativize)
          .toList();
    }
  }

  @ParameterizedTest
  @MethodSource("pages")
  void examples_runAsThePageSays(Path page) throws Exception {
    List<Block> blocks = new ArrayList<>();
    Matcher matcher = BLOCK.matcher(Files.readString(ROOT.resolve(page)));
    while (matcher.find()) {
      blocks.add(new Block(matcher.group(1), matcher.group(2)));
    }
    String printed = "";
    for (Block block : blocks) {
      switch (block.language()) {
        case "sh" -> printed = run(block.text(), "sh", "-eu", "-c", local(block.text()));
        case "python" -> printed = python(block);
        case "json", "text" -> assertPrints(printed, block);
        case "console", "yaml" -> {} // a transcript of commands tested elsewhere; a file
        default -> throw new AssertionError("what is a block of " + block.language() + "?");
      }
    }
  }

  @Test
  void configurationPage_hasEveryOptionOfServe() throws Exception {
    String help = run("serve --help", directory.resolve("sojourn").toString(), "serve", "--help");
    String page = Files.readString(ROOT.resolve("docs/configuration.md"));
    List<String> options =
        Pattern.compile("--(?:\\[no-])?[a-z-]+")
            .matcher(help.lines().filter(l -> l.startsWith("  ")).collect(Collectors.joining("\n")))
            .results()
            .map(result -> result.group())
            .distinct()
            .filter(option -> !option.equals("--help"))
            .toList();
    assertThat(options).hasSizeGreaterThan(15);
    assertThat(options).allSatisfy(option -> assertThat(page).contains(option));
  }

  private static String python(Block block) throws Exception {
    Optional<String> chosen = Optional.ofNullable(System.getenv("SOJOURN_PYTHON"));
    if (chosen.isEmpty()) {
      return ""; // PythonSdkTest says whether that is as it should be
    }
    return run(block.text(), chosen.get(), "-c", local(block.text()));
  }

  /** Returns an example with our address and our command in place of the reader's. */
  private static String local(String text) {
    return text.replace("http://127.0.0.1:8000", url)
        .replace(
            "./sojourn sessions list", directory.resolve("sojourn") + " sessions list --url " + url)
        .replace("./sojourn smoke", directory.resolve("sojourn") + " smoke " + url);
  }

  private static void assertPrints(String printed, Block block) {
    if (printed.isEmpty()) {
      return;
    }
    String pattern =
        Arrays.stream(block.text().replaceAll("\\s+", "").split("…", -1))
            .map(Pattern::quote)
            .collect(Collectors.joining(".*"));
    String actual = printed.replaceAll("\\s+", "");
    assertThat(Pattern.compile(pattern, Pattern.DOTALL).matcher(actual).matches())
        .as("printed:%n%s%nbut the page says:%n%s", printed, block.text())
        .isTrue();
  }

  private static String run(String what, String... words) throws Exception {
    ProcessBuilder builder = new ProcessBuilder(words).directory(ROOT.toFile());
    builder.redirectError(directory.resolve("stderr").toFile());
    Process process = builder.start();
    String out;
    try (BufferedReader reader = process.inputReader(UTF_8)) {
      out = reader.lines().collect(Collectors.joining("\n"));
    }
    assertThat(process.waitFor())
        .as(what + "\n" + out + Files.readString(directory.resolve("stderr")))
        .isZero();
    return out;
  }

  private static String command(String arguments) {
    return Path.of(System.getProperty("java.home"), "bin", "java")
        + " --add-modules jdk.incubator.vector --enable-native-access=ALL-UNNAMED -cp '"
        + System.getProperty("java.class.path")
        + "' dev.sojourn.cli.Main "
        + arguments;
  }
}
