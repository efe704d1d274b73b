package dev.sojourn.core;

import java.time.Duration;

/**
 * What a session is at one moment.
 *
 * @param id which session
 * @param incarnation which life of it
 * @param committed tokens committed
 * @param resident of them, tokens whose KV is resident
 * @param turns turns committed
 * @param running whether a turn runs or waits
 * @param closing whether it ends with that turn
 * @param idle time since the last turn's end; zero while one runs
 * @param timeout idle time after which it ends
 * @param digest the digest of the committed tokens
 */
public record SessionView(
    SessionId id,
    Incarnation incarnation,
    int committed,
    int resident,
    int turns,
    boolean running,
    boolean closing,
    Duration idle,
    Duration timeout,
    long digest) {}
