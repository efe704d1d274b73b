package dev.sojourn.core;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CountedTest {

  @ParameterizedTest
  @CsvSource({"0,0 turns", "1,1 turn", "2,2 turns", "21,21 turns"})
  void number_ofThings_isInWords(long count, String words) {
    assertThat(new Counted(count, "turn")).hasToString(words);
  }
}
