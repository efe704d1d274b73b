/**
 * The words of the domain: who a session is, where it lives, which tokens it holds, what may go
 * wrong. Small immutable types, a clock, and the one hash that names a block of tokens everywhere.
 *
 * <p>What may not enter: I/O, threads, JSON, and anything that only one room needs.
 */
@NullMarked
package dev.sojourn.core;

import org.jspecify.annotations.NullMarked;
