package dev.sojourn.engine.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sojourn.core.Tokens;
import dev.sojourn.text.TokenBytes;
import java.io.File;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Vectors of each width and plain Java give the same bits; each runs in a JVM of its own. */
class EveryWidthTest {

  @TempDir static Path directory;
  private static String expected = "";

  @BeforeAll
  static void computeHere() throws IOException {
    expected = LogitsProbe.digest(directory);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 128, 256, 512})
  void logits_withVectorsOfAWidth_haveTheBitsOfThisJvm(int bits) throws Exception {
    Outcome outcome = runJava("-Dsojourn.vector.bits=" + bits);
    assertThat(outcome.output()).contains(expected);
    assertThat(outcome.exitCode()).isZero();
  }

  @Test
  void load_ofAWidthThatIsNone_saysWhichThereAre() throws Exception {
    Outcome outcome = runJava("-Dsojourn.vector.bits=384");
    assertThat(outcome.exitCode()).isNotZero();
    assertThat(outcome.output()).contains("sojourn.vector.bits is 0, 128, 256 or 512, not 384");
  }

  @Test
  void load_withoutFmaInstructions_isRefused() throws Exception {
    Outcome outcome = runJava("-XX:-UseFMA");
    assertThat(outcome.exitCode()).isNotZero();
    assertThat(outcome.output()).contains("this CPU has no FMA instructions");
  }

  private record Outcome(int exitCode, String output) {}

  private static Outcome runJava(String option) throws IOException, InterruptedException {
    Path here = classes(LoadedModel.class);
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-modules",
                "jdk.incubator.vector",
                option,
                "-cp",
                String.join(
                    File.pathSeparator,
                    here.toString(),
                    here.resolveSibling("test-classes").toString(),
                    classes(Tokens.class).toString(),
                    classes(TokenBytes.class).toString()),
                LogitsProbe.class.getName(),
                directory.toString()));
    Path output = directory.resolve("output.txt");
    Process process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start();
    int exitCode = process.waitFor();
    return new Outcome(exitCode, Files.readString(output, StandardCharsets.UTF_8));
  }

  private static Path classes(Class<?> of) {
    try {
      return Path.of(of.getProtectionDomain().getCodeSource().getLocation().toURI());
    } catch (URISyntaxException e) {
      throw new AssertionError(e);
    }
  }
}
