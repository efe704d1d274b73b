package dev.sojourn.router;

import dev.sojourn.core.Incarnation;
import dev.sojourn.core.SessionId;
import dev.sojourn.core.WorkerRank;
import dev.sojourn.router.affinity.Terms;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * A session's binding at one moment.
 *
 * @param id which session
 * @param incarnation which life of it
 * @param terms what it was opened with
 * @param target where it lives; empty while it is being opened
 * @param running request ids of the turns that hold a lease
 * @param remaining idle time left; empty while a turn runs
 */
public record BindingView(
    SessionId id,
    Incarnation incarnation,
    Terms terms,
    Optional<WorkerRank> target,
    List<String> running,
    Optional<Duration> remaining) {}
