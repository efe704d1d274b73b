/**
 * Model files: GGUF read, checked and written, the vocabulary in it, and synthetic models;
 * checkpoints of safetensors read as if they were GGUF.
 *
 * <p>What may not enter: arithmetic beyond storing and restoring numbers, and any trust in what a
 * file says.
 */
@NullMarked
package dev.sojourn.engine.weights;

import org.jspecify.annotations.NullMarked;
