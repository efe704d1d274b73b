package dev.sojourn.server.openai;

import dev.sojourn.core.AgentHints;
import dev.sojourn.core.Fault;
import dev.sojourn.core.SessionControl;
import dev.sojourn.engine.TreePlace;
import java.util.Map;
import java.util.Optional;

/**
 * What a request says beyond OpenAI's fields, from its body and its headers.
 *
 * @param control what it asks of a session
 * @param params where the turn goes on, as SGLang says it, if the session is named no other way
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
    Optional<SessionParams> params,
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

  /** Returns where the turn goes on in a regular session. */
  TreePlace place() {
    return params
        .map(SessionParams::place)
        .orElseThrow(() ->
            Fault.invalid(
                    "session_params",
                    "the session is a tree of turns; session_params says where this one goes on")
                .asException());
  }

  /** Returns this with something else asked of its session. */
  Nvext with(SessionControl other) {
    return new Nvext(
        Optional.of(other),
        params,
        present,
        hints,
        hintOutcomes,
        salt,
        worker,
        rank,
        promptIds,
        completionIds,
        queryOnly);
  }
}
