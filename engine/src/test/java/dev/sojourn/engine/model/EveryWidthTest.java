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

/**
 * Vectors of each width and plain Java give the same bits for generated models, batches, chunks,
 * threads and states of the cache; each width runs in a JVM of its own.
 *
 * <p>{@code -Dsojourn.combinations=N} generates more, {@code -Dsojourn.combinations.seed=N} others.
 */
class EveryWidthTest {

  /** Each weight type with two architectures. */
  private static final int COMBINATIONS = Integer.getInteger("sojourn.combinations", 22);

  private static final long SEED = Long.getLong("sojourn.combinations.seed", 20261121);

  @TempDir static Path directory;

  @BeforeAll
  static void computeHere() throws IOException {
    CombinationsProbe.prepare(directory, Combination.generate(SEED, COMBINATIONS));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 128, 256, 512})
  void run_withVectorsOfAWidth_hasTheBitsOfThisJvmAndOfPlainJava(int bits) throws Exception {
    OtherJvm.Outcome outcome = probe("-Dsojourn.vector.bits=" + bits, SEED + bits);
    assertThat(outcome.exitCode()).as("seed %d: %s", SEED, outcome.output()).isZero();
    assertThat(outcome.output()).containsPattern("compared [1-9]\\d{2,}");
    if (bits != 0) {
      assertThat(outcome.output()).contains("equal: " + bits + "-bit vectors");
    }
  }

  @Test
  void load_ofAWidthThatIsNone_saysWhichThereAre() throws Exception {
    OtherJvm.Outcome outcome = probe("-Dsojourn.vector.bits=384", SEED);
    assertThat(outcome.exitCode()).isNotZero();
    assertThat(outcome.output()).contains("sojourn.vector.bits is 0, 128, 256 or 512, not 384");
  }

  @Test
  void load_withoutFmaInstructions_isRefused() throws Exception {
    OtherJvm.Outcome outcome = probe("-XX:-UseFMA", SEED);
    assertThat(outcome.exitCode()).isNotZero();
    assertThat(outcome.output()).contains("this CPU has no FMA instructions");
  }

  private static OtherJvm.Outcome probe(String option, long seedOfRuns)
      throws IOException, InterruptedException {
    return OtherJvm.run(
        CombinationsProbe.class,
        List.of(option),
        directory.toString(),
        Long.toString(SEED),
        Integer.toString(COMBINATIONS),
        Long.toString(seedOfRuns));
  }
}
