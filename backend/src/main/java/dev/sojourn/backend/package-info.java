/**
 * One {@link dev.sojourn.backend.Worker} interface and its adapters: today the embedded engine.
 *
 * <p>What may not enter: client protocols, routing decisions.
 */
@NullMarked
package dev.sojourn.backend;

import org.jspecify.annotations.NullMarked;
