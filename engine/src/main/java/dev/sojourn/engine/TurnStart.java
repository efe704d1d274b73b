package dev.sojourn.engine;

import dev.sojourn.core.LossCause;
import dev.sojourn.core.TurnMode;
import java.util.Map;

/**
 * What a turn found when it began.
 *
 * @param mode what it does to its session
 * @param promptTokens the length of its whole context before the first sampled token
 * @param reusedTokens how many of them have their KV already
 * @param losses how many tokens the session had held that are of no use any more, by cause; a cause
 *     without any is absent
 */
public record TurnStart(
    TurnMode mode, int promptTokens, int reusedTokens, Map<LossCause, Integer> losses) {

  /** Copies the map. */
  public TurnStart {
    losses = Map.copyOf(losses);
  }
}
