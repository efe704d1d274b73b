package dev.sojourn.engine.sample;

/**
 * The likeliest tokens at a position, with their log probabilities before temperature and cuts,
 * likeliest first and of equals the lowest id first. Immutable.
 */
public final class TopLogprobs {

  /** None were asked for. */
  public static final TopLogprobs NONE = new TopLogprobs(new int[0], new float[0]);

  private final int[] ids;
  private final float[] logprobs;

  /** Creates a list from parallel arrays, which the caller gives away. */
  public TopLogprobs(int[] ids, float[] logprobs) {
    this.ids = ids;
    this.logprobs = logprobs;
  }

  /** Returns how many there are. */
  public int size() {
    return ids.length;
  }

  /** Returns the id of the i-th likeliest token. */
  public int id(int i) {
    return ids[i];
  }

  /** Returns the log probability of the i-th likeliest token. */
  public float logprob(int i) {
    return logprobs[i];
  }
}
