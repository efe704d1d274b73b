package dev.sojourn.router;

import dev.sojourn.core.Incarnation;
import dev.sojourn.core.WorkerRank;
import java.util.Optional;

/**
 * Where a turn goes.
 *
 * @param target the rank
 * @param affinity what the session's binding had to do with it
 * @param why in a few words, for people
 * @param overlapBlocks leading blocks of the prompt that are believed to be resident there
 * @param incarnation the engine session that the turn runs in; empty: it is sent without one. It
 *     differs from {@link TurnGuard#incarnation} when the session moves: the new place is a new
 *     life
 */
public record Selection(
    WorkerRank target,
    Affinity affinity,
    String why,
    int overlapBlocks,
    Optional<Incarnation> incarnation) {

  /** What a binding had to do with a choice. */
  public enum Affinity {
    /** The session's first rank. */
    NEW,
    /** The session's rank. */
    HIT,
    /** The session leaves its rank, which is overloaded or draining. */
    MOVED,
    /** The session's rank is gone. */
    BROKEN,
    /** No session counted. */
    NONE
  }
}
