package dev.sojourn.core;

import java.time.Duration;

/**
 * What a session is at one moment.
 *
 * @param settings what it was opened with
 * @param committed tokens committed
 * @param resident of them, tokens whose KV is resident
 * @param turns turns committed
 * @param running whether a turn runs or waits
 * @param closing whether it ends with that turn
 * @param idle time since the last turn's end; zero while one runs
 * @param remaining time until it ends if no turn comes; while one runs, from that one's end on
 * @param children sessions that were started from it and are open
 * @param digest the digest of the committed tokens
 */
public record SessionView(
    SessionSettings settings,
    int committed,
    int resident,
    int turns,
    boolean running,
    boolean closing,
    Duration idle,
    Duration remaining,
    int children,
    long digest) {

  /** Returns which session. */
  public SessionId id() {
    return settings.id();
  }

  /** Returns which life of it. */
  public Incarnation incarnation() {
    return settings.incarnation();
  }
}
