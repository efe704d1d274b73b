package dev.sojourn.engine;

import dev.sojourn.core.AgentHints;
import dev.sojourn.core.Namespace;
import dev.sojourn.core.Tokens;
import dev.sojourn.engine.sample.SamplingParameters;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * One generation.
 *
 * @param requestId unique among running requests; cancels name it
 * @param namespace whose KV it may share
 * @param session its session, if any
 * @param input the prompt's ids: the whole context, or what follows the session's committed tokens
 * @param maxTokens the most tokens to sample; at least 1
 * @param sampling how they are drawn
 * @param stop what ends it earlier
 * @param topLogprobs how many alternatives to report with each token, beside its own log
 *     probability; no log probability is computed if empty
 * @param hints what the agent knows of it
 */
public record TurnRequest(
    String requestId,
    Namespace namespace,
    Optional<SessionTurn> session,
    Tokens input,
    int maxTokens,
    SamplingParameters sampling,
    StopRules stop,
    OptionalInt topLogprobs,
    AgentHints hints) {

  public TurnRequest {
    if (maxTokens < 1) {
      throw new IllegalArgumentException("max_tokens is at least 1, not " + maxTokens);
    }
    if (topLogprobs.orElse(0) < 0) {
      throw new IllegalArgumentException(
          "top_logprobs is at least 0, not " + topLogprobs.getAsInt());
    }
  }
}
