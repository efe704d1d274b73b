package dev.sojourn.engine.model;

/**
 * The facts of a loaded model.
 *
 * @param name the file's own, or its architecture
 * @param architecture as the file names it ({@code qwen3})
 * @param layers blocks of attention and feed-forward
 * @param width numbers of a token's state between layers
 * @param feedForward numbers of a token's state within the feed-forward
 * @param heads of queries
 * @param kvHeads of keys and values; {@code heads} is a multiple of it
 * @param headDim numbers of a head
 * @param vocabularySize logits of a token
 * @param contextLength the most tokens of a context
 * @param parameters weights in all
 * @param weightBytes what they take in memory
 * @param kvBytesPerPage what a page of 16 tokens takes
 */
public record ModelShape(
    String name,
    String architecture,
    int layers,
    int width,
    int feedForward,
    int heads,
    int kvHeads,
    int headDim,
    int vocabularySize,
    int contextLength,
    long parameters,
    long weightBytes,
    long kvBytesPerPage) {}
