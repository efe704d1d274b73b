/**
 * Administration of sessions: which there are, where they live, what they hold, and their end.
 *
 * <p>What may not enter: turns, and another tenant's sessions.
 */
@NullMarked
package dev.sojourn.server.sessions;

import org.jspecify.annotations.NullMarked;
