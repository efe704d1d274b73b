package dev.sojourn.engine.schedule;

import java.util.List;

/**
 * Says how many tokens of each running turn a step computes: one of each that decodes; and of the
 * prompt tokens that a step may compute, first those of turns that one step is enough for, but a
 * quarter is for the others.
 */
final class StepShares {

  private final int prefillChunk;

  StepShares(int prefillChunk) {
    this.prefillChunk = prefillChunk;
  }

  /** Sets {@link Turn#chunk} of each turn, which stand in order of rank. */
  void share(List<Turn> running) {
    boolean anyLong = false;
    // By index, as in what each step does: iterators are garbage until C2 has compiled them.
    for (int i = 0; i < running.size(); i++) {
      Turn turn = running.get(i);
      turn.chunk = turn.remaining() == 1 ? 1 : 0;
      anyLong |= isLong(turn);
    }
    int reserved = anyLong ? Math.max(1, prefillChunk / 4) : 0;
    int left = reserved + give(running, prefillChunk - reserved, false);
    left = give(running, left, true);
    give(running, left, false);
  }

  /** Gives to the long or to the short ones, and returns what is left. */
  private int give(List<Turn> running, int budget, boolean toLong) {
    int left = budget;
    for (int i = 0; i < running.size(); i++) {
      Turn turn = running.get(i);
      if (turn.remaining() > 1 && isLong(turn) == toLong) {
        int more = Math.min(left, turn.remaining() - turn.chunk);
        turn.chunk += more;
        left -= more;
      }
    }
    return left;
  }

  private boolean isLong(Turn turn) {
    return turn.remaining() > prefillChunk;
  }
}
