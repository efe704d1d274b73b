/**
 * The gateway: model, engines, router and HTTP put together and taken apart again.
 *
 * <p>What may not enter: request handling; that is in the packages below.
 */
@NullMarked
package dev.sojourn.server;

import org.jspecify.annotations.NullMarked;
