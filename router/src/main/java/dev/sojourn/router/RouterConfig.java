package dev.sojourn.router;

import java.time.Duration;

/**
 * How a router behaves.
 *
 * @param engineGrace how much longer than the router an engine waits before it ends an idle
 *     session, so that the router is first; also how long past its timeout a tombstone lasts
 * @param closeRetryFirst time between an unanswered close and its first repetition; doubles
 * @param closeRetryLast the longest time between two repetitions
 * @param closeWait how long the end of a turn waits for the engine's answer to its close
 * @param parentShare up to which part of its turns a rank is preferred by the children of one of
 *     its sessions; 0 to 1
 * @param moveMargin by which part of its turns a rank is booked over before a session that is bound
 *     by affinity alone leaves it
 * @param evictionWeight what a block that has to be evicted costs, where computing one costs 1
 * @param maxWaiting turns that may wait behind one session's running turn
 * @param maxWaitingInAll turns that may wait behind all sessions' running turns
 * @param reconcileEvery how often the workers' sessions are compared with the bindings
 * @param learns whether a router that is younger than that binds what it finds bound to nobody
 */
public record RouterConfig(
    Duration engineGrace,
    Duration closeRetryFirst,
    Duration closeRetryLast,
    Duration closeWait,
    double parentShare,
    double moveMargin,
    double evictionWeight,
    int maxWaiting,
    int maxWaitingInAll,
    Duration reconcileEvery,
    boolean learns) {

  public RouterConfig {
    requireNotNegative("engineGrace", engineGrace);
    requireNotNegative("closeRetryFirst", closeRetryFirst);
    requireNotNegative("closeRetryLast", closeRetryLast);
    requireNotNegative("closeWait", closeWait);
    requireNotNegative("reconcileEvery", reconcileEvery);
    if (!(parentShare >= 0 && parentShare <= 1)) {
      throw new IllegalArgumentException("parentShare is 0 to 1, not " + parentShare);
    }
    if (!(moveMargin >= 0) || !(evictionWeight >= 0) || maxWaiting < 0 || maxWaitingInAll < 0) {
      throw new IllegalArgumentException(
          "moveMargin, evictionWeight, maxWaiting and maxWaitingInAll are at least 0, not "
              + moveMargin
              + ", "
              + evictionWeight
              + ", "
              + maxWaiting
              + ", "
              + maxWaitingInAll);
    }
  }

  private static void requireNotNegative(String name, Duration value) {
    if (value.isNegative()) {
      throw new IllegalArgumentException(name + " is at least 0, not " + value);
    }
  }

  /** Returns the defaults; times are Dynamo's. */
  public static RouterConfig defaults() {
    return new RouterConfig(
        Duration.ofSeconds(30),
        Duration.ofMillis(100),
        Duration.ofSeconds(5),
        Duration.ofMillis(250),
        0.5,
        0.25,
        0.5,
        256,
        4096,
        Duration.ofSeconds(30),
        true);
  }

  /** Returns these, with another time for which the end of a turn waits for a close's answer. */
  public RouterConfig withCloseWait(Duration other) {
    return new RouterConfig(
        engineGrace,
        closeRetryFirst,
        closeRetryLast,
        other,
        parentShare,
        moveMargin,
        evictionWeight,
        maxWaiting,
        maxWaitingInAll,
        reconcileEvery,
        learns);
  }

  /** Returns these, with other bounds of turns that wait: behind one session, and in all. */
  public RouterConfig withMaxWaiting(int behindOne, int inAll) {
    return new RouterConfig(
        engineGrace,
        closeRetryFirst,
        closeRetryLast,
        closeWait,
        parentShare,
        moveMargin,
        evictionWeight,
        behindOne,
        inAll,
        reconcileEvery,
        learns);
  }
}
