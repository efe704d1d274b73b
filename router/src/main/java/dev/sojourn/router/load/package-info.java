/**
 * The ranks that exist, and what each is booked for, by phase.
 *
 * <p>What may not enter: choice among ranks; it reads from here.
 */
@NullMarked
package dev.sojourn.router.load;

import org.jspecify.annotations.NullMarked;
