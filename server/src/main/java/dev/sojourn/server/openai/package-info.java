/**
 * The OpenAI surface: what its requests say, what its answers look like, and the walk of a turn
 * between them.
 *
 * <p>What may not enter: Netty, cache state, routing decisions.
 */
@NullMarked
package dev.sojourn.server.openai;

import org.jspecify.annotations.NullMarked;
