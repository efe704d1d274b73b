/**
 * Model files: GGUF read, checked and written; tensors dequantised and repacked into row panels.
 *
 * <p>What may not enter: arithmetic beyond unpacking, and any trust in what a file says.
 */
@NullMarked
package dev.sojourn.engine.weights;

import org.jspecify.annotations.NullMarked;
