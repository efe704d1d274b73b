/**
 * Models: a forward pass over KV pages, one small class an architecture.
 *
 * <p>What may not enter: sessions, scheduling, eviction: a runner sees page numbers and token ids.
 */
@NullMarked
package dev.sojourn.engine.model;

import org.jspecify.annotations.NullMarked;
