package dev.sojourn.server.sessions;

import dev.sojourn.core.LossCause;
import dev.sojourn.core.TurnMode;
import java.util.Collections;
import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;

/**
 * What the turns of one session came to. Immutable.
 *
 * @param turns how many there were of each mode
 * @param reused tokens of prompts whose KV was there
 * @param computed tokens of prompts that were computed
 * @param lost tokens that the session had held and that were computed again, by cause
 * @param moves how often it went on elsewhere
 * @param held how many tokens it held after the last turn that committed
 * @param last the last turn
 */
public record Account(
    Map<TurnMode, Long> turns,
    long reused,
    long computed,
    Map<LossCause, Long> lost,
    long moves,
    int held,
    Optional<Turn> last) {

  static final Account EMPTY = new Account(Map.of(), 0, 0, Map.of(), 0, 0, Optional.empty());

  /** Makes the maps unmodifiable. */
  public Account {
    turns = Collections.unmodifiableMap(turns);
    lost = Collections.unmodifiableMap(lost);
  }

  /**
   * One turn.
   *
   * @param mode what it did to its session
   * @param prompt the length of its prompt
   * @param reused how much of that had its KV
   * @param sampled how many tokens were sampled
   * @param lost tokens that the session had held and that were computed again, by cause
   * @param held how many tokens the session holds after it; 0 if the turn committed nothing
   * @param priority its priority
   */
  public record Turn(
      TurnMode mode,
      int prompt,
      int reused,
      int sampled,
      Map<LossCause, Integer> lost,
      int held,
      int priority) {

    /** Copies the map. */
    public Turn {
      lost = Map.copyOf(lost);
    }
  }

  /** Returns this after a move. */
  Account moved() {
    return new Account(turns, reused, computed, lost, moves + 1, held, last);
  }

  /** Returns this and one more turn. */
  Account with(Turn turn) {
    Map<TurnMode, Long> modes = new EnumMap<>(TurnMode.class);
    modes.putAll(turns);
    modes.merge(turn.mode(), 1L, Long::sum);
    Map<LossCause, Long> losses = new EnumMap<>(LossCause.class);
    losses.putAll(lost);
    turn.lost().forEach((cause, tokens) -> losses.merge(cause, (long) tokens, Long::sum));
    return new Account(
        modes,
        reused + turn.reused(),
        computed + turn.prompt() - turn.reused(),
        losses,
        moves,
        turn.held() > 0 ? turn.held() : held,
        Optional.of(turn));
  }
}
