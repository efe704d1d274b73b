/** Tests of the router: its cases, its races, and random interleavings of everything. */
@NullMarked
package dev.sojourn.router;

import org.jspecify.annotations.NullMarked;
