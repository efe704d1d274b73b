package dev.sojourn.engine;

import dev.sojourn.core.FinishReason;
import dev.sojourn.core.Tokens;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * How a turn ended.
 *
 * @param reason why
 * @param prompt the ids of the whole context before the first sampled token
 * @param completion the sampled ids that count: up to the cut, an end-of-turn token included
 * @param sampled how many tokens were sampled in all
 * @param visibleBytes how many bytes of the output are the answer: a stop string is cut off
 * @param stopString the stop string that matched
 * @param stopToken the end-of-turn token that was sampled
 * @param retractions how often it had to give up its pages and begin again
 * @param recomputed how many tokens were computed more than once for that
 * @param committed the session's committed length now, also if it was served aside; 0 without one
 * @param digest the digest of the session's committed tokens; 0 without one
 */
public record TurnEnd(
    FinishReason reason,
    Tokens prompt,
    Tokens completion,
    int sampled,
    int visibleBytes,
    Optional<String> stopString,
    OptionalInt stopToken,
    int retractions,
    int recomputed,
    int committed,
    long digest) {}
