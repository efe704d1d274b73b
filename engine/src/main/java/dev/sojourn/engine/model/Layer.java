package dev.sojourn.engine.model;

/**
 * The weights of one layer.
 *
 * @param queryNorm normalises each head's query; {@link Norm#NONE} for none
 * @param keyNorm normalises each head's key; {@link Norm#NONE} for none
 */
record Layer(
    Norm attentionNorm,
    Linear query,
    Linear key,
    Linear value,
    Norm queryNorm,
    Norm keyNorm,
    Linear output,
    Norm feedForwardNorm,
    Linear gate,
    Linear up,
    Linear down) {}
