/**
 * Which turns run in the next step, and what becomes of them.
 *
 * <p>Does not know whether a {@link dev.sojourn.engine.model.ModelRunner} multiplies matrices or
 * looks up a cost. What may not enter: threads, sockets, wall-clock time.
 */
@NullMarked
package dev.sojourn.engine.schedule;

import org.jspecify.annotations.NullMarked;
