/**
 * Whole-system workloads: agents as a gateway sees them, over its real HTTP surface, with what they
 * measured as tables, JSON and plots. {@link dev.sojourn.bench.GatewayClient} is the client that
 * the workloads and the command line share.
 *
 * <p>What may not enter: measurements of one method (they belong to {@code jmh}), and any way into
 * the engine that a client does not have, but for reading its counters.
 */
@NullMarked
package dev.sojourn.bench;

import org.jspecify.annotations.NullMarked;
