package dev.sojourn.router.lifecycle;

/**
 * Engine sessions since the start. At any quiet moment {@code opens + learnt + reaped =
 * acknowledged + abandoned + lost + tombstones + still open}.
 *
 * @param opens opens that succeeded, or whose outcome is not known
 * @param learnt engine sessions that were open before, and are bound now
 * @param reaped engine sessions that nobody bound, and that were closed for it
 * @param refused opens that a worker refused
 * @param acknowledged closes that a worker answered
 * @param abandoned tombstones that ended without an answer; the engine's own timeout ends those
 * @param lost engine sessions that went with their worker
 * @param retries closes sent again
 * @param tombstones closes without an answer yet
 */
public record LifecycleStats(
    long opens,
    long learnt,
    long reaped,
    long refused,
    long acknowledged,
    long abandoned,
    long lost,
    long retries,
    int tombstones) {}
