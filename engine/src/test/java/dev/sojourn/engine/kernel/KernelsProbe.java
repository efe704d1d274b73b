package dev.sojourn.engine.kernel;

/** Runs {@link KernelsTest} in a JVM whose vectors are of another width. */
public final class KernelsProbe {

  private KernelsProbe() {}

  /** Fails if a kernel differs from plain Java, and prints which vectors did not. */
  @SuppressWarnings("JUnitMethodInvoked") // JUnit itself is not in that JVM
  public static void main(String... arguments) {
    for (WeightType type : WeightType.values()) {
      new KernelsTest().product_ofAnyShapeAndNumberOfTokens_equalsTheOracle(type);
    }
    KernelsTest test = new KernelsTest();
    test.product_ofOneTokenAndOfMany_isTheSame();
    test.squares_ofAnyLength_equalsTheOracleAndASumInDouble();
    test.sum_ofAnyLength_equalsTheOracle();
    test.exp_ofAnyLengthAndSpecialValues_equalsTheOracle();
    test.attentionOverSpans_withPoisonOutsideWhatIsSeen_equalsTheOracleAndNeverSeesIt();
    test.widen_ofEveryShort_equalsTheOracle();
    test.widen_ofBytesWithScales_equalsTheOracle();
    System.out.println("equal: " + new VectorKernels().description());
  }
}
