package dev.sojourn.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class TokensTest {

  private final Tokens tokens = Tokens.of(10, 11, 12, 13, 14);

  @Test
  void slice_ofASlice_countsFromItsOwnStart() {
    Tokens inner = tokens.slice(1, 5).slice(1, 3);

    assertThat(inner).isEqualTo(Tokens.of(12, 13)).hasSameHashCodeAs(Tokens.of(12, 13));
    assertThat(inner.get(0)).isEqualTo(12);
    assertThatThrownBy(() -> inner.get(2)).isInstanceOf(IndexOutOfBoundsException.class);
  }

  @Test
  void mismatch_ofAPrefix_isItsLength() {
    assertThat(tokens.mismatch(tokens.slice(0, 3))).isEqualTo(3);
    assertThat(tokens.mismatch(Tokens.of(10, 99))).isEqualTo(1);
    assertThat(tokens.mismatch(Tokens.of(10, 11, 12, 13, 14))).isEqualTo(5);
  }

  @Test
  void concat_keepsBothInOrder() {
    assertThat(tokens.slice(3, 5).concat(tokens.slice(0, 2))).isEqualTo(Tokens.of(13, 14, 10, 11));
  }

  @Test
  void toString_ofALongContext_showsItsLengthAndNotItsContent() {
    assertThat(Tokens.of(IntStream.range(0, 1000).toArray()))
        .hasToString("[0, 1, 2, 3, 4, 5, 6, 7, … 1000]");
  }
}
