package dev.sojourn.engine.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A model that is warm has no arithmetic left to compile; each runs in a JVM of its own. */
class WarmUpTest {

  /** The launcher's; see decision 0056. */
  private static final List<String> OPTIONS =
      List.of(
          "-XX:Tier3DelayOn=100",
          "-XX:CompileCommand=quiet",
          "-XX:CompileCommand=CompileThresholdScaling,dev.sojourn.engine.kernel.*::*,0.1",
          "-XX:+PrintCompilation");

  /**
   * As {@code -XX:+PrintCompilation} writes: C2, tier 4, compiled this method, or its loop. All
   * that loops over numbers, pages or experts on the path of a token. What only shares out work to
   * those, such as the pool, a product's choice of kernel and the rows of a group, is called seldom
   * enough to be compiled late and costs little until then.
   */
  private static final Pattern ARITHMETIC =
      Pattern.compile(
          "\\s4\\s+dev\\.sojourn\\.engine\\."
              + "(kernel\\.(?!ComputePool|Spin)\\w+::(?!multiply )"
              + "|model\\.(KvReader|KvCache|Norm|Rope|Activation)[:$]"
              + "|model\\.(Attention::(?!run )|ExpertStep::(choose|group|combine) )"
              + "|model\\.ForwardPass::(addTo|times) "
              + "|sample\\.(Ranking::|Sampler::(look|weigh|drawFrom[BL]|mass|topOfBlock)))"
              + ".*bytes\\)$");

  private static final String TRAPPED = "made not entrant: uncommon trap";

  /** What was compiled for less than it meets, and is slow until it is compiled anew. */
  private static final Pattern THROWN_AWAY =
      Pattern.compile(
          "\\s4\\s+dev\\.sojourn\\.engine\\.(?!kernel\\.ComputePool|model\\.WarmUpProbe)"
              + ".*"
              + TRAPPED
              + "$");

  @TempDir Path directory;

  @ParameterizedTest
  @CsvSource({
    "llama, BF16, BF16",
    "qwen3moe, Q8_0, F16",
    "gemma3, F16, Q8_0",
    "phi3, Q4_K, F32",
  })
  void warmUp_done_leavesNoArithmeticToCompile(String architecture, String type, String kvType)
      throws Exception {
    OtherJvm.Outcome outcome =
        OtherJvm.run(
            WarmUpProbe.class, OPTIONS, directory.toString(), architecture, type, kvType, "200");
    assertThat(outcome.exitCode()).as(outcome.output()).isZero();
    // Cut in the text: C2's threads write while the program does, perhaps into its line.
    String output = outcome.output();
    assertThat(output).contains(WarmUpProbe.WARM, WarmUpProbe.DONE);
    int warm = output.indexOf(WarmUpProbe.WARM);
    assertThat(output.substring(0, warm).lines())
        .anyMatch(ARITHMETIC.asPredicate())
        .anyMatch(line -> line.endsWith(TRAPPED)); // as this JVM says it, of whatever code
    assertThat(output.substring(warm, output.indexOf(WarmUpProbe.DONE)).lines())
        .noneMatch(ARITHMETIC.asPredicate())
        .noneMatch(THROWN_AWAY.asPredicate());
  }

  @Test
  void warmUp_whereVectorsStayObjects_saysSo() throws Exception {
    List<String> options = new ArrayList<>(OPTIONS);
    // What C2 did by itself now and then: vectors that go round a loop are objects.
    options.add("-XX:+UnlockExperimentalVMOptions");
    options.add("-XX:-EnableVectorReboxing");
    OtherJvm.Outcome outcome =
        OtherJvm.run(WarmUpProbe.class, options, directory.toString(), "llama", "Q5_0", "F16", "0");
    assertThat(outcome.output())
        .contains("this JVM makes objects of vectors", WarmUpProbe.WARM, WarmUpProbe.DONE);
  }
}
