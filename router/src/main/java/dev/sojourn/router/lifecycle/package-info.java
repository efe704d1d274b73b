/**
 * Opening and closing of engine sessions, and the tombstones of those whose close has not been
 * acknowledged.
 *
 * <p>What may not enter: bindings and leases; who calls has settled them.
 */
@NullMarked
package dev.sojourn.router.lifecycle;

import org.jspecify.annotations.NullMarked;
