package dev.sojourn.engine.model;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CompileQueueTest {

  @ParameterizedTest
  @CsvSource({
    "true, C2 CompilerThread0 2363    4    dev.sojourn.engine.kernel.OneToken::q8 (9 bytes)",
    "true, C2 CompilerThread0 2363  %  4    dev.sojourn.engine.model.Rope::angles @ 4 (9 bytes)",
    "false, C1 CompilerThread0 2363  %  3    dev.sojourn.engine.model.Rope::angles (9 bytes)",
    "false, C2 CompilerThread0 2363    4    java.lang.String::length (9 bytes)",
    "false, C2 compile queue: Empty"
  })
  void hasOurs_saysWhetherC2HasMethodsOfTheEngine(boolean expected, String queue) {
    assertThat(CompileQueue.hasOurs(queue)).isEqualTo(expected);
    assertThat(CompileQueue.hasOurs("9 3 dev.sojourn.engine.X::y\n" + queue)).isEqualTo(expected);
  }
}
