package dev.sojourn.engine;

import static java.util.Objects.requireNonNull;

import java.time.Duration;

/**
 * How an engine schedules and what it keeps. How many pages it has is the model runner's affair.
 *
 * @param maxRunning the most turns in a batch
 * @param prefillChunk the most prompt tokens that a step computes; no decode waits longer than that
 * @param maxWaiting the most turns that wait; more are refused as overload
 * @param maxSessions the most sessions that may be open
 * @param reserve how many output tokens a turn has pages set aside for when it is admitted, if it
 *     may sample as many; beyond that the pool is over-committed
 * @param sessionKvFraction the share of the pool that sessions may lease before their idle pages go
 *     first
 * @param eviction what decides between two pages of equal rank
 * @param retention how long the priority of a request holds that has no session and does not say
 */
public record EngineConfig(
    int maxRunning,
    int prefillChunk,
    int maxWaiting,
    int maxSessions,
    int reserve,
    double sessionKvFraction,
    EvictionPolicy eviction,
    Duration retention) {

  /** Rejects what cannot work. */
  public EngineConfig {
    atLeast("maxRunning", maxRunning, 1);
    atLeast("prefillChunk", prefillChunk, 1);
    atLeast("maxWaiting", maxWaiting, 1);
    atLeast("maxSessions", maxSessions, 1);
    atLeast("reserve", reserve, 1);
    if (!(sessionKvFraction >= 0 && sessionKvFraction <= 1)) {
      throw new IllegalArgumentException(
          "sessionKvFraction is between 0 and 1, not " + sessionKvFraction);
    }
    requireNonNull(eviction, "eviction");
    if (retention.isNegative()) {
      throw new IllegalArgumentException("retention is not negative, but " + retention);
    }
  }

  /** Returns the configuration of an engine that nobody has tuned. */
  public static EngineConfig defaults() {
    return new EngineConfig(
        16, 256, 256, 65_536, 512, 0.8, EvictionPolicy.LRU, Duration.ofMinutes(5));
  }

  private static void atLeast(String name, int value, int bound) {
    if (value < bound) {
      throw new IllegalArgumentException(name + " is at least " + bound + ", not " + value);
    }
  }
}
