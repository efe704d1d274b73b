/**
 * What the text of an answer is made of: words for the reader, reasoning, and calls of tools.
 *
 * <p>What may not enter: a protocol, an engine, what becomes of a call.
 */
@NullMarked
package dev.sojourn.text.answer;

import org.jspecify.annotations.NullMarked;
