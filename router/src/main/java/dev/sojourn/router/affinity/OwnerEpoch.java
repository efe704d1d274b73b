package dev.sojourn.router.affinity;

import java.util.random.RandomGenerator;

/**
 * One registration of a gateway. Leases and openings name it and die with it; a gateway that starts
 * again is another owner.
 */
public record OwnerEpoch(long value) {

  /** Draws a new epoch. */
  public static OwnerEpoch mint(RandomGenerator random) {
    return new OwnerEpoch(random.nextLong());
  }
}
