package dev.sojourn.router.select;

import dev.sojourn.core.BlockHasher;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.router.load.Rank;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.function.ToIntFunction;

/**
 * Picks the rank on which a turn costs least, counted in blocks of computation:
 *
 * <pre>
 * (prompt tokens booked there + this prompt's tokens that are not resident there) / block
 *   + blocks held by turns that are booked there
 *   + weight · blocks that would have to be evicted
 * </pre>
 *
 * The first two lines are Dynamo's cost with full credit for overlap. The third is ours: without it
 * every session with a common system prompt goes to the one rank that holds it while others stay
 * empty.
 *
 * <p>Ties go to the rank with fewer bound sessions, then fewer turns, then fewer resident blocks,
 * then the first in order; so the same state gives the same choice.
 */
public final class Selector {

  private final double evictionWeight;
  private final Comparator<Rank> ties;

  /**
   * A turn, as far as its cost depends on it.
   *
   * @param promptTokens its whole context
   * @param expectedOutput tokens that will be sampled
   */
  public record Demand(int promptTokens, int expectedOutput) {

    /** Returns the prompt tokens to compute where so many leading blocks are resident. */
    public int uncached(int overlapBlocks) {
      return Math.max(promptTokens - overlapBlocks * BlockHasher.BLOCK, 0);
    }
  }

  /**
   * Creates a selector.
   *
   * @param evictionWeight what a block to evict costs
   * @param sessions how many sessions are bound to a rank
   */
  public Selector(double evictionWeight, ToIntFunction<WorkerRank> sessions) {
    this.evictionWeight = evictionWeight;
    ties =
        Comparator.comparingInt((Rank rank) -> sessions.applyAsInt(rank.id()))
            .thenComparingInt(Rank::requests)
            .thenComparingInt(rank -> rank.feed().resident())
            .thenComparing(Rank::id);
  }

  /**
   * Returns the cheapest of the ranks that may be taken; empty if none may.
   *
   * @param overlaps resident leading blocks of the prompt, by the rank's slot
   */
  public Optional<Rank> cheapest(
      List<Rank> ranks, Predicate<Rank> allowed, int[] overlaps, Demand demand) {
    Rank best = null;
    double bestCost = Double.POSITIVE_INFINITY;
    for (Rank rank : ranks) {
      if (allowed.test(rank)) {
        double cost = cost(rank, overlap(overlaps, rank), demand);
        int order = Double.compare(cost, bestCost);
        if (best == null || order < 0 || (order == 0 && ties.compare(rank, best) < 0)) {
          best = rank;
          bestCost = cost;
        }
      }
    }
    return Optional.ofNullable(best);
  }

  /** Returns a rank's overlap; 0 for one that came after the overlaps were counted. */
  public static int overlap(int[] overlaps, Rank rank) {
    return rank.slot() < overlaps.length ? overlaps[rank.slot()] : 0;
  }

  private double cost(Rank rank, int overlap, Demand demand) {
    double block = BlockHasher.BLOCK;
    double uncached = demand.uncached(overlap);
    double prefill = (rank.prefillTokens() + uncached) / block;
    double over =
        rank.feed().resident() + (uncached + demand.expectedOutput()) / block - rank.pages();
    return prefill + rank.decodeBlocks() + evictionWeight * Math.max(over, 0);
  }
}
