/**
 * From messages to token ids: rendering, tokenising, and the transcripts that let a session's turns
 * keep the ids they were sampled as.
 *
 * <p>What may not enter: HTTP, a protocol's field names beyond those of a chat message, routing.
 */
@NullMarked
package dev.sojourn.server.prompt;

import org.jspecify.annotations.NullMarked;
