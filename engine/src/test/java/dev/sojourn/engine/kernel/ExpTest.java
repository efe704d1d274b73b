package dev.sojourn.engine.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class ExpTest {

  @Test
  void exp_ofEveryThousandthFloatInRange_isWithinOneUlp() {
    int worst = 0;
    for (float x = Exp.LOWEST; x < Exp.HIGHEST; x += 0.001f) {
      float expected = (float) StrictMath.exp(x);
      int ulps = Math.abs(Float.floatToIntBits(Exp.exp(x)) - Float.floatToIntBits(expected));
      worst = Math.max(worst, ulps);
    }
    assertThat(worst).isLessThanOrEqualTo(1);
  }

  @Test
  void exp_atTheEdges_isZeroOrOneOrFiniteOrNaN() {
    assertThat(Exp.exp(0f)).isEqualTo(1f);
    assertThat(Exp.exp(-0f)).isEqualTo(1f);
    assertThat(Exp.exp(Float.NEGATIVE_INFINITY)).isEqualTo(0f);
    assertThat(Exp.exp(Math.nextDown(Exp.LOWEST))).isEqualTo(0f);
    assertThat(Exp.exp(Exp.LOWEST)).isGreaterThan(Float.MIN_NORMAL);
    assertThat(Exp.exp(Float.POSITIVE_INFINITY)).isEqualTo(Exp.exp(Exp.HIGHEST)).isFinite();
    assertThat(Exp.exp(Float.NaN)).isNaN();
  }
}
