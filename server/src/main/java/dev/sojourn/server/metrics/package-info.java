/**
 * What the gateway counts and measures, in Prometheus' format; the names are documented in
 * docs/metrics.md. What may not enter: names of sessions, tenants or keys as labels.
 */
@NullMarked
package dev.sojourn.server.metrics;

import org.jspecify.annotations.NullMarked;
