package dev.sojourn.core;

import java.time.Duration;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * What an agent knows of its request: {@code nvext.agent_hints} and {@code nvext.cache_control}.
 * Hints steer what is evicted first and who runs first; they never change an answer.
 *
 * @param priority higher is kept longer and served sooner; 0 where the client says nothing
 * @param expectedOutput how many tokens the agent expects ({@code osl})
 * @param retention how long the priority holds for the request's pages; the session's life if empty
 */
public record AgentHints(int priority, OptionalInt expectedOutput, Optional<Duration> retention) {

  /** No hints. */
  public static final AgentHints NONE = new AgentHints(0, OptionalInt.empty(), Optional.empty());
}
