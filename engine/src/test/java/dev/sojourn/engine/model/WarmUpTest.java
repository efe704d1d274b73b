package dev.sojourn.engine.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A model that is warm has no arithmetic left to compile; each runs in a JVM of its own. */
class WarmUpTest {

  /**
   * As {@code -XX:+PrintCompilation} writes: C2, tier 4, compiled this method, or its loop. What
   * only shares out work, such as the pool or a product's choice of kernel, is called seldom enough
   * to be compiled late and costs little until then.
   */
  private static final Pattern ARITHMETIC =
      Pattern.compile(
          "\\s4\\s+dev\\.sojourn\\.engine\\."
              + "(kernel\\.(?!ComputePool|Spin)\\w+::(?!multiply )"
              + "|model\\.(KvReader|KvCache|Norm|Rope|Activation)[:$])"
              + ".*bytes\\)$");

  @TempDir Path directory;

  @ParameterizedTest
  @CsvSource({
    "qwen3, Q8_0, F32",
    "llama, F16, BF16",
    "qwen3moe, Q4_0, F16",
    "gemma3, BF16, Q8_0",
    "phi3, Q4_K, F32"
  })
  void warmUp_done_leavesNoArithmeticToCompile(String architecture, String type, String kvType)
      throws Exception {
    OtherJvm.Outcome outcome =
        OtherJvm.run(
            WarmUpProbe.class,
            List.of("-XX:+PrintCompilation"),
            directory.toString(),
            architecture,
            type,
            kvType);
    assertThat(outcome.exitCode()).as(outcome.output()).isZero();
    List<String> lines = outcome.output().lines().toList();
    int warm = lines.indexOf(WarmUpProbe.WARM);
    assertThat(lines.subList(0, warm)).anyMatch(ARITHMETIC.asPredicate());
    assertThat(lines.subList(warm, lines.indexOf(WarmUpProbe.DONE)))
        .noneMatch(ARITHMETIC.asPredicate());
  }
}
