/**
 * From logits to a token id: greedy and random sampling that a resumed run repeats exactly.
 *
 * <p>What may not enter: state that outlives a token.
 */
@NullMarked
package dev.sojourn.engine.sample;

import org.jspecify.annotations.NullMarked;
