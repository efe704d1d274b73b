package dev.sojourn.core;

import dev.sojourn.core.SessionControl.OnClose;
import java.time.Duration;
import java.util.OptionalInt;

/**
 * What an engine session is opened with. Opening an incarnation again with equal settings changes
 * nothing; with others it is a conflict.
 *
 * @param id which session
 * @param incarnation which life of it
 * @param timeout idle time, from the end of the last turn, after which the engine closes it
 * @param capacity the most tokens it may hold
 * @param onExpiry what becomes of its pages when it times out
 */
public record SessionSettings(
    SessionId id,
    Incarnation incarnation,
    Duration timeout,
    OptionalInt capacity,
    OnClose onExpiry) {}
