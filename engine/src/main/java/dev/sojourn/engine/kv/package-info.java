/**
 * KV pages, the prefix tree they form, sessions' records, and what is evicted first.
 *
 * <p>One thread owns all of it. What may not enter: arithmetic on KV (see {@code model}), queues,
 * time other than through {@code Clock}.
 */
@NullMarked
package dev.sojourn.engine.kv;

import org.jspecify.annotations.NullMarked;
