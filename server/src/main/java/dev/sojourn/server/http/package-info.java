/**
 * The thin room above Netty: connections, limits, routes, replies, event streams, drain. Handlers
 * run in plain blocking style on virtual threads and are interrupted when their client hangs up.
 *
 * <p>What may not enter: JSON, sessions, any protocol above HTTP. What may not leave: a Netty type.
 */
@NullMarked
package dev.sojourn.server.http;

import org.jspecify.annotations.NullMarked;
