package dev.sojourn.engine.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
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
    OtherJvm.Outcome outcome = probe("-Dsojourn.vector.bits=" + bits);
    assertThat(outcome.output()).contains(expected);
    assertThat(outcome.exitCode()).isZero();
  }

  @Test
  void load_ofAWidthThatIsNone_saysWhichThereAre() throws Exception {
    OtherJvm.Outcome outcome = probe("-Dsojourn.vector.bits=384");
    assertThat(outcome.exitCode()).isNotZero();
    assertThat(outcome.output()).contains("sojourn.vector.bits is 0, 128, 256 or 512, not 384");
  }

  @Test
  void load_withoutFmaInstructions_isRefused() throws Exception {
    OtherJvm.Outcome outcome = probe("-XX:-UseFMA");
    assertThat(outcome.exitCode()).isNotZero();
    assertThat(outcome.output()).contains("this CPU has no FMA instructions");
  }

  private static OtherJvm.Outcome probe(String option) throws IOException, InterruptedException {
    return OtherJvm.run(LogitsProbe.class, List.of(option), directory.toString());
  }
}
