package dev.sojourn.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class MetricsTest {

  private static final String TEXT =
      """
      # HELP pages Pages.
      # TYPE pages gauge
      pages{worker="local",rank="0"} 12.0
      pages{worker="a } b",rank="1"} 3
      pages_free 4.5e3 1700000000
      bucket{le="+Inf"} +Inf
      """;

  @Test
  void sum_overLabels_countsThatNameAlone() {
    Metrics metrics = Metrics.parse(TEXT);
    assertThat(metrics.sum("pages")).isEqualTo(15);
    assertThat(metrics.sum("pages_free")).isEqualTo(4500);
    assertThat(metrics.sum("bucket")).isPositive().isInfinite();
    assertThat(metrics.sum("page")).isZero();
  }

  @Test
  void has_namesWhole() {
    Metrics metrics = Metrics.parse(TEXT);
    assertThat(metrics.has("pages")).isTrue();
    assertThat(metrics.has("pages_free")).isTrue();
    assertThat(metrics.has("page")).isFalse();
  }

  @Test
  void parse_lineWithoutValue_isRefused() {
    assertThatThrownBy(() -> Metrics.parse("pages\n"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("pages");
  }
}
