package dev.sojourn.engine.sample;

/**
 * How a token is drawn from its logits.
 *
 * @param temperature divides the logits; 0 is greedy
 * @param topK keeps the k likeliest; 0 keeps all
 * @param topP keeps the smallest set whose probability reaches p; 1 keeps all
 * @param minP keeps tokens at least this share as likely as the likeliest; 0 keeps all
 * @param seed with the choice and the position, decides what is drawn
 * @param choice which of a request's {@code n} answers this is, from 0
 */
public record SamplingParameters(
    float temperature, int topK, float topP, float minP, long seed, int choice) {

  /** Always the likeliest token; of equals the lowest id. */
  public static final SamplingParameters GREEDY = new SamplingParameters(0, 0, 1, 0, 0, 0);

  public SamplingParameters {
    if (!(temperature >= 0) || Float.isInfinite(temperature)) {
      throw new IllegalArgumentException("temperature is at least 0, not " + temperature);
    }
    if (topK < 0) {
      throw new IllegalArgumentException("top_k is at least 0, not " + topK);
    }
    if (!(topP > 0 && topP <= 1)) {
      throw new IllegalArgumentException("top_p is above 0 and at most 1, not " + topP);
    }
    if (!(minP >= 0 && minP <= 1)) {
      throw new IllegalArgumentException("min_p is between 0 and 1, not " + minP);
    }
  }
}
