package dev.sojourn.router.affinity;

/**
 * A running turn's hold on a binding. While one is held the binding's idle time does not run.
 *
 * @param owner the gateway that runs the turn
 * @param number unique within the owner
 * @param requestId the turn's request, for people
 */
public record Lease(OwnerEpoch owner, long number, String requestId) {}
