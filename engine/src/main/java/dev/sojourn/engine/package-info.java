/**
 * The engine's front door: what a worker may ask of a rank, and what it answers.
 *
 * <p>Everything behind it, cache and schedule, belongs to one thread; this package is where other
 * threads talk to it through queues. What may not enter: HTTP, routing, tenants' keys.
 */
@NullMarked
package dev.sojourn.engine;

import org.jspecify.annotations.NullMarked;
