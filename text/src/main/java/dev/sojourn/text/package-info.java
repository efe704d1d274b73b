/**
 * From text to token ids and back: tokenizers, and detokenising a stream of ids.
 *
 * <p>What may not enter: an engine, a model file, a protocol. A gateway in front of another engine
 * needs this room alone.
 */
@NullMarked
package dev.sojourn.text;

import org.jspecify.annotations.NullMarked;
