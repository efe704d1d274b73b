package dev.sojourn.server.openai;

import dev.sojourn.core.AgentHints;
import dev.sojourn.core.SessionControl;
import java.util.Map;
import java.util.Optional;

/**
 * What a request says beyond OpenAI's fields, from its body and its headers.
 *
 * @param control what it asks of a session
 * @param present whether the body has an {@code nvext}
 * @param hints what the agent knows
 * @param hintOutcomes what became of each hint, by its name
 * @param salt keeps its KV apart from that of requests with other salts
 * @param worker the name of the worker that it insists on
 * @param rank the rank that it insists on
 * @param promptIds whether the answer shall list the prompt's ids
 * @param completionIds whether the answer shall list the sampled ids
 * @param queryOnly whether it only asks where it would go
 */
record Nvext(
    Optional<SessionControl> control,
    boolean present,
    AgentHints hints,
    Map<String, String> hintOutcomes,
    String salt,
    Optional<Asserted<String>> worker,
    Optional<Asserted<Integer>> rank,
    boolean promptIds,
    boolean completionIds,
    boolean queryOnly) {

  Nvext {
    hintOutcomes = Map.copyOf(hintOutcomes);
  }
}
