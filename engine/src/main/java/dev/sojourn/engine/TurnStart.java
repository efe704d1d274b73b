package dev.sojourn.engine;

import dev.sojourn.core.LossCause;
import dev.sojourn.core.TurnMode;

/**
 * What a turn found when it began.
 *
 * @param mode what it does to its session
 * @param promptTokens the length of its whole context before the first sampled token
 * @param reusedTokens how many of them have their KV already
 * @param lostTokens how many tokens that the session had held were not resident any more
 * @param cause why
 */
public record TurnStart(
    TurnMode mode, int promptTokens, int reusedTokens, int lostTokens, LossCause cause) {}
