package dev.sojourn.bench;

import tools.jackson.databind.JsonNode;

/**
 * What a streamed turn answered.
 *
 * @param text the answer
 * @param finishReason why it ended
 * @param usage the {@code usage} object
 * @param nvext the {@code nvext} object of the chunk with the finish reason; a missing node if none
 *     came
 * @param firstTokenNanos from the request's first byte to the first chunk with text
 * @param nanos from the request's first byte to the stream's end
 */
public record Answer(
    String text,
    String finishReason,
    JsonNode usage,
    JsonNode nvext,
    long firstTokenNanos,
    long nanos) {

  /** Returns the tokens of the prompt. */
  public int promptTokens() {
    return usage.path("prompt_tokens").asInt(0);
  }

  /** Returns how many of them were reused. */
  public int cachedTokens() {
    return usage.path("prompt_tokens_details").path("cached_tokens").asInt(0);
  }

  /** Returns the tokens of the answer. */
  public int completionTokens() {
    return usage.path("completion_tokens").asInt(0);
  }

  /** Returns what became of the turn's session; a missing node without one. */
  public JsonNode session() {
    return nvext.path("session");
  }
}
