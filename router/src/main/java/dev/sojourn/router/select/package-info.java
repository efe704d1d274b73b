/**
 * The choice of a rank: filters, cost, pick. Pure functions of what they are given.
 *
 * <p>What may not enter: state.
 */
@NullMarked
package dev.sojourn.router.select;

import org.jspecify.annotations.NullMarked;
