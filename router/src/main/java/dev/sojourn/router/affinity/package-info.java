/**
 * Bindings of sessions to ranks: what a binding is at each moment, who holds it, and the store
 * where bindings live.
 *
 * <p>Every change is a compare-and-set on a revision, so a late one is a no-op. What may not enter:
 * calls to workers, choice of ranks, waiting for a turn.
 */
@NullMarked
package dev.sojourn.router.affinity;

import org.jspecify.annotations.NullMarked;
