/**
 * Arithmetic with the Vector API: products, attention, normalisation, in one fixed order of
 * summation.
 *
 * <p>What may not enter: models, pages' owners, allocation per call.
 */
@NullMarked
package dev.sojourn.engine.kernel;

import org.jspecify.annotations.NullMarked;
