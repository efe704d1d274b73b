/**
 * Who is asking: API keys and their tenants, and the headers in which clients name their session.
 *
 * <p>What may not enter: what is asked for.
 */
@NullMarked
package dev.sojourn.server.access;

import org.jspecify.annotations.NullMarked;
