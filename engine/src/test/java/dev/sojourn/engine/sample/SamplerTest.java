package dev.sojourn.engine.sample;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.sojourn.engine.kernel.Allocation;
import dev.sojourn.engine.kernel.Exp;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class SamplerTest {

  private static final float[] LOGITS = {0.5f, 2f, -1f, 2f, 1.5f, -3f};

  private static SamplingParameters parameters(
      float temperature, int topK, float topP, float minP) {
    return new SamplingParameters(temperature, topK, topP, minP, 42, 0);
  }

  private static Set<Integer> drawn(float[] logits, SamplingParameters parameters, int draws) {
    Sampler sampler = new Sampler(logits.length);
    Set<Integer> seen = new TreeSet<>();
    for (int position = 0; position < draws; position++) {
      seen.add(sampler.sample(logits, parameters, position));
    }
    return seen;
  }

  /** How often each token is drawn; the expectation is exact probabilities in double. */
  private static void assertDistribution(
      float[] logits, SamplingParameters parameters, double[] weights) {
    Sampler sampler = new Sampler(logits.length);
    int draws = 100_000;
    double[] share = new double[logits.length];
    for (int position = 0; position < draws; position++) {
      share[sampler.sample(logits, parameters, position)] += 1.0 / draws;
    }
    double total = Arrays.stream(weights).sum();
    for (int id = 0; id < logits.length; id++) {
      double p = weights[id] / total;
      double fourSigma = 4 * Math.sqrt(p * (1 - p) / draws);
      assertThat(share[id]).as("share of token %d", id).isCloseTo(p, within(fourSigma));
    }
  }

  private static double[] weights(float[] logits, double temperature, Integer... kept) {
    return IntStream.range(0, logits.length)
        .mapToDouble(id -> List.of(kept).contains(id) ? Math.exp(logits[id] / temperature) : 0)
        .toArray();
  }

  @Test
  void sample_greedy_takesTheLowestOfTheLikeliest() {
    Sampler sampler = new Sampler(LOGITS.length);
    assertThat(sampler.sample(LOGITS, SamplingParameters.GREEDY, 7)).isEqualTo(1);
  }

  @Test
  void sample_withoutCuts_drawsInProportion() {
    assertDistribution(LOGITS, parameters(1, 0, 1, 0), weights(LOGITS, 1, 0, 1, 2, 3, 4, 5));
    assertDistribution(LOGITS, parameters(3, 0, 1, 0), weights(LOGITS, 3, 0, 1, 2, 3, 4, 5));
  }

  @Test
  void sample_topK_keepsTheLikeliestAndOfEqualsTheLowestIds() {
    assertDistribution(LOGITS, parameters(1, 3, 1, 0), weights(LOGITS, 1, 1, 3, 4));
    assertThat(drawn(LOGITS, parameters(1, 1, 1, 0), 200)).containsExactly(1);
    assertThat(drawn(new float[9], parameters(1, 4, 1, 0), 500)).containsExactly(0, 1, 2, 3);
  }

  @Test
  void sample_topP_keepsTheSmallestSetThatReachesIt() {
    // Shares of LOGITS: 1 and 3 have 0.347 each, 4 has 0.210, 0 has 0.077.
    assertThat(drawn(LOGITS, parameters(1, 0, 0.34f, 0), 500)).containsExactly(1);
    assertThat(drawn(LOGITS, parameters(1, 0, 0.35f, 0), 500)).containsExactly(1, 3);
    assertDistribution(LOGITS, parameters(1, 0, 0.75f, 0), weights(LOGITS, 1, 1, 3, 4));
  }

  @Test
  void sample_topPAfterTopK_isAShareOfWhatTopKLeft() {
    // Of the two that top-k leaves each has half, so 0.45 is reached by the first alone.
    assertThat(drawn(LOGITS, parameters(1, 2, 0.45f, 0), 500)).containsExactly(1);
    assertThat(drawn(LOGITS, parameters(1, 0, 0.45f, 0), 500)).containsExactly(1, 3);
  }

  @Test
  void sample_minP_keepsWhatIsLikelyBesidesTheLikeliest() {
    // exp(1.5 - 2) = 0.607; exp(0.5 - 2) = 0.223
    assertDistribution(LOGITS, parameters(1, 0, 1, 0.5f), weights(LOGITS, 1, 1, 3, 4));
    assertThat(drawn(LOGITS, parameters(1, 0, 1, 0.2f), 2000)).containsExactly(0, 1, 3, 4);
    assertThat(drawn(LOGITS, parameters(1, 0, 1, 1), 500)).containsExactly(1, 3);
  }

  @Test
  void sample_cutsOnRandomLogits_keepWhatFullSortingKeeps() {
    long seed = 11;
    Random random = new Random(seed);
    for (int round = 0; round < 50; round++) {
      float[] logits = new float[1 + random.nextInt(40)];
      for (int i = 0; i < logits.length; i++) {
        logits[i] = random.nextInt(12) / 2f; // many ties
      }
      int topK = random.nextInt(logits.length + 2);
      float topP = random.nextBoolean() ? 1 : 0.05f + 0.9f * random.nextFloat();
      float minP = random.nextBoolean() ? 0 : random.nextFloat();
      Set<Integer> allowed = new TreeSet<>();
      List<Integer> ranked =
          IntStream.range(0, logits.length)
              .boxed()
              .sorted(Comparator.comparingDouble((Integer id) -> -logits[id]))
              .limit(topK == 0 ? logits.length : topK)
              .toList();
      double mass = ranked.stream().mapToDouble(id -> Math.exp(logits[id])).sum();
      double sum = 0;
      for (int id : ranked) {
        boolean likely = Math.exp(logits[id] - logits[ranked.getFirst()]) >= minP;
        if (likely && (topP == 1 || sum < topP * mass)) {
          allowed.add(id);
        }
        sum += Math.exp(logits[id]);
      }
      assertThat(allowed)
          .as("seed %d round %d", seed, round)
          .containsAll(drawn(logits, parameters(1, topK, topP, minP), 300))
          .as("seed %d round %d, at a temperature that makes all equal", seed, round)
          .hasSizeGreaterThan(0);
    }
  }

  /** Several blocks, the last of a few tokens, with ties within blocks and across them. */
  private static float[] manyLogits(Random random) {
    float[] logits = new float[3 * Sampler.BLOCK + 21];
    for (int i = 0; i < logits.length; i++) {
      logits[i] = Math.round(8 * random.nextGaussian()) / 3f;
    }
    return logits;
  }

  private static int[] ranked(float[] logits) {
    return IntStream.range(0, logits.length)
        .boxed()
        .sorted(Comparator.comparingDouble((Integer id) -> -logits[id]))
        .mapToInt(id -> id)
        .toArray();
  }

  @Test
  void sample_ofManyBlocks_drawsWhatOneRowOfSharesGives() {
    long seed = 12;
    Random random = new Random(seed);
    for (int round = 0; round < 300; round++) {
      float[] logits = manyLogits(random);
      int[] ranked = ranked(logits);
      float temperature = 0.2f + 2 * random.nextFloat();
      int topK = random.nextInt(3) * random.nextInt(logits.length);
      float minP = random.nextInt(2) * random.nextFloat() * random.nextFloat();
      float topP = random.nextBoolean() ? 1 : random.nextFloat();
      SamplingParameters parameters = parameters(temperature, topK, topP, minP);
      double[] weights = new double[logits.length];
      for (int id = 0; id < logits.length; id++) {
        weights[id] = Exp.exp((logits[id] - logits[ranked[0]]) * (1 / temperature));
      }
      boolean uncut = topK == 0 && topP == 1 && minP == 0;
      int[] from = uncut ? IntStream.range(0, logits.length).toArray() : ranked;
      int most = topK == 0 ? logits.length : Math.min(topK, logits.length);
      double mass = Arrays.stream(from).limit(most).mapToDouble(id -> weights[id]).sum();
      double kept = 0;
      int count = 0;
      while (count < most
          && (topP == 1 || kept < topP * mass)
          && (uncut || weights[from[count]] > 0)
          && weights[from[count]] >= minP) {
        kept += weights[from[count++]];
      }
      double share = Sampler.uniform(parameters.seed(), parameters.choice(), round);
      int drawn = 0;
      double sum = weights[from[0]];
      while (sum <= share * kept) {
        sum += weights[from[++drawn]];
      }
      Sampler sampler = new Sampler(logits.length);
      assertThat(sampler.sample(logits, parameters, round))
          .as("seed %d round %d: %s", seed, round, parameters)
          .isEqualTo(from[drawn]);
    }
  }

  @Test
  void logSumExpAndTop_ofManyBlocks_areThoseOfAllLogitsSorted() {
    long seed = 13;
    Random random = new Random(seed);
    for (int round = 0; round < 50; round++) {
      float[] logits = manyLogits(random);
      Sampler sampler = new Sampler(logits.length);
      int[] ranked = ranked(logits);
      assertThat(sampler.sample(logits, SamplingParameters.GREEDY, 0)).isEqualTo(ranked[0]);
      double sum = IntStream.of(ranked).mapToDouble(id -> Math.exp(logits[id])).sum();
      assertThat(sampler.logSumExp()).isCloseTo(Math.log(sum), within(1e-6));
      TopLogprobs top = sampler.top(20, sampler.logSumExp());
      assertThat(IntStream.range(0, 20).map(top::id).toArray())
          .isEqualTo(Arrays.copyOf(ranked, 20));
    }
  }

  @Test
  void sample_repeatedAtAPosition_drawsTheSame() {
    Sampler one = new Sampler(LOGITS.length);
    Sampler other = new Sampler(LOGITS.length);
    SamplingParameters parameters = parameters(2, 5, 0.95f, 0.01f);
    int[] first = IntStream.range(0, 100).map(p -> one.sample(LOGITS, parameters, p)).toArray();
    for (int position = 99; position >= 0; position--) {
      assertThat(other.sample(LOGITS, parameters, position)).isEqualTo(first[position]);
    }
  }

  @Test
  void uniform_ofNeighbouringCounters_isUncorrelatedAndEven() {
    int draws = 20_000;
    double[] sums = new double[3];
    double[] products = new double[3];
    for (int i = 0; i < draws; i++) {
      double u = Sampler.uniform(5, 0, i);
      assertThat(u).isBetween(0.0, Math.nextDown(1.0));
      double[] neighbours = {
        Sampler.uniform(6, 0, i), Sampler.uniform(5, 1, i), Sampler.uniform(5, 0, i + 1)
      };
      for (int k = 0; k < 3; k++) {
        sums[k] += u / draws;
        products[k] += (u - 0.5) * (neighbours[k] - 0.5) / draws;
      }
    }
    for (int k = 0; k < 3; k++) {
      assertThat(sums[k]).isCloseTo(0.5, within(4 * Math.sqrt(1 / 12.0 / draws)));
      assertThat(products[k]).isCloseTo(0, within(4 / 12.0 / Math.sqrt(draws)));
    }
  }

  @Test
  void logSumExpAndTop_giveLogProbabilitiesBeforeTemperature() {
    Sampler sampler = new Sampler(LOGITS.length);
    double exact = Math.log(IntStream.range(0, 6).mapToDouble(i -> Math.exp(LOGITS[i])).sum());
    sampler.sample(LOGITS, parameters(0.3f, 2, 0.5f, 0), 1);
    double logSumExp = sampler.logSumExp();
    assertThat(logSumExp).isCloseTo(exact, within(1e-6));
    sampler.sample(LOGITS, SamplingParameters.GREEDY, 1);
    assertThat(sampler.logSumExp()).isEqualTo(logSumExp);
    sampler.sample(LOGITS, parameters(1, 0, 1, 0), 1);
    assertThat(sampler.logSumExp()).isEqualTo(logSumExp);
    TopLogprobs top = sampler.top(4, logSumExp);
    assertThat(IntStream.range(0, top.size()).map(top::id)).containsExactly(1, 3, 4, 0);
    assertThat(top.logprob(2)).isCloseTo((float) (1.5 - exact), within(1e-6f));
    assertThat(sampler.top(20, logSumExp).size()).isEqualTo(6);
    assertThat(sampler.top(0, logSumExp)).isSameAs(TopLogprobs.NONE);
  }

  @Test
  void sample_maskedTokens_areNeverDrawn() {
    float[] logits = {Float.NEGATIVE_INFINITY, 1, Float.NEGATIVE_INFINITY, 0};
    assertThat(drawn(logits, parameters(100, 0, 1, 0), 500)).containsExactly(1, 3);
    assertThat(drawn(logits, parameters(100, 4, 0.9999f, 0), 500)).containsExactly(1, 3);
  }

  @Test
  void sample_logitsThatAreNoNumbers_failsAndSaysWhich() {
    Sampler sampler = new Sampler(3);
    SamplingParameters greedy = SamplingParameters.GREEDY;
    assertThatThrownBy(() -> sampler.sample(new float[] {0, Float.NaN, 1}, greedy, 0))
        .isInstanceOf(ArithmeticException.class)
        .hasMessageContaining("token 1");
    assertThatThrownBy(() -> sampler.sample(new float[] {2, 1, Float.NaN}, greedy, 0))
        .hasMessageContaining("token 2");
    float[] late = new float[2 * Sampler.BLOCK + 5];
    Arrays.fill(late, -1);
    late[2 * Sampler.BLOCK + 2] = Float.NaN;
    assertThatThrownBy(() -> new Sampler(late.length).sample(late, greedy, 0))
        .hasMessageContaining("token " + (2 * Sampler.BLOCK + 2) + " ");
    assertThatThrownBy(() -> sampler.sample(new float[] {Float.NaN, 1, 2}, greedy, 0))
        .hasMessageContaining("token 0");
    float low = Float.NEGATIVE_INFINITY;
    assertThatThrownBy(() -> sampler.sample(new float[] {low, low, low}, greedy, 0))
        .isInstanceOf(ArithmeticException.class);
    assertThatThrownBy(() -> sampler.sample(new float[] {0, Float.POSITIVE_INFINITY, 1}, greedy, 0))
        .isInstanceOf(ArithmeticException.class);
    assertThatThrownBy(() -> sampler.sample(new float[2], greedy, 0))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void sample_compiled_allocatesNothing() {
    Sampler sampler = new Sampler(1000);
    float[] logits = new float[1000];
    Random random = new Random(1);
    for (int i = 0; i < logits.length; i++) {
      logits[i] = random.nextFloat();
    }
    SamplingParameters cut = parameters(1, 40, 0.9f, 0.05f);
    SamplingParameters plain = parameters(1, 0, 1, 0);
    int[] position = {0};
    Allocation.assertCeases(
        "sampling",
        () -> {
          sampler.sample(logits, cut, position[0]);
          sampler.sample(logits, plain, position[0]++);
          sampler.logSumExp();
          sampler.sample(logits, SamplingParameters.GREEDY, position[0]);
          sampler.logSumExp();
        });
  }
}
