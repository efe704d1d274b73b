/** Tests of what is kept of sessions. */
@NullMarked
package dev.sojourn.server.sessions;

import org.jspecify.annotations.NullMarked;
