package dev.sojourn.server.openai;

/**
 * What a turn asks, as far as it decides its answer.
 *
 * @param said messages, text or ids; equal to others that say the same
 * @param options how to generate
 * @param seeded whether the client chose the seed
 */
record Question(Object said, GenerationOptions options, boolean seeded) {

  /** Returns whether the answer to an earlier question is an answer to this one. */
  boolean repeats(Question earlier) {
    return said.equals(earlier.said)
        && options.shape().equals(earlier.options.shape())
        && (!seeded || options.seed() == earlier.options.seed());
  }
}
