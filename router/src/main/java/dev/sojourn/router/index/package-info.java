/**
 * Which rank holds which prefix, as the ranks' KV events tell it.
 *
 * <p>What may not enter: tokens (only their chained hashes), sessions, load.
 */
@NullMarked
package dev.sojourn.router.index;

import org.jspecify.annotations.NullMarked;
