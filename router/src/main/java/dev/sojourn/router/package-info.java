/**
 * The router's front door: a turn begins here, gets its lease and its rank, and ends here, exactly
 * once, in one order.
 *
 * <p>What may not enter: HTTP, engines, threads of its own other than those that carry a close to a
 * worker. Workers are reached through {@link dev.sojourn.router.lifecycle.EngineSessions}, bindings
 * through {@link dev.sojourn.router.affinity.AffinityStore}.
 */
@NullMarked
package dev.sojourn.router;

import org.jspecify.annotations.NullMarked;
